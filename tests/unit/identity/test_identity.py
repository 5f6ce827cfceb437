"""Properties of the digest of a call's arguments, and what it refuses."""

from __future__ import annotations

import ast
import copy
import datetime as dt
import inspect
import re
import threading
import types
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_values import VALUES, Order, Plain

from pyflink_durable.errors import ArgumentNotEncodable
from pyflink_durable.identity import (
    canonical,
    canonical_arrays,
    canonical_leaves,
    canonical_objects,
    digest_rule_1,
    versions,
)
from pyflink_durable.identity import digest as identity
from pyflink_durable.identity.canonical import Encoder
from pyflink_durable.identity.digest import compute_args_digest

UTC = dt.timezone.utc


def digest(*args: Any, **kwargs: Any) -> str:
    return compute_args_digest(args, kwargs)


@dataclass
class Node:
    other: Any = None


def shuffled(value: Any) -> Any:
    """Returns an equal value of other objects, with dicts and sets in another order."""
    if isinstance(value, dict):
        return {shuffled(k): shuffled(v) for k, v in reversed(list(value.items()))}
    if type(value) in (list, tuple, set):
        return type(value)(map(shuffled, reversed(list(value)) if type(value) is set else value))
    if isinstance(value, Order):
        return Order(value.number, shuffled(value.lines), seen=value.seen + 1)
    if isinstance(value, Plain):
        return Plain(**shuffled(vars(value)))
    return value if isinstance(value, (type, types.BuiltinFunctionType)) else copy.deepcopy(value)


@given(VALUES)
def test_equal_values_have_equal_digests(value: Any) -> None:
    assert digest(value) == digest(shuffled(value))
    assert digest(k=value) == digest(k=shuffled(value))


@given(VALUES)
def test_one_digest_by_the_fast_and_the_slow_way(value: Any) -> None:
    """A text with -0.0 in it is sent the slow way."""
    fast, slow = digest(value, "0.0"), digest(value, "-0.0")
    assert fast != slow
    with pytest.MonkeyPatch.context() as patch:
        never = staticmethod(lambda shown, leaves: None)
        patch.setattr(Encoder, "literal", never)
        assert (digest(value, "0.0"), digest(value, "-0.0")) == (fast, slow)


TEXTS = st.text(alphabet="ab'\"\\,()[]{}<> \n\u00e9\U0001f600", max_size=6)
SIMPLE = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | TEXTS | TEXTS.map(str.encode),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(TEXTS, inner, max_size=2)
        | st.frozensets(TEXTS, max_size=3)
    ),
    max_leaves=6,
)


def typed(value: Any) -> Any:
    """Returns a value whose equality also compares types, without use of the code under test."""
    if isinstance(value, dict):
        return dict, frozenset((k, typed(v)) for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return type(value), tuple(map(typed, value))
    return type(value), value


@given(SIMPLE, SIMPLE)
def test_digests_are_equal_only_for_equal_values(one: Any, two: Any) -> None:
    assert (digest(one) == digest(two)) == (typed(one) == typed(two))


def test_form_of_a_digest() -> None:
    assert re.fullmatch("2:[0-9a-f]{16}", digest(1, "a"))
    # Pinned: a changed digest makes every replay after an upgrade of this package miss.
    assert digest(123, "abc") == "2:02fd921ea842fea2"
    assert (
        digest({"b": [1.5, None], "a": HTTPStatus.OK}, on=dt.date(2024, 2, 29))
        == "2:5d83bd5ed5319947"
    )


def test_keyword_arguments_have_no_order_but_a_place_of_their_own() -> None:
    assert digest(1, a=2, b=3) == digest(1, b=3, a=2)
    kinds = [digest(1, a=2), digest(1, {"a": 2}), digest(1, 2), digest(a=1), digest(1, b=2)]
    assert len(set(kinds)) == len(kinds)
    assert digest(1) == compute_args_digest((1,), types.MappingProxyType({}))


def test_identity_does_not_import_pyflink() -> None:
    modules = (canonical, canonical_arrays, canonical_leaves, canonical_objects)
    for module in (identity, versions, digest_rule_1, *modules):
        nodes = list(ast.walk(ast.parse(inspect.getsource(module))))
        # what stands in a function is imported when there is a value of it
        nodes = [node for node in nodes if getattr(node, "col_offset", 1) == 0]
        names = [n.module or "" for n in nodes if isinstance(n, ast.ImportFrom)]
        names += [alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names]
        assert names
        assert not {name.split(".")[0] for name in names} & {"pyflink", "pydantic", "numpy"}


def test_recursive_data_is_refused() -> None:
    loop: list[Any] = []
    loop.append({"again": loop})
    node = Node()
    node.other = [node]
    for value in (loop, node):
        with pytest.raises(ArgumentNotEncodable, match="contains itself"):
            digest(value)


def test_objects_that_know_their_parent() -> None:
    def family(name: str) -> Plain:
        parent = Plain(name=name)
        parent.child = Plain(parent=parent)  # type: ignore[attr-defined]
        return parent

    assert digest(family("a")) == digest(family("a")) != digest(family("b"))


def test_too_deep_data_is_refused() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ArgumentNotEncodable, match="too deep"):
        digest(value)


def test_unpicklable_data_is_refused_by_name() -> None:
    with pytest.raises(ArgumentNotEncodable, match=r"_thread\.lock.*plain data"):
        digest({"client": Plain(lock=threading.Lock())})
    with pytest.raises(TypeError):
        digest(x for x in "abc")
