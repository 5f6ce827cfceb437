"""Which values of each kind share a digest, and which do not."""

from __future__ import annotations

import copyreg
import datetime as dt
import enum
import functools
import pathlib
import re
import subprocess
import sys
import threading
import types
from collections import Counter, OrderedDict, deque, namedtuple
from collections import defaultdict as dd
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyflink_durable.identity.digest import compute_args_digest

UTC = dt.timezone.utc


def digest(*args: Any, **kwargs: Any) -> str:
    return compute_args_digest(args, kwargs)


def run(code: str, **env: str) -> str:
    env["PYTHONPATH"] = ":".join(sys.path)
    return subprocess.check_output([sys.executable, "-c", code], env=env, text=True).strip()


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Level(enum.IntEnum):
    RED = 1


class Access(enum.Flag):
    READ = 1
    WRITE = 2


@dataclass
class Order:
    number: int
    lines: list[str]
    seen: int = field(default=0, compare=False)


@dataclass
class Invoice:
    number: int
    lines: list[str]


class Model(pydantic.BaseModel):
    number: int
    tags: dict[str, int] = {}


class Open(pydantic.BaseModel, extra="allow"):
    number: int


@attrs.define
class Attrs:
    number: int
    cache: Any = attrs.field(default=None, eq=False)


class Private(pydantic.BaseModel):
    number: int
    _token: Any = pydantic.PrivateAttr(default=None)

    def __init__(self, number: int, token: Any = None) -> None:
        super().__init__(number=number)
        self._token = token


class Plain:
    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)


@dataclass
class Tagged(dict[str, int]):
    tag: str


def tagged(**items: int) -> Tagged:
    value = Tagged("a")
    value.update(items)
    return value


class MyStr(str):
    pass


class MySet(frozenset[Any]):
    pass


class MyTime(dt.datetime):
    nanos = 0

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return (*super().__reduce_ex__(protocol)[:2], {"nanos": self.nanos})


Point = namedtuple("Point", "x y")
Place = namedtuple("Place", "x y")

SHARED = ["x"]
EQUAL: list[tuple[Any, Any]] = [
    (-0.0, 0.0),
    ([-0.0], [0.0]),
    ({"a": -0.0}, {"a": 0.0}),
    (complex(-0.0, 1), complex(0.0, 1)),
    (float("nan"), -float("nan")),
    (bytearray(b"x"), bytearray(b"x")),
    (b"x" * 1_000, b"x" * 1_000),
    (frozenset({1, 2}), frozenset({2, 1})),
    (OrderedDict(a=1, b=2), OrderedDict(a=1, b=2)),
    (dd(list, b=2, a=1), dd(list, a=1, b=2)),
    (types.MappingProxyType({"a": 1, "b": 2}), types.MappingProxyType({"b": 2, "a": 1})),
    ({1: "a", "b": Color.RED}, {"b": Color.RED, 1: "a"}),
    ([SHARED, SHARED], [["x"], ["x"]]),
    (Plain(a=SHARED, b=SHARED), Plain(b=["x"], a=["x"])),
    (Order(1, ["a"], seen=1), Order(1, ["a"], seen=2)),
    (Model(number=1), Model(number=1, tags={})),
    (Model(number=1, tags={"a": 1, "b": 2}), Model(number=1, tags={"b": 2, "a": 1})),
    (Open(number=1, a=2, b=3), Open(b=3, a=2, number=1)),  # type: ignore[call-arg]
    (
        dt.datetime(2024, 7, 1, 12, tzinfo=UTC),
        dt.datetime(2024, 7, 1, 14, tzinfo=ZoneInfo("Europe/Berlin")),
    ),
    (
        dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=2))),
        dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=2), "other")),
    ),
    (dt.time(12, tzinfo=UTC), dt.time(14, tzinfo=dt.timezone(dt.timedelta(hours=2)))),
    (UTC, dt.timezone(dt.timedelta(0), "named")),
    (dt.timedelta(hours=24), dt.timedelta(days=1)),
    (Decimal("1.0"), Decimal("1.00")),
    (Decimal("100"), Decimal("1e2")),
    (Decimal("-0"), Decimal("0.00")),
    (Decimal("NaN"), Decimal("nan")),
    (Fraction(2, 4), Fraction(1, 2)),
    (UUID(int=5), UUID("00000000-0000-0000-0000-000000000005")),
    (pathlib.PurePosixPath("a//b"), pathlib.PosixPath("a/b/")),
    (pathlib.PureWindowsPath("A/b"), pathlib.PureWindowsPath("a\\B")),
    (range(0), range(5, 1)),
    (range(0, 3, 2), range(0, 4, 2)),
    (range(1, 2, 3), range(1, 3, 9)),
    (10**700, int("1" + "0" * 700)),
    (MySet([0, 8, 16]), MySet([16, 8, 0])),
    (deque([1, {"a": 1, "b": 2}]), deque([1, {"b": 2, "a": 1}])),
    (re.compile("a"), re.compile("a", 0)),
    (functools.partial(len, [1]), functools.partial(len, [1])),
    (memoryview(b"x"), memoryview(b"x")),
    (memoryview(b"xyx")[::2], memoryview(b"xx")),
    (Attrs(1, cache=1), Attrs(1, cache=2)),
    (Private(1), Private(1)),
    (Private(1, Plain(lock=threading.Lock())), Private(1, Plain(lock=threading.Lock()))),
]


@pytest.mark.parametrize(("one", "two"), EQUAL)
def test_equal(one: Any, two: Any) -> None:
    assert digest(one) == digest(two)
    assert digest([{"k": one}]) == digest([{"k": two}])


