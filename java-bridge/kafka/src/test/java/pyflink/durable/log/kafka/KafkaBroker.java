package pyflink.durable.log.kafka;

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A real broker on loopback, in a process of its own. */
final class KafkaBroker implements AutoCloseable {

    private final Path directory;
    private final int port = freePort();
    private Process process;

    /** Prepares the broker's disk; {@link #start} starts it. */
    KafkaBroker(Path directory) throws Exception {
        this.directory = directory;
        int controllerPort = freePort();
        Files.write(
                directory.resolve("server.properties"),
                List.of(
                        "process.roles=broker,controller",
                        "node.id=1",
                        "controller.quorum.voters=1@127.0.0.1:" + controllerPort,
                        "controller.listener.names=CONTROLLER",
                        "listeners=PLAINTEXT://127.0.0.1:"
                                + port
                                + ",CONTROLLER://127.0.0.1:"
                                + controllerPort,
                        "log.dirs=" + directory.resolve("data"),
                        "auto.create.topics.enable=false",
                        // a restart waits until the killed one's session is over
                        "broker.session.timeout.ms=6000",
                        "broker.heartbeat.interval.ms=300"));
        Process format =
                java(
                        "kafka.tools.StorageTool",
                        "format",
                        "--cluster-id",
                        "AAAAAAAAAAAAAAAAAAAAAA",
                        "--config",
                        directory.resolve("server.properties").toString());
        if (!format.waitFor(60, TimeUnit.SECONDS) || format.exitValue() != 0) {
            format.destroyForcibly();
            throw new IOException("Kafka's disk was not formatted:\n" + output());
        }
    }

    String address() {
        return "127.0.0.1:" + port;
    }

    /** Returns at once: whoever needs the broker waits for it. */
    void start() throws IOException {
        process = java("kafka.Kafka", directory.resolve("server.properties").toString());
    }

    void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    @Override
    public void close() throws InterruptedException {
        kill();
    }

    private Process java(String main, String... arguments) throws IOException {
        List<String> command =
                new ArrayList<>(
                        List.of(
                                System.getProperty("java.home") + "/bin/java",
                                "-Xmx384m",
                                "-XX:+UseSerialGC",
                                "-XX:TieredStopAtLevel=1",
                                "-cp",
                                System.getProperty("java.class.path"),
                                main));
        command.addAll(Arrays.asList(arguments));
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(directory.resolve("log").toFile()))
                .start();
    }

    private String output() throws IOException {
        return Files.readString(directory.resolve("log"));
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }
}
