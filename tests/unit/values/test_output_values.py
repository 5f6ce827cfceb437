"""What a handler may emit for each declared type, and what it is told of the rest."""

from __future__ import annotations

import array
import dataclasses
import datetime as dt
import pickle
from collections import OrderedDict, deque, namedtuple
from decimal import Decimal
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from declared_types import LINE, outputs, plain
from pyflink.common import Row, RowKind
from pyflink.common.time import Instant

from pyflink_durable.runtime.telemetry.telemetry import LocalTelemetry
from pyflink_durable.runtime.values import Outputs, StepOutputs, read_description
from pyflink_durable.runtime.values.incoming import row_type

UTC = dt.timezone.utc
ORDER = ("ROW", ("id", "total", "lines"), "STRING", "INT", ("OBJECT_ARRAY", LINE))
Order = namedtuple("Order", "id total lines")


class Color(str, Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 7


@dataclasses.dataclass
class Line:
    price: float
    sku: str


class Locked:
    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle a lock")


ACCEPTED: list[tuple[Any, Any, Any]] = [
    # declared type, what a handler emits, what Java reads
    ("BOOLEAN", np.bool_(True), True),
    ("INT", True, 1),
    ("INT", Level.HIGH, 7),
    ("INT", np.int64(5), 5),
    ("INT", np.array(5), 5),
    ("BYTE", np.uint8(127), 127),
    ("BIG_INT", np.uint64(2**64 - 1), 2**64 - 1),
    ("DOUBLE", 1, 1.0),
    ("DOUBLE", np.float32(0.5), 0.5),
    ("DOUBLE", np.float64(0.1), 0.1),
    ("DOUBLE", np.int16(3), 3.0),
    ("FLOAT", 16_777_217.0, 16_777_217.0),  # Java rounds it, as any float
    ("FLOAT", float("inf"), float("inf")),
    ("BIG_DEC", Decimal("1.10"), "1.10"),
    ("BIG_DEC", 7, "7"),
    ("STRING", Color.RED, "red"),
    ("STRING", np.str_("a"), "a"),
    ("CHAR", Color.RED.value[0], "r"),
    ("PRIMITIVE_ARRAY(BYTE)", bytearray(b"ab"), b"ab"),
    ("PRIMITIVE_ARRAY(BYTE)", memoryview(b"ab"), b"ab"),
    ("PRIMITIVE_ARRAY(BYTE)", np.array([1, 255], np.uint8), b"\x01\xff"),
    ("PRIMITIVE_ARRAY(BYTE)", [1, 255], b"\x01\xff"),
    ("SQL_DATE", np.datetime64("1970-01-02"), 1),
    ("SQL_TIMESTAMP", np.datetime64("1970-01-01T00:00:01"), 1_000_000),
    ("INSTANT", dt.datetime(1970, 1, 1, 1, tzinfo=UTC), (3600, 0)),
    ("INSTANT", dt.datetime(1970, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1))), (-3600, 0)),
    ("INSTANT", Instant(1, 2), (1, 2)),
    (("PRIMITIVE_ARRAY", "DOUBLE"), np.array([1.5, 2.5]), [1.5, 2.5]),
    (("PRIMITIVE_ARRAY", "DOUBLE"), np.array([1, 2], np.int8), [1.0, 2.0]),
    (("PRIMITIVE_ARRAY", "DOUBLE"), [1, 2.5, np.float32(0.5)], [1.0, 2.5, 0.5]),
    (("PRIMITIVE_ARRAY", "LONG"), array.array("q", [1, 2]), [1, 2]),
    (("PRIMITIVE_ARRAY", "INT"), range(3), [0, 1, 2]),
    (("OBJECT_ARRAY", "STRING"), ("a", None), ["a", None]),
    (("OBJECT_ARRAY", ("PRIMITIVE_ARRAY", "INT")), np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
    (("LIST", "STRING"), deque(["a"]), ["a"]),
    (("LIST", LINE), [("a", 1)], [["a", 1.0]]),
    (("MAP", "STRING", "INT"), OrderedDict(a=1, b=None), (["a", "b"], [1, None])),
    (("MAP", "INT", LINE), MappingProxyType({1: ("a", 2)}), ([1], [["a", 2.0]])),
    (("TUPLE", "INT", "STRING"), [1, "a"], [1, "a"]),
    (("TUPLE", "INT", "STRING"), Row(1, "a"), [1, "a"]),
    (LINE, Row("a", 1.0), ["a", 1.0]),
    (LINE, Row(price=1.0, sku="a"), ["a", 1.0]),
    (LINE, row_type(["price", "sku"])([1.0, "a"]), ["a", 1.0]),
    (LINE, {"price": 1, "sku": "a"}, ["a", 1.0]),
    (LINE, ("a", 1.0), ["a", 1.0]),
    (LINE, ["a", None], ["a", None]),
    (LINE, Line(1.0, "a"), ["a", 1.0]),
    (LINE, Row.of_kind(RowKind.DELETE, "a", 1.0), (3, ["a", 1.0])),
    (ORDER, Order(lines=None, id="a", total=5), ["a", 5, None]),
    (ORDER, Row("a", 5, [Row(price=1, sku="b"), None]), ["a", 5, [["b", 1.0], None]]),
    (("ROW", ("f0", "f1"), "INT", "INT"), namedtuple("Pair", "x y")(1, 2), [1, 2]),
    (("ROW", ("f0", "f1"), "INT", "INT"), Row(f1=2, f0=1), [1, 2]),
]


