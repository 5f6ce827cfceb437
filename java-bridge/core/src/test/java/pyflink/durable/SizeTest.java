package pyflink.durable;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.tree.LineMap;
import com.sun.source.tree.MethodTree;
import com.sun.source.util.JavacTask;
import com.sun.source.util.SourcePositions;
import com.sun.source.util.TreePathScanner;
import com.sun.source.util.Trees;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.tools.JavaCompiler;
import javax.tools.StandardJavaFileManager;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;

/**
 * No file of the jars is longer than 300 lines and no method than 60, unless a sentence at its head
 * says why; that begins as the constants here do.
 */
class SizeTest {

    private static final int FILE_LINES = 300;
    private static final String FILE_REASON = "Over 300 lines: ";
    private static final int METHOD_LINES = 60;
    private static final String METHOD_REASON = "Over 60 lines: ";

    @Test
    void noFileIsTooLong() throws IOException {
        List<String> tooLong = new ArrayList<>();
        for (Path file : sources()) {
            String text = Files.readString(file);
            long lines = text.lines().count();
            if (lines > FILE_LINES && !text.contains(FILE_REASON)) {
                tooLong.add(file.getFileName() + ": " + lines);
            }
        }
        assertThat(tooLong).isEmpty();
    }

    @Test
    void noMethodIsTooLong() throws IOException {
        assertThat(methodsLongerThan(METHOD_LINES)).isEmpty();
    }

    /** Else the test above would pass whatever there is. */
    @Test
    void methodsAreFound() throws IOException {
        assertThat(methodsLongerThan(METHOD_LINES / 2)).isNotEmpty();
    }

    private static List<Path> sources() throws IOException {
        List<Path> sources = new ArrayList<>();
        try (Stream<Path> modules = Files.list(Path.of(".."))) {
            for (Path module : modules.collect(Collectors.toList())) {
                Path main = module.resolve("src/main/java");
                if (Files.isDirectory(main)) {
                    try (Stream<Path> files = Files.walk(main)) {
                        files.filter(file -> file.toString().endsWith(".java"))
                                .forEach(sources::add);
                    }
                }
            }
        }
        assertThat(sources).hasSizeGreaterThan(80);
        return sources;
    }

    private static List<String> methodsLongerThan(int limit) throws IOException {
        JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
        List<String> found = new ArrayList<>();
        try (StandardJavaFileManager files = compiler.getStandardFileManager(null, null, null)) {
            JavacTask task =
                    (JavacTask)
                            compiler.getTask(
                                    null,
                                    files,
                                    null,
                                    List.of("-proc:none"),
                                    null,
                                    files.getJavaFileObjectsFromPaths(sources()));
            Trees trees = Trees.instance(task);
            for (CompilationUnitTree unit : task.parse()) {
                new MethodScanner(trees, unit, limit, found).scan(unit, null);
            }
        }
        return found;
    }

    private static final class MethodScanner extends TreePathScanner<Void, Void> {
        private final Trees trees;
        private final CompilationUnitTree unit;
        private final int limit;
        private final List<String> found;

        MethodScanner(Trees trees, CompilationUnitTree unit, int limit, List<String> found) {
            this.trees = trees;
            this.unit = unit;
            this.limit = limit;
            this.found = found;
        }

        @Override
        public Void visitMethod(MethodTree method, Void nothing) {
            SourcePositions positions = trees.getSourcePositions();
            LineMap lines = unit.getLineMap();
            long length =
                    lines.getLineNumber(positions.getEndPosition(unit, method))
                            - lines.getLineNumber(positions.getStartPosition(unit, method))
                            + 1;
            String comment = trees.getDocComment(getCurrentPath());
            if (length > limit && (comment == null || !comment.contains(METHOD_REASON))) {
                Path file = Path.of(unit.getSourceFile().getName()).getFileName();
                found.add(file + " " + method.getName() + ": " + length);
            }
            return super.visitMethod(method, nothing);
        }
    }
}
