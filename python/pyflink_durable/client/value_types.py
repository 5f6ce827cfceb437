"""Types of inputs, keys and outputs: what cannot work is refused when the graph is built."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pyflink_durable.client.jars import bridge_classes
from pyflink_durable.errors import ConfigurationError

if TYPE_CHECKING:
    from pyflink.common import TypeInformation


_TYPE_INFORMATION = "org.apache.flink.api.common.typeinfo.TypeInformation"

_PARTS = ("_element_type", "elem_type", "_key_type_info", "_value_type_info", "_type_info")
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

    for part in parts_of(key_type):
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


def check_thread_mode(value_type: TypeInformation) -> None:
    """Refuses inputs that PyFlink's own operators change in thread mode, `key_by` among them.

    Raises:
        ConfigurationError: The type has rows or tuples in an array, a map or a list.
    """
    from pyflink.common.typeinfo import (
        ListTypeInfo,
        MapTypeInfo,
        ObjectArrayTypeInfo,
        RowTypeInfo,
        TupleTypeInfo,
    )

    for many in parts_of(value_type):
        if isinstance(many, (ListTypeInfo, MapTypeInfo, ObjectArrayTypeInfo)) and any(
            isinstance(part, (RowTypeInfo, TupleTypeInfo)) for part in parts_of(many)
        ):
            raise ConfigurationError(
                f"the input has a {many}, and python.execution-mode is thread: PyFlink's own "
                "operators, key_by among them, then make all rows and tuples in it the last one. "
                "Use python.execution-mode: process; the durable operator runs in the "
                "TaskManager's own Python in either mode"
            )


def check_supported(j_type: Any, what: str) -> None:
    """Refuses a type that has no counterpart in Python, before a task does.

    Args:
        j_type: The type of Java.
        what: Names it in the error.

    Raises:
        ConfigurationError: The type is, or has a part that is, one of Java's own.
    """
    from py4j.protocol import Py4JJavaError
    from pyflink.java_gateway import get_gateway

    gateway = get_gateway()
    value_type = bridge_classes().loadClass("pyflink.durable.value.ValueType")
    type_class = value_type.getClassLoader().loadClass(_TYPE_INFORMATION)
    classes = gateway.new_array(gateway.jvm.java.lang.Class, 1)
    classes[0] = type_class
    arguments = gateway.new_array(gateway.jvm.Object, 1)
    arguments[0] = j_type
    try:
        value_type.getMethod("of", classes).invoke(None, arguments)
    except Py4JJavaError as error:
        cause = error.java_exception.getCause()
        raise ConfigurationError(
            f"{what}: {cause.getMessage()}. Bring such values into a form of pyflink.common.Types, "
            "such as Types.ROW_NAMED(...), with a map before; any Python object is "
            "Types.PICKLED_BYTE_ARRAY()"
        ) from error


def _refused(part: TypeInformation, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"the key of the stream is, or has, a {part}: {reason}. Key by what names one thing, such "
        'as an id: stream.key_by(lambda value: value["id"], key_type=Types.STRING())'
    )


def parts_of(type_info: Any) -> Iterator[TypeInformation]:
    """A type and all that it is made of."""
    yield type_info
    inner = [getattr(type_info, name, None) for name in _PARTS]
    for each in (*inner, *getattr(type_info, "_field_types", ())):
        if each is not None:
            yield from parts_of(each)
