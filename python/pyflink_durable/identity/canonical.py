"""Canonical text of values: the same for equal values, different for different ones.

This is version 2 of the text. What it says of a value is in journals: another rule is another
version, and the old one stays, as `pyflink_durable.identity.digest_rule_1` does.

Every value delimits itself: plain values and lists and tuples of them read as Python literals
(which makes the usual arguments cheap: one call of ``ascii``), everything else as ``<tag ...>``,
which no literal starts with. ``ascii`` rather than ``repr``, because what ``repr`` escapes changes
with Python's version.
"""

from __future__ import annotations

import types
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

from pyflink_durable.errors import ArgumentNotEncodable
from pyflink_durable.identity.canonical_arrays import array_writer_of
from pyflink_durable.identity.canonical_leaves import LEAVES, SKIPPED, class_name, literal
from pyflink_durable.identity.canonical_objects import (
    MISSING,
    object_writer_of,
    write_attrs,
    write_model,
    write_unknown,
    write_zone,
    writes_as_attrs,
)

_Writer = Callable[["Encoder", Any], str]

_STRINGS = frozenset({str})
_MUTABLE = frozenset({list, dict, set, bytearray, memoryview, OrderedDict, defaultdict})
_MUTABLE |= {types.MappingProxyType}

# Keyed weakly by types: no job's data, and gone with the job's code.
_writers: WeakKeyDictionary[type, _Writer] = WeakKeyDictionary()


class Encoder:
    """Writes values as canonical text.

    Args:
        name_callable: Gives the id of a function or class, on the given path.
        fallback: Whether values of unknown types are taken apart or pickled, rather than skipped.
        mutable: Whether mutable containers are written rather than skipped.
        path: Depth of each value that is being written, by its id.

    Attributes:
        leaves: Writers of values that hold no others, by exact type.
        containers: Writers of values that hold others, by exact type.
        literal: Writes a flat collection in one go, or gives None.
    """

    __slots__ = ("fallback", "mutable", "name_callable", "path")

    leaves: ClassVar[Mapping[type, Callable[[Any], str]]] = LEAVES
    containers: ClassVar[Mapping[type, _Writer]] = {}  # filled at the end of this module
    literal = staticmethod(literal)

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
        self.mutable = mutable
        self.path = {} if path is None else path

    def call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """Writes the arguments of a call."""
        return _tuple(self, args) + (self.mapping(kwargs) if kwargs else "")

    def encode(self, value: Any) -> str:
        """Writes one value.

        Raises:
            ArgumentNotEncodable: It cannot be pickled, or contains itself; not without `fallback`.
        """
        kind = type(value)
        if not self.mutable and kind in _MUTABLE:
            return SKIPPED
        leaf = self.leaves.get(kind)
        if leaf is not None:
            return leaf(value)
        writer = self.containers.get(kind) or self.writer_of(kind)
        path, place = self.path, id(value)
        if place in path:
            return self._again(value, writer)
        path[place] = len(path)
        try:
            return writer(self, value)
        finally:
            del path[place]

    def writer_of(self, kind: type) -> _Writer:
        """The writer of a type that is known by its family only."""
        writer = _writers.get(kind)
        if writer is None:
            writer = _writers[kind] = _choose_writer(kind)
        return writer

    def join(self, values: Iterable[Any]) -> str:
        """Writes values one after the other."""
        return ", ".join([self.encode(value) for value in values])

    def sorted(self, values: Iterable[Any]) -> str:
        """Writes values whose order does not count."""
        return ", ".join(sorted([self.encode(value) for value in values]))

    def mapping(self, value: Mapping[Any, Any]) -> str:
        """Writes pairs of keys and values, whose order does not count."""
        if not _STRINGS.issuperset(map(type, value)):
            return self.pairs(value.items())
        items = sorted(value.items())  # Never compares values: the keys are distinct strings.
        text = self.literal(items, value.values())
        if text is None:
            text = "[" + ", ".join([f"({k!a}, {self.encode(v)})" for k, v in items]) + "]"
        return f"{{{text}}}"

    def pairs(self, items: Iterable[tuple[Any, Any]]) -> str:
        """As `mapping`, for keys of any type."""
        texts = sorted([f"({self.encode(k)}, {self.encode(v)})" for k, v in items])
        return f"{{[{', '.join(texts)}]}}"

    def attributes(self, value: object, names: Iterable[str]) -> str:
        """Writes attributes with their names, as far as they are there."""
        items = [(name, getattr(value, name, MISSING)) for name in names]
        return self.join([item for item in items if item[1] is not MISSING])

    def _again(self, value: object, writer: _Writer) -> str:
        if not self.fallback:
            return SKIPPED
        if (
            writer is write_unknown
        ):  # Objects often know their parent: it is told by how far up it is.
            return f"<up {len(self.path) - self.path[id(value)]}>"
        raise ArgumentNotEncodable(
            f"an argument of a durable call holds a {class_name(type(value))} that contains "
            "itself; pass data without cycles, such as an id to look the object up by"
        )


def _choose_writer(kind: type) -> _Writer:
    if writes_as_attrs(kind):
        return write_attrs
    return array_writer_of(kind) or object_writer_of(kind, write_model)


def _tuple(encoder: Encoder, value: tuple[Any, ...]) -> str:
    comma = "," if len(value) == 1 else ""
    return encoder.literal(value, value) or f"({encoder.join(value)}{comma})"


def _list(encoder: Encoder, value: list[Any]) -> str:
    return encoder.literal(value, value) or f"[{encoder.join(value)}]"


def _set(encoder: Encoder, value: set[Any]) -> str:
    return f"<set {encoder.sorted(value)}>"


def _frozenset(encoder: Encoder, value: frozenset[Any]) -> str:
    return f"<frozenset {encoder.sorted(value)}>"


def _mapping(encoder: Encoder, value: Mapping[Any, Any]) -> str:
    return encoder.mapping(value)


def _ordered(encoder: Encoder, value: OrderedDict[Any, Any]) -> str:
    return f"<ordered {encoder.join(value.items())}>"  # their order counts for their equality


def _defaultdict(encoder: Encoder, value: defaultdict[Any, Any]) -> str:
    return f"<defaultdict {encoder.encode(value.default_factory)} {encoder.mapping(value)}>"


def _proxy(encoder: Encoder, value: Mapping[Any, Any]) -> str:
    return f"<proxy {encoder.mapping(value)}>"


Encoder.containers = {
    tuple: _tuple,
    list: _list,
    set: _set,
    frozenset: _frozenset,
    dict: _mapping,
    OrderedDict: _ordered,
    defaultdict: _defaultdict,
    types.MappingProxyType: _proxy,
    ZoneInfo: write_zone,
}
