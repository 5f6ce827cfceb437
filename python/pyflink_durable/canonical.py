"""Canonical text of values: the same for equal values, different for different ones.

Every value delimits itself: plain values and lists and tuples of them read as Python literals
(which makes the usual arguments cheap: one call of ``ascii``), everything else as ``<tag ...>``,
which no literal starts with. ``ascii`` rather than ``repr``, because what ``repr`` escapes changes
with Python's version.
"""

from __future__ import annotations

import copyreg
import dataclasses
import types
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping
from enum import Enum, Flag
from functools import partial
from hashlib import blake2b
from itertools import zip_longest
from typing import Any
from zoneinfo import ZoneInfo

from pyflink_durable.canonical_leaves import LEAVES, literal
from pyflink_durable.errors import ArgumentNotEncodable

SKIPPED = "<any>"
"""What an encoder writes in place of a value it leaves out."""

_STRINGS = frozenset({str})
_MUTABLE = frozenset({list, dict, set, bytearray, OrderedDict, defaultdict, types.MappingProxyType})
_BUILTINS = (str, bytes, bytearray, int, float, complex, tuple, list, dict, set, frozenset)
_CALLABLES = (
    type,
    types.FunctionType,
    types.MethodType,
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.MethodWrapperType,
    types.ClassMethodDescriptorType,
)
_MISSING = object()


class Encoder:
    """Writes values as canonical text.

    Args:
        name_callable: Gives the id of a function or class, on the given path.
        fallback: Whether values of unknown types are taken apart or pickled, rather than skipped.
        mutable: Whether mutable containers are written rather than skipped.
        path: Depth of each value that is being written, by its id.
    """

    __slots__ = ("_mutable", "fallback", "name_callable", "path")

    def __init__(
        self,
        name_callable: Callable[[Any, dict[int, int]], str],
        *,
        fallback: bool,
        mutable: bool,
        path: dict[int, int] | None = None,
    ) -> None:
        self.name_callable = name_callable
        self.fallback = fallback
        self.path = {} if path is None else path
        self._mutable = mutable

    def call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """Writes the arguments of a call."""
        return _tuple(self, args) + (_mapping(self, kwargs) if kwargs else "")

    def encode(self, value: Any) -> str:
        """Writes one value.

        Raises:
            ArgumentNotEncodable: It cannot be pickled, or contains itself; not without `fallback`.
        """
        kind = type(value)
        if not self._mutable and kind in _MUTABLE:
            return SKIPPED
        leaf = LEAVES.get(kind)
        if leaf is not None:
            return leaf(value)
        handler = _CONTAINERS.get(kind) or _handler(kind)
        path, place = self.path, id(value)
        if place in path:
            return self._again(value, handler)
        path[place] = len(path)
        try:
            return handler(self, value)
        finally:
            del path[place]

    def join(self, values: Iterable[Any]) -> str:
        """Writes values one after the other."""
        return ", ".join([self.encode(value) for value in values])

    def _again(self, value: object, handler: _Handler) -> str:
        if not self.fallback:
            return SKIPPED
        if handler is _unknown:  # Objects often know their parent; how far up it is says it all.
            return f"<up {len(self.path) - self.path[id(value)]}>"
        raise ArgumentNotEncodable(
            f"an argument of a durable call holds a {class_name(type(value))} that contains "
            "itself; pass data without cycles, such as an id to look the object up by"
        )


_Handler = Callable[[Encoder, Any], str]


def class_name(kind: Any) -> str:
    """Returns ``module.qualname`` of a class."""
    return f"{kind.__module__}.{kind.__qualname__}"


def _handler(kind: type) -> _Handler:
    """Chooses the writer for a type that is known by its family only."""
    if issubclass(kind, Enum):
        return _enum
    if issubclass(kind, _CALLABLES):
        return _callable
    if issubclass(kind, partial):
        return _partial
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return _namedtuple
    if dataclasses.is_dataclass(kind) and not issubclass(kind, _BUILTINS):
        return _dataclass
    if hasattr(kind, "__pydantic_validator__") and hasattr(kind, "model_fields"):
        return _pydantic
    # By name: importing pyflink takes a second, which the tests of a handler need not pay.
    if kind.__module__ == "pyflink.common.types" and kind.__name__ == "Row":
        return _row
    return _unknown


def _tuple(encoder: Encoder, value: tuple[Any, ...]) -> str:
    comma = "," if len(value) == 1 else ""
    return literal(value, value) or f"({encoder.join(value)}{comma})"


def _list(encoder: Encoder, value: list[Any]) -> str:
    return literal(value, value) or f"[{encoder.join(value)}]"


def _sorted(encoder: Encoder, value: Iterable[Any]) -> str:
    return ", ".join(sorted([encoder.encode(item) for item in value]))


def _set(encoder: Encoder, value: Iterable[Any]) -> str:
    return f"<set {_sorted(encoder, value)}>"


