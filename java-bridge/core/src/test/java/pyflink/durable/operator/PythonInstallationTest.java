package pyflink.durable.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A Python says where it is; here a script says it. */
class PythonInstallationTest {

    @TempDir Path folder;

    private Path program(String name, String script) throws IOException {
        Path program = folder.resolve(name);
        Files.createDirectories(program.getParent());
        Files.writeString(program, "#!/bin/sh\n" + script);
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
        return program;
    }

    private PythonInstallation venv() throws IOException {
        Path python = folder.resolve("venv/bin/python");
        program("venv/bin/python3", "");
        return PythonInstallation.of(
                program(
                                "venv/bin/python",
                                "printf '%s\\n' "
                                        + String.join(
                                                " ",
                                                python.toString(),
                                                folder.toString(),
                                                "/venv/site-packages",
                                                "/home/site-packages"))
                        .toString());
    }

    private String path(String... folders) {
        StringBuilder path = new StringBuilder();
        for (String each : folders) {
            path.append(folder.resolve(each)).append(File.pathSeparator);
        }
        return path.toString();
    }

    @Test
    void aPythonSaysWhereItIs() throws IOException {
        PythonInstallation python = venv();

        assertThat(python.home()).isEqualTo(folder.toString());
        assertThat(python.packageFolders())
                .containsExactly("/venv/site-packages", "/home/site-packages");
    }

    @Test
    void itIsFoundWhereThePythonBesideItIsTheFirstOnThePath() throws IOException {
        program("other/python3", "");
        Files.createDirectories(folder.resolve("empty"));
        Files.createSymbolicLink(folder.resolve("link"), folder.resolve("venv/bin"));
        PythonInstallation python = venv();

        assertThat(python.isFirstOn(path("empty", "venv/bin", "other"))).isTrue();
        assertThat(python.isFirstOn(path("link"))).isTrue();
        assertThat(python.isFirstOn(path("other", "venv/bin"))).isFalse();
        assertThat(python.isFirstOn(path("empty"))).isFalse();
        assertThat(python.isFirstOn(null)).isFalse();
    }

    @Test
    void aProgramThatIsNoPythonIsNamedWithWhatItSays() throws IOException {
        String program = program("python", "echo 'no such interpreter' >&2; exit 3").toString();

        assertThatThrownBy(() -> PythonInstallation.of(program))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(program)
                .hasMessageContaining("no such interpreter");
    }
}
