"""Adds a durable operator to a PyFlink job; one of the two modules that know py4j."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pyflink_durable.errors import ConfigurationError
from pyflink_durable.handler import Handler, check_handler
from pyflink_durable.jar import add_bridge_jar
from pyflink_durable.options import DurableOptions

if TYPE_CHECKING:
    from pyflink.common import TypeInformation
    from pyflink.datastream import DataStream, KeyedStream

logger = logging.getLogger("pyflink_durable")

_OPERATOR_CLASS = "pyflink.durable.operator.DurableKeyedProcessOperator"


def durable_process(
    stream: KeyedStream,
    handler: Handler,
    *,
    output_type: TypeInformation,
    options: DurableOptions | None = None,
    name: str = "durable",
    uid: str | None = None,
) -> DataStream:
    """Runs a handler for each element of a keyed stream and journals the calls it makes.

    Args:
        stream: The input; elements of one key are handled one after another, in order.
        handler: ``async def`` or ``def`` ``(value, ctx)``, or a `DurableProcessFunction`.
        output_type: Type of what the handler returns or collects.
        options: Settings of the operator.
        name: The operator's name in Flink's UI, metrics and logs.
        uid: The operator's id in savepoints; set it, or a changed job cannot find its state.

    Returns:
        The handler's outputs.

    Raises:
        ConfigurationError: Something is used in a way that cannot work; the message says what to
            do instead.
    """
    _check_stream(stream)
    check_handler(handler)
    _check_output_type(output_type)
    options = _check_options(options)
    env = stream.get_execution_environment()
    _check_environment(env, name)
    _check_uid(env, uid)
    add_bridge_jar(env)

    results = _transform(stream, handler, output_type, options, name)
    results.name(name)
    if uid is not None:
        results.uid(uid)
    return results


def _transform(
    stream: KeyedStream,
    handler: Handler,
    output_type: TypeInformation,
    options: DurableOptions,
    name: str,
) -> DataStream:
    from pyflink.datastream import DataStream
    from pyflink.datastream.data_stream import _create_j_data_stream_python_function_info
    from pyflink.fn_execution.flink_fn_execution_pb2 import UserDefinedDataStreamFunction
    from pyflink.java_gateway import get_gateway
    from pyflink.util.java_utils import get_j_env_configuration

    from pyflink_durable.runtime.host import DurableHost

    gateway = get_gateway()
    function = _create_j_data_stream_python_function_info(
        DurableHost(handler, options, name), UserDefinedDataStreamFunction.KEYED_PROCESS
    )
    arguments = [
        _thread_mode(get_j_env_configuration(stream._j_data_stream.getExecutionEnvironment())),
        function,
        stream._j_data_stream.getTransformation().getOutputType(),
        output_type.get_java_type_info(),
        name,
        options.max_in_flight,
        options.max_pending,
    ]
    j_arguments = gateway.new_array(gateway.jvm.Object, len(arguments))
    for position, argument in enumerate(arguments):
        j_arguments[position] = argument
    # by reflection, since py4j's own view of classes does not include jars added later
    loader = gateway.jvm.Thread.currentThread().getContextClassLoader()
    operator = loader.loadClass(_OPERATOR_CLASS).getConstructors()[0].newInstance(j_arguments)
    j_stream = stream._j_data_stream.transform(name, output_type.get_java_type_info(), operator)
    # chained to its upstream, a checkpoint could run in the middle of that operator's element
    return DataStream(j_stream).start_new_chain()


def _thread_mode(j_configuration: Any) -> Any:
    """The operator lives in the TaskManager's own interpreter, wherever other Python runs."""
    own = j_configuration.clone()
    own.setString("python.execution-mode", "thread")
    return own


def _check_stream(stream: Any) -> None:
    from pyflink.datastream import KeyedStream

    if not isinstance(stream, KeyedStream):
        raise ConfigurationError(
            "durable_process needs a keyed stream, since journals are kept per key: "
            f"stream.key_by(lambda value: ...), not {type(stream).__name__}"
        )


def _check_output_type(output_type: Any) -> None:
    from pyflink.common import TypeInformation

    if not isinstance(output_type, TypeInformation):
        raise ConfigurationError(
            "output_type must be a TypeInformation, such as Types.STRING() or "
            f"Types.PICKLED_BYTE_ARRAY(), not {output_type!r}"
        )


def _check_options(options: Any) -> DurableOptions:
    if options is None:
        return DurableOptions()
    if not isinstance(options, DurableOptions):
        raise ConfigurationError(
            f"options must be a DurableOptions(...), not {type(options).__name__}"
        )
    return options


def _check_environment(env: Any, name: str) -> None:
    from pyflink.java_gateway import get_gateway
    from pyflink.util.java_utils import get_j_env_configuration

    options = get_gateway().jvm.org.apache.flink.configuration.ExecutionOptions
    mode = get_j_env_configuration(env._j_stream_execution_environment).get(options.RUNTIME_MODE)
    if mode.name() != "STREAMING":
        raise ConfigurationError(
            f"execution.runtime-mode is {mode.name()}: its state backend keeps one key at a time "
            "and no checkpoints. Use env.set_runtime_mode(RuntimeExecutionMode.STREAMING), which "
            "also runs bounded input to its end"
        )
    if not env.get_checkpoint_config().is_checkpointing_enabled():
        logger.warning(
            "operator=%s checkpointing is off: after a failure the job starts over and every call "
            "is made again. Turn it on with env.enable_checkpointing(milliseconds)",
            name,
        )


def _check_uid(env: Any, uid: str | None) -> None:
    if uid is None:
        return
    taken = (t.getUid() for t in env._j_stream_execution_environment.getTransformations())
    if uid in taken:
        raise ConfigurationError(
            f"uid {uid!r} is already the uid of another operator of this job; each needs its own, "
            "or a savepoint could not tell their journals apart"
        )
