package pyflink.durable.reader;

import java.io.File;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Map;
import java.util.function.Function;
import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.JobID;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.execution.Environment;
import org.apache.flink.runtime.io.disk.iomanager.IOManager;
import org.apache.flink.runtime.io.disk.iomanager.IOManagerAsync;
import org.apache.flink.runtime.state.LocalRecoveryConfig;
import org.apache.flink.runtime.state.TaskStateManager;
import org.apache.flink.runtime.state.changelog.ChangelogStateHandle;
import org.apache.flink.runtime.state.changelog.StateChangelogStorageLoader;
import org.apache.flink.runtime.taskmanager.TaskManagerRuntimeInfo;
import org.apache.flink.util.SimpleUserCodeClassLoader;

/**
 * What a state backend asks of its task, where there is no task: a folder, a class loader, a
 * configuration.
 *
 * <p>Flink's versions have other methods in these interfaces, of which a restore calls the same
 * few. So they are no classes but proxies, which refuse the rest by name.
 */
final class RestoreEnvironment implements AutoCloseable {

    private final IOManager ioManager;
    private final Environment environment;

    RestoreEnvironment(Configuration configuration, File folder) {
        ClassLoader loader = RestoreEnvironment.class.getClassLoader();
        ioManager = new IOManagerAsync(folder.getPath());
        TaskManagerRuntimeInfo taskManager =
                proxy(
                        TaskManagerRuntimeInfo.class,
                        Map.of(
                                "getConfiguration", args -> configuration,
                                "getTmpDirectories", args -> new String[] {folder.getPath()},
                                "getTmpWorkingDirectory", args -> folder));
        TaskStateManager stateManager =
                proxy(
                        TaskStateManager.class,
                        Map.of(
                                "createLocalRecoveryConfig",
                                args -> LocalRecoveryConfig.BACKUP_AND_RECOVERY_DISABLED,
                                "getStateChangelogStorageView",
                                args -> changelog((Configuration) args[0], args[1])));
        ExecutionConfig executionConfig = new ExecutionConfig();
        JobID job = new JobID();
        environment =
                proxy(
                        Environment.class,
                        Map.of(
                                "getJobID", args -> job,
                                "getExecutionConfig", args -> executionConfig,
                                "getUserCodeClassLoader",
                                        args -> SimpleUserCodeClassLoader.create(loader),
                                "getTaskManagerInfo", args -> taskManager,
                                "getTaskStateManager", args -> stateManager,
                                "getIOManager", args -> ioManager));
    }

    private static Object changelog(Configuration configuration, Object handle) {
        try {
            return StateChangelogStorageLoader.loadFromStateHandle(
                    configuration, (ChangelogStateHandle) handle);
        } catch (Exception e) {
            throw new IllegalStateException("The changelog in " + handle + " has no reader", e);
        }
    }

    Environment environment() {
        return environment;
    }

    @Override
    public void close() throws Exception {
        ioManager.close();
    }

    private static <T> T proxy(Class<T> type, Map<String, Function<Object[], Object>> methods) {
        return type.cast(
                Proxy.newProxyInstance(
                        type.getClassLoader(), new Class<?>[] {type}, new Answers(methods)));
    }

    private static final class Answers implements InvocationHandler {

        private final Map<String, Function<Object[], Object>> methods;

        Answers(Map<String, Function<Object[], Object>> methods) {
            this.methods = methods;
        }

        @Override
        public Object invoke(Object proxy, Method method, Object[] args) throws Throwable {
            Function<Object[], Object> answer = methods.get(method.getName());
            if (answer != null) {
                return answer.apply(args);
            }
            if (method.getDeclaringClass() == Object.class) {
                try {
                    return method.invoke(this, args);
                } catch (InvocationTargetException e) {
                    throw e.getCause();
                }
            }
            throw new UnsupportedOperationException(
                    "A restore in this version of Flink asks for " + method + ", which is not had");
        }
    }
}
