"""Finds the jars with the Java half of the package, and their classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyflink_durable.call_log import CallLog, KafkaCallLog
from pyflink_durable.errors import ConfigurationError


def bridge_jar() -> Path:
    """The jar inside the installed package.

    Raises:
        ConfigurationError: The package was installed without it.
    """
    return _packaged("pyflink-durable")


def kafka_jar() -> Path:
    """The jar with the call log in Kafka; only jobs that use it ship it.

    Raises:
        ConfigurationError: The package was installed without it.
    """
    return _packaged("pyflink-durable-kafka")


def reader_jar() -> Path:
    """The jar that reads checkpoints and savepoints, in a JVM of its own.

    Raises:
        ConfigurationError: The package was installed without it.
    """
    return _packaged("pyflink-durable-reader")


def _packaged(name: str) -> Path:
    folder = Path(__file__).parent.parent / "lib"
    jars = sorted(folder.glob(f"{name}-[0-9]*.jar"))
    if not jars:
        raise ConfigurationError(
            f"the package has no jar in {folder} of the name {name}-VERSION.jar: it was installed "
            "from sources without Maven. Install a wheel (pip install pyflink-durable), or run "
            "`make jar` in a checkout"
        )
    return jars[-1]


def add_jars(env: Any, call_log: CallLog | None) -> None:
    """Ships what the operator needs with the job, once however many durable operators it has."""
    from pyflink.java_gateway import get_gateway
    from pyflink.util.java_utils import get_j_env_configuration

    jars = [bridge_jar()]
    if isinstance(call_log, KafkaCallLog):
        jars.append(kafka_jar())
    # by the option, since Flink's versions write the list in different ways
    option = get_gateway().jvm.org.apache.flink.configuration.PipelineOptions.JARS
    configuration = get_j_env_configuration(env._j_stream_execution_environment)
    present = configuration.get(option) or ()
    for url in (jar.as_uri() for jar in jars):
        if url not in present:
            env.add_jars(url)


def bridge_classes() -> Any:
    """A class loader with the classes of the jar, in the JVM of this client.

    What is to fit together has to come from one: each has classes of its own.
    """
    from pyflink.java_gateway import get_gateway
    from pyflink.util.java_utils import create_url_class_loader

    jvm = get_gateway().jvm
    # A loader of its own, behind that of the thread: Flink gives the jar to the loader of the one
    # thread of the gateway that adds it, and the next call may be answered by another.
    parent = jvm.Thread.currentThread().getContextClassLoader()
    url = jvm.java.net.URL(bridge_jar().as_uri())
    return create_url_class_loader([url], parent)
