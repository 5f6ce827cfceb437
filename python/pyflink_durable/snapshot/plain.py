"""Values of pickles, without the code that wrote them.

Unpickling runs whatever the pickle names. A snapshot is looked at on machines that do not have the
job's code, by people who need not trust it: so nothing is imported here but what is plain.
"""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable
from typing import Any

from pyflink_durable.payload.frame import Frame, is_pickle, peek
from pyflink_durable.payload.known_values import known_codec
from pyflink_durable.payload.offload import NAME as OFFLOAD
from pyflink_durable.payload.offload import Address

_PLAIN = {
    ("_codecs", "encode"),
    ("builtins", "set"),
    ("builtins", "frozenset"),
    ("builtins", "bytearray"),
    ("builtins", "complex"),
    ("builtins", "range"),
    ("builtins", "slice"),
    ("collections", "OrderedDict"),
    ("collections", "deque"),
    ("datetime", "date"),
    ("datetime", "datetime"),
    ("datetime", "time"),
    ("datetime", "timedelta"),
    ("datetime", "timezone"),
    ("decimal", "Decimal"),
    ("fractions", "Fraction"),
    ("uuid", "UUID"),
    ("pyflink.common", "Row"),
    ("pyflink.common.types", "Row"),
    ("pyflink.common.types", "_create_row"),
    ("pyflink.common.types", "RowKind"),
    ("pyflink_durable.runtime.values.incoming", "row_type"),
}


class Opaque:
    """An object of a class that was not imported; its name and what the pickle says of it.

    Attributes:
        type_name: The class, or the function that makes the object.
        parts: What it is made of.
    """

    def __init__(self, type_name: str, parts: tuple[Any, ...] = ()) -> None:
        self.type_name = type_name
        self.parts = parts

    def __repr__(self) -> str:
        return f"{self.type_name}({', '.join(map(repr, self.parts))})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opaque) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(self.type_name)


def plain_value(data: bytes | None) -> Any:
    """Reads a pickle, JSON or MessagePack; nothing in it is imported or called that is not plain.

    Args:
        data: What is in the journal; None gives an `Opaque`.

    Returns:
        The value, in which `Opaque` stands for objects of other classes, for what was encrypted,
        and for what is in a store.
    """
    if data is None:
        return Opaque("unknown")
    try:
        return _unpickled(data) if is_pickle(data) else _of_frame(peek(data))
    except Exception as error:  # anything at all may be in it
        return Opaque("unreadable", (f"{type(error).__name__}: {error}", len(data)))


def _unpickled(data: bytes) -> Any:
    return _Unpickler(io.BytesIO(data)).load()


def _of_frame(frame: Frame) -> Any:
    (serializer, *codecs), data = frame
    if codecs[-1:] == [OFFLOAD]:
        address = Address.read(data)
        return Opaque("offloaded", (address.digest.hex(), address.size))
    for name in reversed(codecs):
        codec = known_codec(name)
        if codec is None:
            return Opaque("encoded", ("|".join(frame.names), len(frame.body)))
        data = codec.decode(data, b"")
    read = _READERS.get(serializer)
    return Opaque("encoded", ("|".join(frame.names), len(data))) if read is None else read(data)


def _from_msgpack(data: bytes) -> Any:
    try:
        import msgspec
    except ImportError:
        return Opaque("encoded", ("msgspec, which is not installed here", len(data)))
    return msgspec.msgpack.decode(data)


_READERS: dict[str, Callable[[bytes], Any]] = {
    "json": json.loads,
    "msgspec": _from_msgpack,
    "pickle": _unpickled,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        module = "builtins" if module == "__builtin__" else module  # of old protocols
        if (module, name) == ("pickle", "loads"):
            return plain_value
        if (module, name) in _PLAIN:
            return super().find_class(module, name)
        return _maker(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        return Opaque("reference", (pid,))


def _maker(type_name: str) -> Callable[..., Any]:
    """A class of its own for each name: pickle makes objects with ``__new__`` and sets state."""

    class Made(Opaque):
        def __new__(cls, *parts: Any, **fields: Any) -> Made:
            made = super().__new__(cls)
            Opaque.__init__(made, type_name, (*parts, *fields.items()))
            return made

        def __init__(self, *parts: Any, **fields: Any) -> None:
            """All is said in `__new__`, which pickle may call alone."""

        def __setstate__(self, state: Any) -> None:
            self.parts = (*self.parts, state)

        def append(self, item: Any) -> None:
            self.parts = (*self.parts, item)

        def __setitem__(self, name: Any, value: Any) -> None:
            self.parts = (*self.parts, (name, value))

    return Made
