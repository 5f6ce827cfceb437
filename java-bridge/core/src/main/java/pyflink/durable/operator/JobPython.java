package pyflink.durable.operator;

import java.io.File;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.JobID;
import org.apache.flink.python.env.AbstractPythonEnvironmentManager;
import org.apache.flink.python.env.PythonDependencyInfo;
import org.apache.flink.python.env.PythonEnvironment;
import org.apache.flink.python.env.embedded.EmbeddedPythonEnvironment;
import org.apache.flink.python.env.embedded.EmbeddedPythonEnvironmentManager;

/**
 * The Python of a job, as PyFlink prepares it, and beyond that the one which the job names.
 *
 * <p>Rules, and the failure each prevents:
 *
 * <ul>
 *   <li>Python in a JVM takes the first {@code python3} on the PATH for itself, whatever library
 *       was loaded, and looks for its standard library and packages there. If {@code
 *       python.executable} is another, it finds no package ("No module named 'pemja'"), or no
 *       library, and ends the process. So it is told where they are.
 *   <li>A Python in an archive of the job is refused before it is loaded. A process loads Python
 *       once, and that one's library goes with the job's files: every later attempt would fail, and
 *       the later jobs of the process.
 * </ul>
 *
 * <p>PyFlink's configuration of the interpreter is reached by reflection, see {@link Interpreter}.
 */
final class JobPython extends EmbeddedPythonEnvironmentManager {

    private final PythonDependencyInfo dependencies;
    private List<String> packageFolders = List.of();

    JobPython(
            PythonDependencyInfo dependencies,
            String[] temporaryFolders,
            Map<String, String> environment,
            JobID jobId) {
        super(dependencies, temporaryFolders, environment, jobId);
        this.dependencies = dependencies;
    }

    @Override
    public PythonEnvironment createEnvironment() throws Exception {
        EmbeddedPythonEnvironment prepared = (EmbeddedPythonEnvironment) super.createEnvironment();
        String executable = dependencies.getPythonExec();
        refuseArchived(
                executable,
                prepared.getEnv().get(AbstractPythonEnvironmentManager.PYTHON_WORKING_DIR));
        PythonInstallation python = PythonInstallation.of(executable);
        if (python.isFirstOnPath()) {
            return prepared;
        }
        packageFolders = python.packageFolders();
        return located(prepared, python);
    }

    private static void refuseArchived(String executable, String archives) {
        if (archives != null && new File(archives, executable).exists()) {
            throw new IllegalArgumentException(
                    String.format(
                            "python.executable is '%s', a Python in one of the job's"
                                    + " python.archives. Durable operators run in the Python that a"
                                    + " TaskManager's process loads once, for all jobs and attempts,"
                                    + " and that one is gone with the job's files. Install the packages"
                                    + " in the TaskManagers' own Python and name that, or bring them by"
                                    + " python.requirements or python.files.",
                            executable));
        }
    }

    private static PythonEnvironment located(
            EmbeddedPythonEnvironment prepared, PythonInstallation python)
            throws ReflectiveOperationException {
        Method getter = EmbeddedPythonEnvironment.class.getMethod("getConfig");
        Object config = getter.invoke(prepared);
        Class<?> type = getter.getReturnType();
        List<String> paths = new ArrayList<>(Arrays.asList((String[]) get(config, "getPaths")));
        paths.addAll(python.packageFolders());

        Object builder = type.getMethod("newBuilder").invoke(null);
        set(builder, "setPythonHome", String.class, python.home());
        set(builder, "setPythonExec", String.class, get(config, "getPythonExec"));
        set(
                builder,
                "setExcType",
                get(config, "getExecType").getClass(),
                get(config, "getExecType"));
        set(builder, "addPythonPaths", String[].class, paths.toArray(new String[0]));
        return EmbeddedPythonEnvironment.class
                .getConstructor(type, Map.class)
                .newInstance(get(builder, "build"), prepared.getEnv());
    }

    private static Object get(Object owner, String method) throws ReflectiveOperationException {
        return owner.getClass().getMethod(method).invoke(owner);
    }

    private static void set(Object builder, String method, Class<?> type, Object value)
            throws ReflectiveOperationException {
        builder.getClass().getMethod(method, type).invoke(builder, value);
    }

    /**
     * Folders with packages that the interpreter would not find by itself; their {@code .pth} files
     * are still to be read. Empty if it finds them.
     */
    List<String> packageFolders() {
        return packageFolders;
    }
}
