package pyflink.durable.operator;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;
import javax.annotation.Nullable;

/** Where a Python program has its standard library and its packages; it is asked once. */
final class PythonInstallation {

    private static final String ASK =
            "import site, sys\n"
                    + "user = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []\n"
                    + "for line in (sys.executable, sys.base_prefix,"
                    + " *site.getsitepackages(), *user):\n"
                    + "    print(line)";

    private static final ConcurrentHashMap<String, PythonInstallation> ASKED =
            new ConcurrentHashMap<>();

    private final Path executable;
    private final String home;
    private final List<String> packageFolders;

    private PythonInstallation(List<String> answer) {
        executable = Path.of(answer.get(0));
        home = answer.get(1);
        packageFolders = List.copyOf(answer.subList(2, answer.size()));
    }

    /** Of a program on the PATH, or of a path. */
    static PythonInstallation of(String program) throws IOException {
        PythonInstallation known = ASKED.get(program);
        if (known == null) {
            known = new PythonInstallation(ask(program));
            ASKED.put(program, known);
        }
        return known;
    }

    private static List<String> ask(String program) throws IOException {
        Process process = new ProcessBuilder(program, "-c", ASK).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String answer;
        try (InputStream output = process.getInputStream()) {
            answer = new String(output.readAllBytes(), StandardCharsets.UTF_8);
        }
        List<String> lines = List.of(answer.split("\n"));
        if (lines.size() < 3 || !new File(lines.get(1)).isDirectory()) {
            throw new IOException(
                    "python.executable '" + program + "' does not run as a Python: " + answer);
        }
        return lines;
    }

    /** Where the standard library is. */
    String home() {
        return home;
    }

    List<String> packageFolders() {
        return packageFolders;
    }

    /** Whether Python in this process finds this installation by itself. */
    boolean isFirstOnPath() {
        return isFirstOn(System.getenv("PATH"));
    }

    boolean isFirstOn(@Nullable String path) {
        for (String folder : Pattern.compile(File.pathSeparator).split(path == null ? "" : path)) {
            Path python = Path.of(folder, "python3");
            if (Files.isRegularFile(python) && Files.isExecutable(python)) {
                return isSame(python.getParent(), executable.getParent());
            }
        }
        return false;
    }

    private static boolean isSame(Path one, Path other) {
        try {
            return Files.isSameFile(one, other);
        } catch (IOException e) {
            return false;
        }
    }
}