def lists(value: Any) -> Any:
    """Java takes a tuple for a list."""
    return list(map(lists, value)) if isinstance(value, (list, tuple)) else value


@pytest.mark.parametrize(
    ("declared", "value", "read"), ACCEPTED, ids=lambda case: str(case)[:40].replace("::", ":")
)
def test_whose_meaning_is_plain(declared: Any, value: Any, read: Any) -> None:
    written = plain(declared, value)
    assert lists(written) == lists(read)
    assert all(type(part) in PLAIN for part in parts(written)), written
    if isinstance(read, tuple) and declared[0] == "ROW":
        assert isinstance(written, tuple)


PLAIN = {type(None), bool, int, float, str, bytes, list, tuple}
"""What Java reads; a subclass would be pickled as an object of its class."""


def parts(value: Any) -> list[Any]:
    inner = value if isinstance(value, (list, tuple)) else ()
    return [value, *(part for each in inner for part in parts(each))]


REFUSED: list[tuple[Any, Any, str]] = [
    # declared type, what a handler emits, what it is told
    ("BOOLEAN", 1, "1, a int, is no BOOLEAN"),
    ("INT", 1.0, "1.0, a float, is no INT"),
    ("INT", "5", "'5', a str, is no INT"),
    ("INT", None, "None, a NoneType, is no INT"),
    ("DOUBLE", Decimal("0.1"), "Decimal('0.1'), a decimal.Decimal, is no DOUBLE"),
    ("DOUBLE", "0.1", "'0.1', a str, is no DOUBLE"),
    ("BIG_DEC", 0.1, "Decimal(str(value)) has the digits that are shown"),
    ("BIG_DEC", Decimal("NaN"), "Java has no such number"),
    ("STRING", {"id": 1}, "{'id': 1}, a dict, is no STRING"),
    ("STRING", ["a"], "['a'], a list, is no STRING"),
    ("STRING", b"a", "b'a', a bytes, is no STRING"),
    ("CHAR", "ab", "It holds one character"),
    ("CHAR", "😀", "It holds one character"),
    ("PRIMITIVE_ARRAY(BYTE)", "ab", "'ab', a str, is no PRIMITIVE_ARRAY(BYTE)"),
    ("PRIMITIVE_ARRAY(BYTE)", [256], "numbers from 0 to 255"),
    ("PRIMITIVE_ARRAY(BYTE)", np.array([1.5]), "Its items are larger than a byte"),
    ("SQL_DATE", dt.datetime(2024, 1, 1), "value.date() leaves out"),
    ("SQL_DATE", "2024-01-01", "a str, is no SQL_DATE"),
    ("SQL_TIMESTAMP", dt.date(2024, 1, 1), "is no SQL_TIMESTAMP"),
    ("SQL_TIMESTAMP", dt.datetime(2024, 1, 1, tzinfo=UTC), "replace(tzinfo=None)"),
    ("LOCAL_TIME", dt.time(1, tzinfo=UTC), "It has a time zone"),
    ("INSTANT", dt.datetime(2024, 1, 1), "It has no time zone"),
    ("PICKLED_BYTE_ARRAY", Locked(), "It cannot be pickled: TypeError: cannot pickle a lock"),
    (("OBJECT_ARRAY", "STRING"), "abc", "'abc', a str, is no OBJECT_ARRAY(STRING)"),
    (("OBJECT_ARRAY", "STRING"), {"b", "a"}, "a set, is no OBJECT_ARRAY(STRING)"),
    (("LIST", "INT"), [1, "2"], "at [1]: '2', a str, is no INT"),
    (("LIST", "INT"), [1, None], "at [1]: None, a NoneType, is no INT"),
    (("MAP", "STRING", "INT"), [("a", 1)], "a list, is no MAP(STRING, INT)"),
    (("MAP", "STRING", "INT"), {1: 1}, "at [1]: 1, a int, is no STRING"),
    (("MAP", "STRING", "INT"), {"a b": "x"}, "at ['a b']: 'x', a str, is no INT"),
    (("TUPLE", "INT", "STRING"), (1,), "It has 1 fields"),
    (("TUPLE", "INT", "STRING"), (1, 2), "at [1]: 2, a int, is no STRING"),
    (LINE, Row("a"), "It has 1 fields"),
    (LINE, ("a", 1.0, 2), "It has 3 fields"),
    (LINE, Row(sku="a", cost=1.0), "Its fields are sku, cost"),
    (LINE, Row(sku="a", price=1.0, tax=1), "It has 3 fields"),
    (LINE, {"sku": "a"}, "Its fields are sku"),
    (LINE, {"sku": "a", "price": 1.0, "tax": 1}, "Its fields are sku, price, tax"),
    (LINE, namedtuple("Other", "x y")("a", 1.0), "Its fields are x, y"),
    (LINE, "ab", "'ab', a str, is no ROW(sku STRING, price DOUBLE)"),
    (("ROW", ("f0",), "INT"), Row(id=1), "name them with Types.ROW_NAMED"),
    (ORDER, Row("a", 5, [Row("b", "x")]), "at lines[0].price: 'x', a str, is no DOUBLE"),
    (ORDER, {"id": "a", "total": 5, "lines": {}}, "at lines: {}, a dict, is no OBJECT_ARRAY("),
]


