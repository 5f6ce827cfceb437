"""Values that calls may be given, and that handlers may keep."""

from __future__ import annotations

import datetime as dt
import enum
import pathlib
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

UTC = dt.timezone.utc


class Color(enum.Enum):
    RED = 1
    BLUE = 2


@dataclass
class Order:
    number: int
    lines: list[str]
    seen: int = field(default=0, compare=False)


class Plain:
    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=1 << 2040, max_value=1 << 2056)
    | st.floats()
    | st.complex_numbers()
    | st.text()
    | st.binary()
    | st.decimals()
    | st.fractions()
    | st.uuids()
    | st.datetimes(timezones=st.none() | st.just(UTC))
    | st.dates()
    | st.times()
    | st.timedeltas()
    | st.sampled_from([*Color, Color, Order, len, pathlib.PurePath("a/b")])
)
KEYS = st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.sampled_from(Color)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.sets(KEYS, max_size=4)
        | st.builds(Order, st.integers(), st.lists(inner, max_size=2))
        | st.builds(Plain, a=inner, b=inner)
    ),
    max_leaves=12,
)
