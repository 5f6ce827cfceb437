"""Adds a durable operator to a PyFlink job; one of the two modules that know py4j."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pyflink_durable.call_log import CallLog
from pyflink_durable.client.checkpoints import can_gate, checkpoint_interval, prepare_checkpoints
from pyflink_durable.client.jars import add_jars, load_bridge_class
from pyflink_durable.client.payload_settings import check_payload_settings
from pyflink_durable.client.python_setup import check_python, local_python
from pyflink_durable.client.signal_input import check_signals, transform, types_of
from pyflink_durable.client.unpicklable import refuse_unpicklable
from pyflink_durable.client.value_types import check_key_type, check_supported, check_thread_mode
from pyflink_durable.errors import ConfigurationError
from pyflink_durable.handler import Handler, HandlerVersions, check_versions
from pyflink_durable.options import DurableOptions
from pyflink_durable.tool_options import ToolCallOptions

if TYPE_CHECKING:
    from pyflink.common import TypeInformation
    from pyflink.datastream import DataStream, KeyedStream

logger = logging.getLogger("pyflink_durable")

_OPERATOR_CLASS = "pyflink.durable.operator.DurableKeyedProcessOperator"
_OPERATOR_WITH_SIGNALS = "pyflink.durable.operator.DurableKeyedCoProcessOperator"


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
        _name_sources_without_uid(signals)
    key_type, value_type = types_of(stream)
    check_key_type(key_type)
    check_supported(stream._j_data_stream.getTransformation().getOutputType(), "the input")
    check_supported(output_type.get_java_type_info(), "output_type")
    env = stream.get_execution_environment()
    options = _with_tool_calls_of(env, _check_options(options))
    _check_runtime_mode(env)
    _check_names(name, uid)
    _check_uid(env, uid, options)
    _check_idempotency_keys(env, uid or name)
    _name_sources_without_uid(stream)
    _prepare_python(env)
    if _settings_of(env).get("python.execution-mode") == "thread" and not _is_behind_durable(
        stream
    ):
        check_thread_mode(value_type)
    check_payload_settings(options, uid, key_type, value_type)
    prepare_checkpoints(env, options, name)
    add_jars(env, options.call_log)

    results = _transform(stream, signals, handlers, output_type, options, name, uid or name)
    results.name(name)
    if uid is not None:
        results.uid(uid)
    return results


def _transform(
    stream: KeyedStream,
    signals: KeyedStream | None,
    handlers: HandlerVersions,
    output_type: TypeInformation,
    options: DurableOptions,
    name: str,
    uid: str,
) -> DataStream:
    from pyflink.datastream import DataStream
    from pyflink.datastream.data_stream import _create_j_data_stream_python_function_info
    from pyflink.fn_execution.flink_fn_execution_pb2 import UserDefinedDataStreamFunction
    from pyflink.java_gateway import get_gateway
    from pyflink.util.java_utils import get_j_env_configuration

    from pyflink_durable.runtime.operator.function import DurableFunction

    gateway = get_gateway()
    env = stream.get_execution_environment()
    host = DurableFunction(
        handlers.handler,
        options,
        name,
        uid,
        can_gate(env),
        signals is not None,
        handlers.previous,
    )
    try:
        function = _create_j_data_stream_python_function_info(
            host, UserDefinedDataStreamFunction.KEYED_PROCESS
        )
    except Exception as error:
        refuse_unpicklable(host, _pickled(handlers, options), error)
        raise
    long = gateway.jvm.Long.valueOf  # py4j would make an Integer of a small number
    arguments = [
        # its own: when the graph is built, PyFlink writes into it
        get_j_env_configuration(stream._j_data_stream.getExecutionEnvironment()).clone(),
        function,
        stream._j_data_stream.getTransformation().getOutputType(),
        output_type.get_java_type_info(),
        name,
        uid,
        options.max_in_flight,
        options.max_pending,
        long(checkpoint_interval(env)),
        long(round(options.drain_timeout * 1000)),
        options.invocation_id is None,
        long(_milliseconds(options.key_ttl)),
        long(_milliseconds(options.state_ttl)),
        _j_settings(options.call_log),
        long(-1 if options.park_after is None else round(options.park_after * 1000)),
        handlers.version,
        _j_list(handlers.previous),
    ]
    if signals is not None:
        arguments.append(long(_milliseconds(options.signal_ttl)))
    j_arguments = gateway.new_array(gateway.jvm.Object, len(arguments))
    for position, argument in enumerate(arguments):
        j_arguments[position] = argument
    # by reflection, since py4j's own view of classes does not include jars added later
    operator_class = load_bridge_class(
        _OPERATOR_CLASS if signals is None else _OPERATOR_WITH_SIGNALS
    )
    operator = operator_class.getConstructors()[0].newInstance(j_arguments)
    j_stream = transform(stream, signals, name, output_type.get_java_type_info(), operator)
    results = DataStream(j_stream)
    # chained to its upstream, a checkpoint could run in the middle of that operator's element;
    # behind two inputs PyFlink chains nothing that it takes for an operator with one
    return results.start_new_chain() if signals is None else results.disable_chaining()


def _milliseconds(time_to_live: float | None) -> int:
    """At least one; 0 for ever."""
    return 0 if time_to_live is None else max(1, round(time_to_live * 1000))


def _pickled(handlers: HandlerVersions, options: DurableOptions) -> dict[str, Any]:
    """What the user has a part in of that which is pickled, each with a phrase that names it."""
    given = {
        f"handler {getattr(one, '__qualname__', type(one).__qualname__)}": one
        for one in (*handlers.previous.values(), handlers.handler)
    }
    for option in options.model_fields_set:
        given[f"option {option}"] = getattr(options, option)
    return given


def _j_list(values: Iterable[str | None]) -> Any:
    """A Java list of these."""
    from pyflink.java_gateway import get_gateway

    made = get_gateway().jvm.java.util.ArrayList()
    for value in values:
        made.add(value)
    return made


def _j_settings(call_log: CallLog | None) -> Any:
    """The settings of the log as a Java map; None if there is no log."""
    from pyflink.java_gateway import get_gateway

    if call_log is None:
        return None
    settings = get_gateway().jvm.java.util.HashMap()
    for name, value in call_log.settings().items():
        settings.put(name, value)
    return settings


def _check_stream(stream: Any) -> None:
    from pyflink.datastream import KeyedStream

    if not isinstance(stream, KeyedStream):
        raise ConfigurationError(
            "durable_process needs a keyed stream, since journals are kept per key: "
            f"stream.key_by(lambda value: ...), not {type(stream).__name__}"
        )


def _is_behind_durable(stream: Any) -> bool:
    """Whether only Python functions that run in one operator with a handler come before."""
    settings = _settings_of(stream.get_execution_environment())
    if settings.get("python.operator-chaining.enabled") == "false":
        return False
    (before,) = stream._j_data_stream.getTransformation().getInputs()
    parallelism = before.getParallelism()
    while (
        before.getClass().getSimpleName() == "OneInputTransformation"
        and before.getOperatorFactory().getClass().getSimpleName().endswith("SimpleOperatorFactory")
        and before.getParallelism() == parallelism
    ):
        factory = before.getOperatorFactory()
        operator = factory.getOperator().getClass().getName()
        if operator == _OPERATOR_CLASS:
            return True
        is_python = operator.startswith("org.apache.flink.streaming.api.operators.python.")
        if not is_python or factory.getChainingStrategy().name() != "ALWAYS":
            return False
        (before,) = before.getInputs()
    return False


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
    tool_calls = ToolCallOptions.from_configuration(_settings_of(env), options.tool_calls)
    return options.model_copy(update={"tool_calls": tool_calls})


def _settings_of(env: Any) -> dict[str, str]:
    from pyflink.util.java_utils import get_j_env_configuration

    return dict(get_j_env_configuration(env._j_stream_execution_environment).toMap())


def _prepare_python(env: Any) -> None:
    settings = _settings_of(env)
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


_named_sources: set[int] = set()
"""Flink's ids of those that a warning has named, each once however many operators it feeds."""


