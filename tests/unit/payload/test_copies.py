"""Copies of arguments and outputs: equal, and nobody's but the receiver's."""

from __future__ import annotations

import copy
import gc
import logging
import re
import threading
import types
import weakref
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pydantic
import pytest
from hypothesis import given
from sample_values import LEAVES, VALUES

from pyflink_durable.errors import ArgumentNotEncodable
from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.payload import copies
from pyflink_durable.payload.copies import copy_of, copy_of_call


class Color(Enum):
    RED = 1


class Place(NamedTuple):
    region: str
    names: list[str]


class Plain:
    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)


@dataclass
class Order:
    lines: list[str]
    client: Any = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Frozen:
    lines: list[str]


class Slotted:
    __slots__ = ("lines",)

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines


class Model(pydantic.BaseModel):
    lines: list[str]
    _client: Any = pydantic.PrivateAttr(default=None)
    _seen: list[str] = pydantic.PrivateAttr(default_factory=list)


class Lines(list[Any]):
    """A list that is more than one."""


class Table(dict[str, Any]):
    """A dict that is more than one."""


class Selective:
    """Says itself what belongs to a copy."""

    def __init__(self, lines: list[str], client: Any = None) -> None:
        self.lines, self.client = lines, client

    def __getstate__(self) -> dict[str, Any]:
        return {"lines": self.lines}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


class Declined(Exception):
    def __init__(self, code: int, lines: list[str]) -> None:
        super().__init__(f"declined ({code})")
        self.lines = lines


def digest(value: Any) -> str:
    return compute_args_digest((value,), {})


def holders(lines: list[str]) -> list[Any]:
    """One of each kind that holds a list."""
    from pyflink.common import Row

    model = Model(lines=[])
    model.lines = lines
    return [
        lines,
        [lines],
        (1, lines),
        {"a": lines},
        {1: {"b": lines}},
        OrderedDict(a=lines),
        defaultdict(list, a=lines),
        deque([lines]),
        types.MappingProxyType({"a": lines}),
        Place("eu", lines),
        Lines([lines]),
        Table(a=lines),
        Plain(lines=lines),
        Order(lines),
        Frozen(lines),
        Slotted(lines),
        model,
        Selective(lines),
        Declined(51, lines),
        partial(len, lines),
        Row(1, lines),
        Row(a=1, b=lines),
        np.array([1, lines], dtype=object),
    ]


@pytest.mark.parametrize("place", range(len(holders([]))))
def test_a_change_of_one_is_none_of_the_other(place: int) -> None:
    lines = ["a"]
    value = holders(lines)[place]
    before = digest(value)
    copied = copy_of(value)
    assert type(copied) is type(value)
    assert digest(copied) == before
    lines.append("b")
    assert digest(copied) == before != digest(value)


@given(VALUES)
def test_copies_are_equal(value: Any) -> None:
    assert digest(copy_of(value)) == digest(value)
    assert type(copy_of(value)) is type(value)


@given(LEAVES)
def test_what_is_immutable_is_not_copied(value: Any) -> None:
    assert copy_of(value) is value
    assert copy_of([value])[0] is value


def function() -> None: ...


@pytest.mark.parametrize(
    "value",
    [
        *(function, len, Order, Color.RED, Plain().__init__, re.compile("a"), logging, ...),  # type: ignore[misc]
        logging.getLogger("a"),
    ],
    ids=repr,
)
def test_what_is_the_same_everywhere_is_shared(value: Any) -> None:
    assert copy_of([value])[0] is value


def test_containers_of_other_kinds() -> None:
    array = np.arange(4)
    frame = pd.DataFrame({"a": [1, 2]})
    values = [bytearray(b"x"), {1}, Counter("aab"), memoryview(b"xy"), array, {1: 2}.items()]
    copied = copy_of([*values, frame])
    values[0].extend(b"y")  # type: ignore[attr-defined]
    values[1].add(2)  # type: ignore[attr-defined]
    array[0] = 7
    frame.loc[0, "a"] = 7
    assert copied[:4] == [bytearray(b"x"), {1}, Counter("aab"), b"xy"]
    assert copied[4].tolist() == [0, 1, 2, 3]
    assert list(copied[5]) == [(1, 2)]
    assert copied[6]["a"].tolist() == [1, 2]


def test_what_is_one_object_stays_one() -> None:
    lines, plain = ["a"], Plain()
    plain.itself = plain  # type: ignore[attr-defined]
    copied = copy_of({"one": lines, "two": [lines], "plain": plain, "again": Order(lines, plain)})
    assert copied["one"] is copied["two"][0] is copied["again"].lines is not lines
    assert copied["plain"] is copied["plain"].itself is copied["again"].client is not plain
    func, args, kwargs = copy_of_call(partial(len, lines), (lines,), {"lines": lines})
    assert func.args[0] is args[0] is kwargs["lines"] is not lines


def test_a_state_that_is_made_for_the_copy_is_not_taken_for_another() -> None:
    """What lives only while the copy is made must not leave its id to what comes behind it."""
    values = [Selective([str(number)]) for number in range(1_000)]
    assert [one.lines for one in copy_of(values)] == [[str(number)] for number in range(1_000)]


def test_what_cannot_be_copied_is_left_as_it_is() -> None:
    lock = threading.Lock()
    order, model = Order(["a"], client=lock), Model(lines=["a"])
    model._client = lock
    model._seen.append("x")
    copied_order, copied_model = copy_of([order, model])
    assert (copied_order.client, copied_model._client) == (lock, lock)
    assert copied_order.lines is not order.lines
    assert copied_model._seen == ["x"]
    assert copied_model._seen is not model._seen
    assert copied_model == model


def test_the_function_and_the_instance_of_a_method_are_the_users() -> None:
    plain = Plain(lines=[])
    func = plain.__init__  # type: ignore[misc]
    assert copy_of_call(func, ([],), {})[0] is func
    assert copy_of_call(plain, ([],), {})[0] is plain
    copied, _, _ = copy_of_call(partial(func, plain), (), {})
    assert copied.func is func
    assert copied.args[0] is not plain


def test_objects_with_a_copy_of_their_own() -> None:
    class Own:
        def __init__(self) -> None:
            self.lines = ["a"]

        def __deepcopy__(self, memo: dict[int, Any]) -> Own:
            own = Own()
            own.lines = copy.deepcopy(self.lines, memo)
            return own

    own = Own()
    first, second = copy_of([own, own])
    assert first is second is not own
    assert first.lines is not own.lines


def test_too_deep_values_are_refused() -> None:
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ArgumentNotEncodable, match="too deep"):
        copy_of(value)
    with pytest.raises(ArgumentNotEncodable, match="too deep"):
        copy_of_call(len, (value,), {})


def test_nothing_is_kept_of_a_type() -> None:
    kind = type("Gone", (), {})
    copy_of(kind())
    assert kind in copies._copies
    reference = weakref.ref(kind)
    del kind
    gc.collect()
    assert reference() is None