def _mapping(encoder: Encoder, value: Mapping[Any, Any]) -> str:
    if not _STRINGS.issuperset(map(type, value)):
        return _pairs(encoder, value.items())
    items = sorted(value.items())  # Never compares values: the keys are distinct strings.
    text = literal(items, value.values())
    if text is None:
        text = "[" + ", ".join([f"({k!a}, {encoder.encode(v)})" for k, v in items]) + "]"
    return f"{{{text}}}"


def _pairs(encoder: Encoder, items: Iterable[tuple[Any, Any]]) -> str:
    texts = sorted([f"({encoder.encode(k)}, {encoder.encode(v)})" for k, v in items])
    return f"{{[{', '.join(texts)}]}}"


def _tagged(tag: str, value: object, text: str) -> str:
    return f"<{tag} {class_name(type(value))!a} {text}>"


def _attributes(encoder: Encoder, value: object, names: Iterable[str]) -> str:
    items = [(name, getattr(value, name, _MISSING)) for name in names]
    return encoder.join([item for item in items if item[1] is not _MISSING])


def _enum(_: Encoder, value: Enum) -> str:
    # A combination of flags has no name before Python 3.11.
    return _tagged("enum", value, ascii(value.value if isinstance(value, Flag) else value.name))


def _callable(encoder: Encoder, value: Any) -> str:
    return f"<callable {encoder.name_callable(value, encoder.path)!a}>"


def _partial(encoder: Encoder, value: partial[Any]) -> str:
    return f"<partial {encoder.encode(value.func)} {encoder.call(value.args, value.keywords)}>"


def _namedtuple(encoder: Encoder, value: tuple[Any, ...]) -> str:
    return _tagged("namedtuple", value, encoder.join(value))


def _dataclass(encoder: Encoder, value: Any) -> str:
    names = [field.name for field in dataclasses.fields(value) if field.compare]
    return _tagged("dataclass", value, _attributes(encoder, value, names))


def _pydantic(encoder: Encoder, value: Any) -> str:
    fields = _attributes(encoder, value, type(value).model_fields)
    extra = getattr(value, "__pydantic_extra__", None) or {}
    return _tagged("model", value, f"{fields} {_pairs(encoder, extra.items())}")


def _row(encoder: Encoder, value: Any) -> str:
    names = vars(value).get("_fields")
    kind = encoder.encode(value.get_row_kind())
    if names is None:
        return f"<row {kind} {encoder.join(value)}>"
    # The order of a row's named fields does not count for its equality.
    return f"<row {kind} {len(value)} {_pairs(encoder, zip_longest(names, value))}>"


def _zone(encoder: Encoder, value: ZoneInfo) -> str:
    return f"<zone {value.key!a}>" if value.key else _unknown(encoder, value)


def _unknown(encoder: Encoder, value: Any) -> str:
    """Writes an object by what pickle would store of it, each part in canonical form.

    Pickling it as a whole would not do: pickle writes an object it has met before as a reference,
    so equal values would differ by which of their parts are the same object.
    """
    if not encoder.fallback:
        return SKIPPED
    if isinstance(value, (set, frozenset)):  # These reduce to a list, in the order of the set.
        state = encoder.encode(getattr(value, "__dict__", None))
        return _tagged("subset", value, f"{_sorted(encoder, value)} {state}")
    try:
        reduced = _reduce(value)
    except Exception:
        return _cloudpickled(value)
    if isinstance(reduced, str):
        return f"<global {getattr(value, '__module__', None)!a} {reduced!a}>"
    make, args, state, items, pairs = (*reduced, None, None, None)[:5]
    body = encoder.join([make, args, state, list(items or ())])
    return f"<object {body} {_pairs(encoder, pairs or ())}>"


def _reduce(value: Any) -> Any:
    registered = copyreg.dispatch_table.get(type(value))
    # Protocol 5 would hand out buffers, to be pickled out of band.
    return registered(value) if registered else value.__reduce_ex__(4)


def _cloudpickled(value: object) -> str:
    import cloudpickle  # Seldom needed, and slow.

    try:
        dumped = cloudpickle.dumps(value, 4)
    except Exception as error:
        raise ArgumentNotEncodable(
            f"an argument of a durable call is or holds a {class_name(type(value))}, which cannot "
            f"be pickled ({type(error).__name__}: {error}); pass plain data, and create such an "
            "object inside the function"
        ) from error
    return f"<pickle {blake2b(dumped, digest_size=16).hexdigest()}>"


_CONTAINERS: dict[type, _Handler] = {
    tuple: _tuple,
    list: _list,
    set: _set,
    frozenset: _set,
    dict: _mapping,
    OrderedDict: _mapping,
    defaultdict: _mapping,
    types.MappingProxyType: _mapping,
    ZoneInfo: _zone,
}
