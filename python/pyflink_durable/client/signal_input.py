"""The input of signals: what is checked of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyflink_durable.errors import ConfigurationError

if TYPE_CHECKING:
    from pyflink.datastream import KeyedStream


def check_signals(signals: Any, stream: KeyedStream) -> None:
    """Checks a stream of signals before the operator is built.

    Args:
        signals: What was given as ``signals=``.
        stream: The operator's input.

    Raises:
        ConfigurationError: It cannot be the second input of the operator.
    """
    from pyflink.common.typeinfo import PickledBytesTypeInfo
    from pyflink.datastream import KeyedStream

    if not isinstance(signals, KeyedStream):
        raise ConfigurationError(
            "signals must be a keyed stream, since a signal is for the handler of a key: "
            f"signals.key_by(lambda signal: ...), not {type(signals).__name__}"
        )
    key, value = types_of(signals)
    if not isinstance(value, PickledBytesTypeInfo):
        raise ConfigurationError(
            f"signals must be a stream of pickled Signal objects, and its type is {value}: make "
            "them with .map(lambda value: Signal(...)) and no output_type, in front of key_by"
        )
    expected = types_of(stream)[0]
    if key != expected:
        raise ConfigurationError(
            f"the key of the signals is a {key}, that of the input a {expected}: one would never "
            "equal the other. Give both key_by the same key_type="
        )


def types_of(stream: Any) -> list[Any]:
    """Those of the key and of the value, in which PyFlink's `key_by` wraps them for Java."""
    from pyflink.common.typeinfo import _from_java_type

    pair: Any = _from_java_type(stream._j_data_stream.getTransformation().getOutputType())
    return list(pair.get_field_types())