@pytest.mark.parametrize(
    ("declared", "value", "told"), REFUSED, ids=lambda case: str(case)[:40].replace("::", ":")
)
def test_what_does_not_fit(declared: Any, value: Any, told: str) -> None:
    with pytest.raises(TypeError) as error:
        plain(declared, value)
    assert told in str(error.value)
    assert str(error.value).startswith(
        "operator 'orders' key='c7' invocation=3: a value does not fit its output_type: "
    )
    assert "Types.PICKLED_BYTE_ARRAY() for any Python object" in str(error.value)


TOO_LARGE: list[tuple[Any, Any, str]] = [
    ("BYTE", 128, "128, a int, is no BYTE. It goes from -128 to 127"),
    ("SHORT", -32_769, "is no SHORT"),
    ("INT", 2**40, "1099511627776, a int, is no INT"),
    ("INT", 3_000_000_000, "3000000000, a int, is no INT"),
    ("INT", np.int64(2**40), "is no INT"),
    ("LONG", 2**63, "is no LONG"),
    ("FLOAT", 1e39, "1e+39, a float, is no FLOAT"),
    ("DOUBLE", 10**400, "is no DOUBLE. It is too large"),
    ("DOUBLE", 2**53 + 1, "9007199254740993, a int, is no DOUBLE. It would be rounded"),
    (("PRIMITIVE_ARRAY", "INT"), [1, 2**31], "at [1]: 2147483648"),
    (("OBJECT_ARRAY", "LONG"), [None, 2**63], "at [1]: 9223372036854775808"),
    (("PRIMITIVE_ARRAY", "FLOAT"), [float("nan"), 1e39], "at [1]: 1e+39"),
    (("MAP", "STRING", "SHORT"), {"a": 1, "b": 40_000}, "at ['b']: 40000"),
    (("TUPLE", "BYTE", "STRING"), (200, "a"), "at [0]: 200"),
    (ORDER, Row("a", 2**31, []), "at total: 2147483648, a int, is no INT"),
]


@pytest.mark.parametrize(("declared", "value", "told"), TOO_LARGE, ids=str)
def test_what_is_too_large(declared: Any, value: Any, told: str) -> None:
    with pytest.raises(OverflowError) as error:
        plain(declared, value)
    assert told in str(error.value)
    assert str(error.value).endswith("Declare a larger type.")


