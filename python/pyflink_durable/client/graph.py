"""Makes the Java operator and adds it to the job graph."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pyflink_durable.client.checkpoints import can_gate, checkpoint_interval
from pyflink_durable.client.jars import bridge_classes
from pyflink_durable.client.transformations import OPERATOR, OPERATOR_WITH_SIGNALS
from pyflink_durable.client.unpicklable import refuse_unpicklable
from pyflink_durable.handler import HandlerVersions
from pyflink_durable.options import DurableOptions

if TYPE_CHECKING:
    from pyflink.common import TypeInformation
    from pyflink.datastream import DataStream, KeyedStream

    from pyflink_durable.runtime.operator.function import DurableFunction

_SETTINGS = "pyflink.durable.operator.OperatorSettings$Builder"


def add_operator(
    stream: KeyedStream,
    signals: KeyedStream | None,
    handlers: HandlerVersions,
    output_type: TypeInformation,
    options: DurableOptions,
    name: str,
    uid: str,
) -> DataStream:
    """Adds the operator behind its inputs.

    Args:
        stream: The input.
        signals: The stream of signals, None for an operator without.
        handlers: The user's handler, and those of earlier versions.
        output_type: The type of its outputs.
        options: Settings of the operator.
        name: The operator's name.
        uid: Its uid, or what stands for it.

    Returns:
        The operator's outputs.
    """
    from pyflink.datastream import DataStream
    from pyflink.util.java_utils import get_j_env_configuration

    from pyflink_durable.runtime.operator.function import DurableFunction

    env = stream.get_execution_environment()
    function = DurableFunction(
        handlers.handler,
        options,
        name,
        uid,
        can_gate(env),
        signals is not None,
        handlers.previous,
    )
    j_input, j_output_type = stream._j_data_stream, output_type.get_java_type_info()
    classes = bridge_classes()
    settings = _new(classes, _SETTINGS, name, uid)
    settings.checkpointInterval(checkpoint_interval(env))
    settings.versions(handlers.version, _j_list(handlers.previous))
    _take_options(settings, options, signals is not None)
    operator = _new(
        classes,
        OPERATOR if signals is None else OPERATOR_WITH_SIGNALS,
        # its own: when the graph is built, PyFlink writes into it
        get_j_env_configuration(j_input.getExecutionEnvironment()).clone(),
        _j_function(function, handlers, options),
        j_input.getTransformation().getOutputType(),
        j_output_type,
        settings.build(),
    )
    # chained to its upstream, a checkpoint could run in the middle of that operator's element;
    # behind two inputs PyFlink chains nothing that it takes for an operator with one
    if signals is None:
        return DataStream(j_input.transform(name, j_output_type, operator)).start_new_chain()
    j_inputs = j_input.connect(signals._j_data_stream)
    return DataStream(j_inputs.transform(name, j_output_type, operator)).disable_chaining()


def _j_function(
    function: DurableFunction, handlers: HandlerVersions, options: DurableOptions
) -> Any:
    from pyflink.datastream.data_stream import _create_j_data_stream_python_function_info
    from pyflink.fn_execution.flink_fn_execution_pb2 import UserDefinedDataStreamFunction

    try:
        return _create_j_data_stream_python_function_info(
            function, UserDefinedDataStreamFunction.KEYED_PROCESS
        )
    except Exception as error:
        refuse_unpicklable(function, _pickled(handlers, options), error)
        raise


def _pickled(handlers: HandlerVersions, options: DurableOptions) -> dict[str, Any]:
    """What the user has a part in of that which is pickled, each with a phrase that names it."""
    given = {
        f"handler {getattr(one, '__qualname__', type(one).__qualname__)}": one
        for one in (*handlers.previous.values(), handlers.handler)
    }
    for option in options.model_fields_set:
        given[f"option {option}"] = getattr(options, option)
    return given


def _take_options(settings: Any, options: DurableOptions, has_signals: bool) -> None:
    """Gives Java's settings the operator's options, each by its name."""
    settings.maxInFlight(options.max_in_flight)
    settings.maxPending(options.max_pending)
    settings.drainTimeout(_milliseconds(options.drain_timeout))
    settings.numbersInputs(options.invocation_id is None)
    settings.keyTtl(_time_to_live(options.key_ttl))
    settings.stateTtl(_time_to_live(options.state_ttl))
    if has_signals:
        settings.signalTtl(_time_to_live(options.signal_ttl))
    if options.park_after is not None:
        settings.parkAfter(_milliseconds(options.park_after))
    settings.parkedHoldWatermarks(options.watermarks == "hold")
    settings.maxWaitingPerKey(options.max_waiting_per_key or 0)
    if options.call_log is not None:
        settings.callLog(_j_map(options.call_log.settings()))


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _time_to_live(seconds: float | None) -> int:
    """In milliseconds, at least one; 0 for ever."""
    return 0 if seconds is None else max(1, _milliseconds(seconds))


def _j_list(values: Iterable[str | None]) -> Any:
    from pyflink.java_gateway import get_gateway

    j_list = get_gateway().jvm.java.util.ArrayList()
    for value in values:
        j_list.add(value)
    return j_list


def _j_map(entries: dict[str, str]) -> Any:
    from pyflink.java_gateway import get_gateway

    j_map = get_gateway().jvm.java.util.HashMap()
    for name, value in entries.items():
        j_map.put(name, value)
    return j_map


def _new(classes: Any, name: str, *arguments: Any) -> Any:
    """Makes an object of a class of the jar, by its one public constructor.

    By reflection, since py4j's own view of classes does not include jars that are added later.
    """
    from pyflink.java_gateway import get_gateway

    gateway = get_gateway()
    j_arguments = gateway.new_array(gateway.jvm.Object, len(arguments))
    for position, argument in enumerate(arguments):
        j_arguments[position] = argument
    return classes.loadClass(name).getConstructors()[0].newInstance(j_arguments)
