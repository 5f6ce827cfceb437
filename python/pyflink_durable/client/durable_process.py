"""Checks what a job asks of a durable operator, and has it added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pyflink_durable.client.checkpoints import prepare_checkpoints
from pyflink_durable.client.graph import add_operator
from pyflink_durable.client.jars import add_jars
from pyflink_durable.client.names import (
    check_idempotency_keys,
    check_names,
    check_uid,
    name_sources_without_uid,
)
from pyflink_durable.client.payload_settings import check_payload_settings
from pyflink_durable.client.python_setup import check_python, local_python
from pyflink_durable.client.signal_input import check_signals, types_of
from pyflink_durable.client.transformations import is_behind_durable, settings_of
from pyflink_durable.client.value_types import check_key_type, check_supported, check_thread_mode
from pyflink_durable.errors import ConfigurationError
from pyflink_durable.handler import Handler, check_versions
from pyflink_durable.options import DurableOptions
from pyflink_durable.tool_options import ToolCallOptions

if TYPE_CHECKING:
    from pyflink.common import TypeInformation
    from pyflink.datastream import DataStream, KeyedStream


def durable_process(
    stream: KeyedStream,
    handler: Handler,
    *,
    output_type: TypeInformation,
    options: DurableOptions | None = None,
    name: str = "durable",
    uid: str | None = None,
    signals: KeyedStream | None = None,
    version: str | None = None,
    previous: Mapping[str | None, Handler] | None = None,
) -> DataStream:
    """Runs a handler for each element of a keyed stream and journals the calls it makes.

    Args:
        stream: The input; elements of one key are handled one after another, in order.
        handler: ``async def`` or ``def`` ``(value, ctx)``, or a `DurableProcessFunction`.
        output_type: Type of what the handler returns or collects.
        options: Settings of the operator.
        name: The operator's name in Flink's UI, metrics and logs.
        uid: The operator's id in savepoints, and part of idempotency keys (without it the name is);
            set it, or a changed job cannot find its state.
        signals: A stream of `Signal`, keyed as the input is, for `RunnerContext.wait_for_signal`.
        version: That of the handler. It stays with each input from its acceptance to its end, also
            over a restore by a job of a later version.
        previous: Handlers of earlier versions, which handle what these have accepted; None stands
            for a job that named no version. A restore that finds an input in flight of a version
            which is named nowhere fails before a handler runs.

    Returns:
        The handler's outputs.

    Raises:
        ConfigurationError: Something is used in a way that cannot work; the message says what to
            do instead.
    """
    _check_stream(stream)
    handlers = check_versions(handler, version, previous)
    _check_output_type(output_type)
    if signals is not None:
        check_signals(signals, stream)
        name_sources_without_uid(signals)
    key_type, value_type = types_of(stream)
    check_key_type(key_type)
    check_supported(stream._j_data_stream.getTransformation().getOutputType(), "the input")
    check_supported(output_type.get_java_type_info(), "output_type")
    env = stream.get_execution_environment()
    options = _with_tool_calls_of(env, _check_options(options))
    _check_runtime_mode(env)
    check_names(name, uid)
    check_uid(env, uid, options)
    check_idempotency_keys(env, uid or name)
    name_sources_without_uid(stream)
    _prepare_python(env)
    mode = settings_of(env).get("python.execution-mode")
    if mode == "thread" and not is_behind_durable(stream):
        check_thread_mode(value_type)
    check_payload_settings(options, uid, key_type, value_type, signals is not None)
    prepare_checkpoints(env, options, name)
    add_jars(env, options.call_log)

    results = add_operator(stream, signals, handlers, output_type, options, name, uid or name)
    results.name(name)
    if uid is not None:
        results.uid(uid)
    return results


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


def _with_tool_calls_of(env: Any, options: DurableOptions) -> DurableOptions:
    """Adds the ``tool-call.*`` options of the job's configuration; what is in the options wins."""
    tool_calls = ToolCallOptions.from_configuration(settings_of(env), options.tool_calls)
    return options.model_copy(update={"tool_calls": tool_calls})


def _prepare_python(env: Any) -> None:
    settings = settings_of(env)
    check_python(settings)
    if (executable := local_python(settings)) is not None:
        env.set_python_executable(executable)


def _check_runtime_mode(env: Any) -> None:
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