def test_the_numbers_before_and_after_the_one_that_is_too_large() -> None:
    kinds = {"BYTE": 8, "SHORT": 16, "INT": 32, "LONG": 64}
    for name, bits in kinds.items():
        limits = [-(1 << bits - 1), (1 << bits - 1) - 1]
        assert [plain(name, limit) for limit in limits] == limits
        assert plain(("ROW", ("a", "b"), name, name), limits) == limits
        for outside in (limits[0] - 1, limits[1] + 1):
            for declared, value in [
                (name, outside),
                (("ROW", ("a",), name), [outside]),
                (("PRIMITIVE_ARRAY", name), [0, outside]),
            ]:
                with pytest.raises(OverflowError):
                    plain(declared, value)


def test_an_emitted_value_may_be_changed_afterwards() -> None:
    row = Row("a", 5, [Row("b", 1.0)])
    written = plain(ORDER, row)
    row[0] = "z"
    row[2].append(Row("c", 2.0))
    row[2][0][0] = "z"
    assert written == ["a", 5, [["b", 1.0]]]
    numbers = [1, 2]
    written = plain(("LIST", "INT"), numbers)
    numbers.append(3)
    assert list(written) == [1, 2]
    pairs = {"a": 1}
    written = plain(("MAP", "STRING", "INT"), pairs)
    pairs["a"] = 2
    assert lists(written) == [["a"], [1]]


def test_rows_with_fields_of_ever_new_types() -> None:
    described = outputs(LINE)
    for number in range(1_000):
        kind = type(f"Text{number}", (str,), {})
        assert described.main(Row(kind("a"), None), str)[1] == ["a", None]


def test_what_pickle_cannot_write_cloudpickle_does() -> None:
    def add_one(number: int) -> int:
        return number + 1

    assert pickle.loads(plain("PICKLED_BYTE_ARRAY", add_one))(1) == 2


def test_a_row_from_java_is_what_pyflink_makes() -> None:
    ours, theirs = row_type(["a", "b"])([1, None], 2), Row(1, None)
    theirs.set_field_names(["a", "b"])
    theirs.set_row_kind(RowKind.UPDATE_AFTER)
    assert vars(ours) == vars(theirs)
    assert ours == theirs
    assert repr(ours) == repr(theirs)
    assert pickle.loads(pickle.dumps(ours)) == theirs


class TestSideOutputs:
    def test_each_has_its_type(self) -> None:
        declared = outputs("STRING", audit="INT")
        assert declared.side("audit", np.int8(5), str) == (0, 5)
        with pytest.raises(TypeError, match="does not fit the type of side output 'audit'"):
            declared.side("audit", "5", str)

    def test_one_that_nobody_reads_is_counted_and_told_once(self) -> None:
        telemetry = LocalTelemetry()
        described = read_description(pickle.dumps(("STRING", [], [])))
        declared = Outputs(described, "orders", telemetry)
        assert declared.side("audit", object(), str) is None
        assert declared.side("audit", object(), str) is None
        assert telemetry.counters == {"droppedSideOutputs": 2}


class TestStepOutputs:
    def test_nothing_is_written_for_nothing(self) -> None:
        assert StepOutputs().take() == ()

    def test_numbers_are_written_if_there_are_side_outputs(self) -> None:
        step = StepOutputs()
        step.add((None, "a"))
        assert list(map(pickle.loads, step.take())) == [(("a",), None)]
        step.add((None, "a"))
        step.add((1, "b"))
        assert list(map(pickle.loads, step.take())) == [(("a", "b"), (None, 1))]
        assert len(step) == 0

    def test_no_pickle_is_larger_than_an_array_of_java(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from pyflink_durable.runtime.values import outputs as module

        monkeypatch.setattr(module, "_LARGEST_PICKLE", 200)
        step = StepOutputs()
        values = ["a" * 90, "b" * 90, "c" * 90, "d" * 300, "e"]
        for number, value in enumerate(values):
            step.add((number or None, value))
        written = list(map(pickle.loads, step.take()))
        assert [value for part, _ in written for value in part] == values
        assert [number for _, part in written for number in part] == [None, 1, 2, 3, 4]
        assert len(written) > 2
