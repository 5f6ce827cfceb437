"""PyFlink's types with values of each, and ways to put a type into another."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

from pyflink.common import Row, TypeInformation, Types
from pyflink.common.time import Instant
from pyflink.common.typeinfo import LocalTimeTypeInfo

TimeType = LocalTimeTypeInfo.TimeType


class Leaf(NamedTuple):
    """A type without parts.

    Attributes:
        type_info: The type.
        values: The extreme ones, and what has gone wrong elsewhere.
    """

    type_info: TypeInformation
    values: list[Any]


def local_time(time_type: Any) -> TypeInformation:
    return LocalTimeTypeInfo(time_type)


TEXTS = [
    "",
    "a",
    "ключ",
    "😀 paid",
    "a\0b",
    "\ufeffid",
    "\ufffe",
    "\ufffd",
    "é" * 200,
    "x" * 70_000,
]
TIMES = [dt.time(0), dt.time(12, 30, 1), dt.time(23, 59, 59, 999_000)]
DATES = [dt.date(1970, 1, 1), dt.date(1969, 12, 31), dt.date(2024, 2, 29), dt.date(9999, 12, 31)]
OLD_DATES = [dt.date(1, 1, 1), dt.date(1582, 10, 10)]
DATETIMES = [
    dt.datetime(1970, 1, 1),
    dt.datetime(1969, 12, 31, 23, 59, 59),
    dt.datetime(2024, 2, 29, 12, 0, 0, 1_000),
    dt.datetime(2038, 1, 1),
]
FINE_DATETIMES = [
    dt.datetime(1, 1, 1),
    dt.datetime(1969, 12, 31, 23, 59, 59, 999_000),
    dt.datetime(2024, 1, 1, 0, 0, 0, 123_456),
    dt.datetime(2040, 1, 1),
    dt.datetime(9999, 12, 31, 23, 59, 59, 999_999),
]

LEAVES = {
    "BOOLEAN": Leaf(Types.BOOLEAN(), [True, False]),
    "BYTE": Leaf(Types.BYTE(), [-128, 0, 127]),
    "SHORT": Leaf(Types.SHORT(), [-(2**15), 0, 2**15 - 1]),
    "INT": Leaf(Types.INT(), [-(2**31), -1, 0, 255, 65_536, 2**31 - 1]),
    "LONG": Leaf(Types.LONG(), [-(2**63), -(2**31) - 1, 0, 2**31, 2**63 - 1]),
    "FLOAT": Leaf(Types.FLOAT(), [0.1, -0.0, 3.4028234663852886e38, 1e-45, float("-inf")]),
    "DOUBLE": Leaf(Types.DOUBLE(), [0.1, -0.0, 1.7976931348623157e308, 5e-324, float("inf")]),
    "STRING": Leaf(Types.STRING(), TEXTS),
    "BYTES": Leaf(Types.PRIMITIVE_ARRAY(Types.BYTE()), [b"", b"\0\xff", bytes(range(256)) * 300]),
    "BIG_DEC": Leaf(
        Types.BIG_DEC(), [Decimal(t) for t in ("0", "1.10", "-1E+5", "1E-30", "1234567890" * 5)]
    ),
    "SQL_DATE": Leaf(Types.SQL_DATE(), [*DATES, *OLD_DATES]),
    "SQL_TIME": Leaf(Types.SQL_TIME(), TIMES),
    "SQL_TIMESTAMP": Leaf(Types.SQL_TIMESTAMP(), DATETIMES),
    "LOCAL_DATE": Leaf(local_time(TimeType.LOCAL_DATE), [*DATES, *OLD_DATES]),
    "LOCAL_TIME": Leaf(local_time(TimeType.LOCAL_TIME), [*TIMES, dt.time(1, 2, 3, 456_789)]),
    "LOCAL_DATE_TIME": Leaf(local_time(TimeType.LOCAL_DATE_TIME), [*DATETIMES, *FINE_DATETIMES]),
    "INSTANT": Leaf(Types.INSTANT(), [Instant(0, 0), Instant(-1, 999_999_999), Instant(2**40, 1)]),
    "PICKLED": Leaf(Types.PICKLED_BYTE_ARRAY(), [{"id": [1, "a"]}, {1, 2}, ("x", None), "a", None]),
}
"""Those that PyFlink's workers write and read."""

LEAVES_OF_OURS = {
    "BIG_INT": Leaf(Types.BIG_INT(), [0, -1, 2**63, -(2**63), 10**40, -(10**40)]),
    "CHAR": Leaf(Types.CHAR(), ["a", "ж", "\0", "\uffff"]),
    "SQL_TIMESTAMP": Leaf(Types.SQL_TIMESTAMP(), FINE_DATETIMES),
    "halves of surrogate pairs": Leaf(Types.STRING(), ["\ud83d", "a\ude00b"]),
}
"""PyFlink's workers fail on these, or change them."""

