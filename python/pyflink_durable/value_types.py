"""Types of inputs, keys and outputs: what cannot work is refused when the graph is built."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pyflink_durable.errors import ConfigurationError

if TYPE_CHECKING:
    from pyflink.common import TypeInformation


_PARTS = ("elem_type", "_key_type_info", "_value_type_info")
"""Where PyFlink's types keep what they are made of; rows and tuples have ``_field_types``."""


def check_key_type(key_type: TypeInformation) -> None:
    """Refuses keys whose type says that they cannot tell elements apart; Flink refuses arrays.

    Raises:
        ConfigurationError: The type is, or has a part that is, a float, a map, a list, or a tuple
            with a pickle.
    """
    from pyflink.common.typeinfo import (
        BasicType,
        BasicTypeInfo,
        ListTypeInfo,
        MapTypeInfo,
        PickledBytesTypeInfo,
        TupleTypeInfo,
    )

    for part in _parts(key_type):
        if isinstance(part, BasicTypeInfo) and part._basic_type in (
            BasicType.FLOAT,
            BasicType.DOUBLE,
        ):
            raise _refused(
                part, "a float is seldom exactly another one, and NaN is not even itself"
            )
        if isinstance(part, (ListTypeInfo, MapTypeInfo)):
            raise _refused(part, "it can be changed")
        if isinstance(part, TupleTypeInfo) and PickledBytesTypeInfo() in part.get_field_types():
            raise _refused(part, "Flink takes equal pickles in tuples for different keys")


def _refused(part: TypeInformation, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"the key of the stream is, or has, a {part}: {reason}. Key by what names one thing, such "
        'as an id: stream.key_by(lambda value: value["id"], key_type=Types.STRING())'
    )


def _parts(type_info: Any) -> Iterator[TypeInformation]:
    """A type and all that it is made of."""
    yield type_info
    inner = [getattr(type_info, name, None) for name in _PARTS]
    for each in (*inner, *getattr(type_info, "_field_types", ())):
        if each is not None:
            yield from _parts(each)