def _name_sources_without_uid(stream: Any) -> None:
    """Sinks come later, when nobody asks us; the warning speaks of them, too."""
    before = stream._j_data_stream.getTransformation().getTransitivePredecessors()
    sources = [one for one in before if one.getInputs().isEmpty() and one.getUid() is None]
    new = {one.getId(): one.getName() for one in sources if one.getId() not in _named_sources}
    if new:
        _named_sources.update(new)
        logger.warning(
            "sources=%s have no uid: a changed job cannot find where they were in a savepoint, and "
            "reads everything again. Call .uid(...) on what env.from_source gives, and on what "
            "sink_to gives",
            list(new.values()),
        )


def _check_names(name: Any, uid: Any) -> None:
    """They are in log lines, names of threads and paths."""
    for argument, given in (("name", name), ("uid", "uid" if uid is None else uid)):
        if not isinstance(given, str) or not given or not given.isprintable():
            raise ConfigurationError(
                f"{argument} must be a str of printable characters, without line breaks, not "
                f"{given!r}"
            )


def _check_uid(env: Any, uid: str | None, options: DurableOptions) -> None:
    if uid is None:
        if options.call_log is not None:
            raise ConfigurationError(
                "a call log needs uid=... on durable_process: the log is found again by it"
            )
        return
    taken = (t.getUid() for t in env._j_stream_execution_environment.getTransformations())
    if uid in taken:
        raise ConfigurationError(
            f"uid {uid!r} is already the uid of another operator of this job; each needs its own, "
            "or a savepoint could not tell their journals apart"
        )


def _check_idempotency_keys(env: Any, uid: str) -> None:
    """They are made from the operator's uid, or name, so two operators must not share it."""
    for other in env._j_stream_execution_environment.getTransformations():
        if (other.getUid() or other.getName()) == uid and _is_durable(other):
            raise ConfigurationError(
                f"another durable operator of this job goes by {uid!r}, too: calls of both for one "
                "key would have the same idempotency keys, and the outside would take one for a "
                "repetition of the other. Give each durable_process a uid=... of its own"
            )


def _is_durable(transformation: Any) -> bool:
    kinds = ("OneInputTransformation", "TwoInputTransformation")
    if transformation.getClass().getSimpleName() not in kinds:
        return False
    factory = transformation.getOperatorFactory()
    if factory.getClass().getSimpleName() != "SimpleOperatorFactory":  # others may make code first
        return False
    operator = factory.getOperator().getClass().getName()
    return operator in (_OPERATOR_CLASS, _OPERATOR_WITH_SIGNALS)
