"""Job graphs with one `durable_process`."""

from __future__ import annotations

from typing import Any

from pyflink.common import Configuration, TypeInformation, Types
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway

from pyflink_durable import RunnerContext, durable_process


async def handler(value: Any, ctx: RunnerContext) -> None: ...


def environment(**settings: str) -> StreamExecutionEnvironment:
    configuration = Configuration()
    configuration.set_string("execution.checkpointing.interval", "1 s")
    for name, value in settings.items():
        configuration.set_string(name.replace("__", "-").replace("_", "."), value)
    return StreamExecutionEnvironment.get_execution_environment(configuration)


def numbers(env: StreamExecutionEnvironment) -> DataStream:
    return env.from_collection([1, 2], Types.INT())


def keyed(env: StreamExecutionEnvironment) -> Any:
    return numbers(env).uid("numbers").key_by(lambda value: value, Types.INT())


def process(env: StreamExecutionEnvironment, **changed: Any) -> DataStream:
    arguments = {"handler": handler, "output_type": Types.INT(), **changed}
    stream = arguments.pop("stream", None) or keyed(env)
    return durable_process(stream, arguments.pop("handler"), **arguments)


class OfJava(TypeInformation):  # type: ignore[misc]
    """What a connector of Java may declare, such as Avro's records."""

    def get_java_type_info(self) -> Any:
        jvm = get_gateway().jvm
        generic = jvm.org.apache.flink.api.java.typeutils.GenericTypeInfo
        return generic(jvm.java.lang.StringBuilder("").getClass())
