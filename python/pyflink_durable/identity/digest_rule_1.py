"""What identity was made of in release 0.1; never changed.

A slot that 0.1 has written is compared by this rule. It is the present one but for:

- ``dict``, ``OrderedDict``, ``defaultdict`` and mapping proxies were one, and so were ``set`` and
  ``frozenset``, ``bytes`` and ``bytearray``;
- arrays and frames went by what pickle would store, so by how they lay in memory;
- private attributes of pydantic models did not count, nor defaults of functions;
- the names of captured variables counted.

Idempotency keys are made of the text of this rule: they must not change with a release.
"""

from __future__ import annotations

import types
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from pyflink_durable.identity.canonical import Encoder
from pyflink_durable.identity.canonical_leaves import (
    LEAVES,
    LITERALS,
    SKIPPED,
    class_name,
    shown_literal,
)
from pyflink_durable.identity.canonical_objects import model_text, object_writer_of
from pyflink_durable.identity.digest import IdentityRule, digest_of

_Writer = Callable[[Encoder, Any], str]


def _literal(shown: object, leaves: Collection[Any]) -> str | None:
    return shown_literal(shown, leaves) if LITERALS.issuperset(map(type, leaves)) else None


def _set(encoder: Encoder, value: Iterable[Any]) -> str:
    return f"<set {encoder.sorted(value)}>"


def _mapping(encoder: Encoder, value: Mapping[Any, Any]) -> str:
    return encoder.mapping(value)


def _model(encoder: Encoder, value: Any) -> str:
    return f"<model {class_name(type(value))!a} {model_text(encoder, value)}>"


class _Encoder1(Encoder):
    __slots__ = ()

    leaves: ClassVar[Mapping[type, Callable[[Any], str]]] = {
        **{kind: leaf for kind, leaf in LEAVES.items() if kind is not memoryview},
        bytes: ascii,
        bytearray: lambda value: ascii(bytes(value)),
    }
    containers: ClassVar[Mapping[type, _Writer]] = {
        tuple: Encoder.containers[tuple],
        list: Encoder.containers[list],
        set: _set,
        frozenset: _set,
        dict: _mapping,
        OrderedDict: _mapping,
        defaultdict: _mapping,
        types.MappingProxyType: _mapping,
        ZoneInfo: Encoder.containers[ZoneInfo],
    }
    literal = staticmethod(_literal)

    def writer_of(self, kind: type) -> _Writer:
        return object_writer_of(kind, _model)


class IdentityRule1(IdentityRule):
    """Version 1; its digests have no prefix."""

    prefix = ""
    encoder = _Encoder1

    def _captured(self, func: types.FunctionType, path: dict[int, int]) -> str:
        if not func.__closure__:
            return ""
        texts = dict(self._captured_texts(func, {**path, id(func): len(path)}))
        if set(texts.values()) == {SKIPPED}:
            return ""
        named = [f"{name!a} {texts[name]}" for name in func.__code__.co_freevars]
        return "#" + digest_of(", ".join(named))


RULE_1 = IdentityRule1()