DIFFERENT: list[Any] = [
    *(1, True, 1.0, "1", b"1", 1 + 0j, Decimal(1), Fraction(1), Level.RED, Color.RED, Access.READ),
    *(0, False, 0.0, "", b"", None, (), [], {}, set(), "None", "()", ((),), [[]], [()], ([],)),
    *((1,), [1], {1}, {1: 1}, {"1": 1}, {1: "1"}, (1, 1), ((1,), 1), (1, (1,)), "(1,)", "<set 1>"),
    *(
        frozenset({1}),
        frozenset(),
        OrderedDict(),
        OrderedDict({1: 1}),
        dd(list),
        dd(int),
        dd(int, a=1),
    ),
    *(types.MappingProxyType({}), types.MappingProxyType({1: 1}), bytearray(), bytearray(b"1")),
    *(OrderedDict(a=1, b=2), OrderedDict(b=2, a=1), dict(a=1, b=2), Counter(a=1, b=2)),
    *(b"1" * 1_000, b"1" * 1_001, b"2" * 1_000, bytearray(b"1" * 1_000), "1" * 1_000),
    *(Attrs(1), Attrs(2), Private(1), Private(2), Private(1, "token"), Private(1, 1)),
    *(list, list[int], list[str], Tagged("a"), tagged(a=1), tagged(a=2)),
    *(MyStr("1"), MySet(), MySet([1]), Point(1, 1), Place(1, 1), Color, Level, Access),
    *(Color.BLUE, Access.READ | Access.WRITE, float("nan"), float("inf"), -float("inf"), "nan"),
    *(Order(1, []), Order(2, []), Invoice(1, []), Plain(), Plain(a=1), Plain(b=1)),
    *(Model(number=1), Model(number=2), Open(number=1), Open(number=1, x=1)),  # type: ignore[call-arg]
    *(dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, tzinfo=UTC), dt.date(2024, 1, 1)),
    *(dt.time(1), dt.time(1, tzinfo=UTC), dt.timedelta(1), UTC, dt.timezone.max),
    *(ZoneInfo("Europe/Berlin"), ZoneInfo("Europe/Paris"), "Europe/Berlin"),
    *(dt.datetime(2024, 10, 27, 2, 30, fold=f, tzinfo=ZoneInfo("Europe/Berlin")) for f in (0, 1)),
    *(Decimal("1.000000000000000000000000000001"), Decimal("-1"), Decimal("10"), Decimal("0.1")),
    *(Decimal(0), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-Infinity")),
    *(UUID(int=1), pathlib.PurePosixPath("1"), pathlib.PureWindowsPath("1"), 1 << 2047, 1 << 2048),
    *(range(1), range(2), range(1, 2), range(0, 4, 2), 10**700, 10**700 + 1, str(10**700)),
    *(len, max, "builtins.len", str.upper, int, ..., NotImplemented, memoryview(b"1")),
    *(functools.partial(len), functools.partial(max, 1), functools.partial(max, 2)),
    *(
        re.compile("a"),
        re.compile("b"),
        deque([1]),
        deque([2]),
        deque([1], maxlen=3),
        slice(1),
        slice(1, 2),
    ),
]


def test_different() -> None:
    digests: dict[str, Any] = {}
    for value in DIFFERENT:
        twin = digests.setdefault(digest(value), value)
        assert twin is value, (twin, value)


@given(st.integers(0, 10**40), st.integers(-50, 50), st.integers(0, 5))
def test_decimals_are_not_rounded(digits: int, exponent: int, zeros: int) -> None:
    with localcontext() as context:
        context.prec = 100
        value = Decimal(digits).scaleb(exponent)
        same = Decimal(digits * 10**zeros).scaleb(exponent - zeros)
        other = Decimal(digits + 1).scaleb(exponent)
    with localcontext() as context:
        context.prec = 3
        assert digest(value) == digest(same)
        assert digest(value) != digest(other)


def test_long_ints_do_not_depend_on_the_limit_of_digits() -> None:
    limit = sys.get_int_max_str_digits()
    try:
        sys.set_int_max_str_digits(0)
        free = digest(10**5000), digest([10**1000])
        sys.set_int_max_str_digits(640)
        assert (digest(10**5000), digest([10**1000])) == free
    finally:
        sys.set_int_max_str_digits(limit)


def test_registered_reducers_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(copyreg.dispatch_table, Plain, lambda value: (Plain, (), value.number))
    assert digest(Plain(number=1, cache=1)) == digest(Plain(number=1)) != digest(Plain(number=2))


def test_datetime_subclasses_keep_what_they_add() -> None:
    one, two = MyTime(2024, 1, 1), MyTime(2024, 1, 1)
    assert digest(one) == digest(two) != digest(dt.datetime(2024, 1, 1))
    two.nanos = 1
    assert digest(one) != digest(two)


def test_rows() -> None:
    from pyflink.common import Row, RowKind

    assert digest(Row(1, "a")) == digest(Row(1, "a")) != digest(Row(1, "b"))
    assert digest(Row(a=1, b=2)) == digest(Row(b=2, a=1))
    rows = [Row(1, 2), Row(a=1, b=2), Row(a=2, b=1), Row("a", "b")(1), Row("a", "b")(1, None)]
    rows += [Row.of_kind(RowKind.DELETE, 1, 2), (1, 2)]
    assert len({digest(row) for row in rows}) == len(rows)


def test_digests_are_the_same_in_every_process() -> None:
    code = f"import {__name__} as t; print([t.digest(v) for v in [*t.DIFFERENT, set('abcdefgh')]])"
    outputs = {run(code, PYTHONHASHSEED=seed) for seed in ("0", "1", "2")}
    assert len(outputs) == 1
