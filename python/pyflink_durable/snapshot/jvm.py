"""Starts the JVM that reads snapshots, with the class path of PyFlink's own gateway."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from typing import IO, Any

from pyflink_durable.client.jars import bridge_jar, reader_jar

_MAIN = "pyflink.durable.reader.ReadSnapshot"
_LOGGING = "-Dlog4j.configurationFile=classpath:pyflink/durable/reader/log4j2.properties"


def start_reader(arguments: Sequence[str], memory: str, errors: IO[Any]) -> subprocess.Popen[bytes]:
    """Starts the reader; its lines come on its standard output.

    Args:
        arguments: The snapshot, and what is to be read of it.
        memory: The JVM's heap, in Java's words.
        errors: Takes its standard error.

    Raises:
        FileNotFoundError: There is no Java.
    """
    from pyflink import pyflink_gateway_server as gateway

    env = dict(os.environ)
    gateway.prepare_environment_variables(env)
    jars = [bridge_jar(), reader_jar()]
    class_path = [
        *map(str, jars),
        gateway.construct_flink_classpath(env),
        gateway.construct_hadoop_classpath(env),
    ]
    command = [
        gateway.find_java_executable(),
        f"-Xmx{memory}",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",  # it runs for seconds
        "-XX:+IgnoreUnrecognizedVMOptions",
        *gateway.get_jvm_opts(env),
        *env.get("JVM_ARGS", "").split(),
        _LOGGING,
        "-cp",
        os.pathsep.join(filter(None, class_path)),
        _MAIN,
        *arguments,
    ]
    return subprocess.Popen(
        list(filter(None, command)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=env,
    )