NUMBERS = {
    "BOOLEAN": Types.BOOLEAN(),
    "SHORT": Types.SHORT(),
    "INT": Types.INT(),
    "LONG": Types.LONG(),
    "FLOAT": Types.FLOAT(),
    "DOUBLE": Types.DOUBLE(),
}
"""What arrays of primitive numbers are made of; those of bytes are a leaf."""


class Nesting(NamedTuple):
    """A way to put a type into another.

    Attributes:
        wrap: Gives the type around another.
        hold: Makes values of it, of values of the other.
    """

    wrap: Callable[[TypeInformation], TypeInformation]
    hold: Callable[[list[Any]], list[Any]]


def in_rows(values: list[Any]) -> list[Any]:
    return [Row(first=value, second=n) for n, value in enumerate([*values, None])]


def in_lists(values: list[Any]) -> list[Any]:
    return [values, values[:1], [], list(reversed(values))]


def in_maps(values: list[Any]) -> list[Any]:
    return [{str(n): value for n, value in enumerate(values)}, {}]


def in_tuples(values: list[Any]) -> list[Any]:
    return [(value, str(n)) for n, value in enumerate(values)]


NESTINGS = {
    "ROW": Nesting(
        lambda inner: Types.ROW_NAMED(["first", "second"], [inner, Types.INT()]), in_rows
    ),
    "ARRAY": Nesting(Types.OBJECT_ARRAY, lambda values: in_lists([*values, None])),
    "LIST": Nesting(Types.LIST, in_lists),
    "TUPLE": Nesting(lambda inner: Types.TUPLE([inner, Types.STRING()]), in_tuples),
    "MAP": Nesting(
        lambda inner: Types.MAP(Types.STRING(), inner), lambda values: in_maps([*values, None])
    ),
    "rows in ARRAY": Nesting(
        lambda inner: Types.OBJECT_ARRAY(Types.ROW([inner])),
        lambda values: in_lists([Row(f0=value) for value in values]),
    ),
    "tuples in ARRAY": Nesting(
        lambda inner: Types.OBJECT_ARRAY(Types.TUPLE([inner, Types.STRING()])),
        lambda values: in_lists(in_tuples(values)),
    ),
    "rows in LIST": Nesting(
        lambda inner: Types.LIST(Types.ROW([inner])),
        lambda values: in_lists([Row(f0=value) for value in values]),
    ),
    "tuples in LIST": Nesting(
        lambda inner: Types.LIST(Types.TUPLE([inner, Types.STRING()])),
        lambda values: in_lists(in_tuples(values)),
    ),
    "rows in MAP": Nesting(
        lambda inner: Types.MAP(Types.STRING(), Types.ROW([inner])),
        lambda values: in_maps([Row(f0=value) for value in values]),
    ),
}


def nested(leaf: Leaf) -> tuple[TypeInformation, list[Row]]:
    """A row type with a field for each nesting of a leaf, and rows with values of all of them."""
    types, values = {}, {}
    for name, nesting in NESTINGS.items():
        if leaf is LEAVES["BYTE"] and name == "LIST":
            continue  # a worker takes bytes for it
        types[name] = nesting.wrap(leaf.type_info)
        values[name] = nesting.hold(leaf.values)
    rows = [
        Row(**{name: held[place % len(held)] for name, held in values.items()})
        for place in range(max(map(len, values.values())))
    ]
    return Types.ROW_NAMED(list(types), list(types.values())), rows


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, with all types in them: 1 is not True, nor is 0.0 -0.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (float, Decimal)):
        return repr(one) == repr(other)
    if isinstance(one, Row):
        kinds = one.get_row_kind() is other.get_row_kind()
        return kinds and one._fields == other._fields and same(one._values, other._values)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(sorted(one.items(), key=repr), sorted(other.items(), key=repr))
    return bool(one == other)


def spell(value: Any) -> str:
    """A text that is the same for two values just if `same` is true of them."""
    if isinstance(value, Row):
        fields = zip(value._fields, map(spell, value), strict=True)
        return f"{value.get_row_kind()}{dict(fields)}"
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__}{list(map(spell, value))}"
    if isinstance(value, dict):
        return f"dict{sorted((spell(key), spell(item)) for key, item in value.items())}"
    if isinstance(value, (set, frozenset)):
        return f"{type(value).__name__}{sorted(map(spell, value))}"
    return f"{type(value).__name__} {value!r}"
