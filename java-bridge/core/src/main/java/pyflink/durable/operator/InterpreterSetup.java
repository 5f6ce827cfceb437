package pyflink.durable.operator;

import java.io.File;
import pyflink.durable.value.OutputValues;

/** Makes the Python side of an operator in the interpreter that it has opened, and ends it. */
final class InterpreterSetup {

    private static final String READ_PTH =
            "import os, site\n"
                    + "for folder in durable_packages.split(os.pathsep):\n"
                    + "    site.addsitedir(folder)";

    private static final String CLAIM =
            "from pyflink_durable.runtime.shipped import claim\n"
                    + "claim(durable_job, durable_folder, "
                    + "lambda line: durable_bridge.log('WARNING', line))";

    private static final String MAKE =
            "durable_host =" + " HandlerHost(durable_bridge, durable_metrics, durable_outputs)";

    private static final String CLOSE =
            "try:\n"
                    + "    durable_host.close()\n"
                    + "finally:\n"
                    + "    for name in ('durable_host', 'durable_bridge', 'durable_metrics',"
                    + " 'operation'):\n"
                    + "        globals().pop(name, None)";

    private InterpreterSetup() {}

    /**
     * To be called before PyFlink loads the handler.
     *
     * @param job the job's name
     * @param python the job's, open
     */
    static void prepare(
            Interpreter interpreter,
            String job,
            JobPython python,
            DurableBridge bridge,
            HandlerMetrics metrics,
            OutputValues<?> outputs) {
        interpreter.set("durable_job", job);
        interpreter.set("durable_folder", python.getBaseDirectory());
        interpreter.set("durable_bridge", bridge);
        interpreter.set("durable_metrics", metrics);
        interpreter.set("durable_outputs", outputs.describe());
        if (!python.packageFolders().isEmpty()) {
            interpreter.set(
                    "durable_packages", String.join(File.pathSeparator, python.packageFolders()));
            interpreter.exec(READ_PTH);
        }
        load(interpreter, "pyflink_durable.runtime.shipped");
        interpreter.exec(CLAIM);
        load(interpreter, "pyflink_durable.runtime.operator.handler_host");
        interpreter.exec(
                "from pyflink_durable.runtime.operator.handler_host import HandlerHost\n" + MAKE);
    }

    private static void load(Interpreter interpreter, String module) {
        try {
            interpreter.exec("import " + module);
        } catch (Exception e) { // also the interpreter's own, which no method declares
            throw new IllegalStateException(
                    "The Python of this TaskManager cannot load pyflink-durable. Install it there"
                            + " (pip install pyflink-durable), in the release that submitted the"
                            + " job.",
                    e);
        }
    }

    static void close(Interpreter interpreter) {
        interpreter.exec(CLOSE);
    }
}
