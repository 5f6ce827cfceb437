"""Random types that all serializers of the package carry, each with random values."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from pydantic import BaseModel

Typed = tuple[Any, st.SearchStrategy[Any]]
"""A type, and what makes values of it."""


class Status(enum.Enum):
    PAID = "paid"
    DUE = "due"


@dataclass
class Line:
    article: str
    price: Decimal
    tags: frozenset[str] = frozenset()


class Order(BaseModel):
    id: UUID
    lines: list[Line]
    at: datetime
    status: Status = Status.DUE
    parent: Order | None = None


PRICES = st.decimals(allow_nan=False, allow_infinity=False)
TIMES = st.datetimes(
    datetime(1900, 1, 1),
    datetime(2200, 1, 1),
    timezones=st.integers(-12, 14).map(lambda hours: timezone(timedelta(hours=hours))),
)
LINES = st.builds(Line, st.text(), PRICES, st.frozensets(st.text(), max_size=3))
ORDERS = st.builds(
    Order,
    id=st.uuids(),
    lines=st.lists(LINES, max_size=2),
    at=TIMES,
    status=st.sampled_from(Status),
)
HASHABLE: list[Typed] = [
    (bool, st.booleans()),
    (int, st.integers(-(2**63), 2**63 - 1)),
    (str, st.text()),
    (bytes, st.binary()),
    (UUID, st.uuids()),
    (date, st.dates()),
    (Status, st.sampled_from(Status)),
]
LEAVES: list[Typed] = [
    *HASHABLE,
    (float, st.floats(allow_nan=False, allow_infinity=False)),
    (Decimal, PRICES),
    (datetime, TIMES),
    (timedelta, st.timedeltas(timedelta(days=-10_000), timedelta(days=10_000))),
    (Line, LINES),
    (Order, ORDERS),
]


def _nested(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    return st.one_of(
        inner.map(lambda one: (list[one[0]], st.lists(one[1], max_size=4))),  # type: ignore[misc]
        inner.map(lambda one: (dict[str, one[0]], st.dictionaries(st.text(), one[1], max_size=4))),  # type: ignore[misc]
        inner.map(lambda one: (one[0] | None, st.none() | one[1])),
        st.tuples(inner, inner).map(
            lambda two: (tuple[two[0][0], two[1][0]], st.tuples(two[0][1], two[1][1]))  # type: ignore[misc]
        ),
        inner.map(lambda one: (tuple[one[0], ...], st.lists(one[1], max_size=4).map(tuple))),  # type: ignore[misc]
        st.sampled_from(HASHABLE).map(lambda one: (set[one[0]], st.sets(one[1], max_size=4))),  # type: ignore[misc]
    )


types = st.recursive(st.sampled_from(LEAVES), _nested, max_leaves=4)
"""Types, each with what makes values of it."""


def exact(value: Any) -> Any:
    """A value with the types of all that is in it."""
    if isinstance(value, (list, tuple)):
        return type(value), [exact(item) for item in value]
    if isinstance(value, dict):
        return dict, [(exact(key), exact(item)) for key, item in value.items()]
    return type(value), value
