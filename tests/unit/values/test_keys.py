"""Keys that are refused at the first input, and those that are not."""

from __future__ import annotations

import dataclasses
import datetime as dt
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from pyflink.common import Row

from pyflink_durable.runtime.values.keys import check_key


class Color(Enum):
    RED = "red"


@dataclasses.dataclass(frozen=True)
class Place:
    city: str
    size: Any = 1


@dataclasses.dataclass
class Changeable:
    city: str


class Plain:
    """Has no equality of its own."""


GOOD = ["", "a", 0, True, b"", ("a", None, (1, b"x")), Color.RED, UUID(int=1), Place("Rome")]
GOOD += [dt.date(2024, 1, 1), Decimal("1.5"), Row("a", 1), ("a", None)]

BAD = [
    (None, "it is None"),
    (float("nan"), "NaN is not even itself"),
    (1.5, "a float is seldom"),
    (("a", 1.5), "a float is seldom"),
    (1j, "a float is seldom"),
    (Decimal("NaN"), "it is no number"),
    (np.float64(1), "a float is seldom"),
    (Row("a", 1.5), "a float is seldom"),
    (np.array([1]), "a ndarray can be changed"),
    (np.int64(1), "use key.item()"),
    ({"id": 1}, "a dict can be changed"),
    ([1], "a list can be changed"),
    ((1, [2]), "a list can be changed"),
    ({1}, "a set can be changed"),
    (frozenset({"a"}), "sort them into a tuple"),
    (bytearray(b"a"), "a bytearray can be changed"),
    (Changeable("Rome"), "a Changeable can be changed"),
    (Place("Rome", [1]), "a list can be changed"),
    (Place("Rome", 1.5), "a float is seldom"),
    (Plain(), "a Plain is equal to itself only"),
]


@pytest.mark.parametrize("key", GOOD, ids=str)
def test_a_key_that_is_what_it_is(key: Any) -> None:
    check_key(key, "orders")


@pytest.mark.parametrize(("key", "told"), BAD, ids=lambda case: str(case)[:20])
def test_a_key_that_is_refused(key: Any, told: str) -> None:
    with pytest.raises(TypeError) as error:
        check_key(key, "orders")
    assert told in str(error.value)
    assert "operator 'orders' cannot use the key" in str(error.value)
    assert "key_type=Types.STRING()" in str(error.value)


def test_a_large_key_is_shown_in_a_line() -> None:
    with pytest.raises(TypeError) as error:
        check_key({"text": "x" * 100_000}, "orders")
    assert len(str(error.value)) < 400
