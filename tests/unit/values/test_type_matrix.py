"""Values of all types, in each other, as PyFlink's workers (process mode) write and read them."""

from __future__ import annotations

from typing import Any

import pytest
from crossing import Crossing
from pyflink.common import Row, RowKind, Types
from type_cases import LEAVES, LEAVES_OF_OURS, NUMBERS, nested, same


def check(type_info: Any, values: list[Any]) -> None:
    """In each direction, a handler sees and gives what a worker would."""
    crossing = Crossing(type_info)
    from_worker = crossing.from_worker(values)
    expected = crossing.to_worker(from_worker)
    assert_same(crossing.into(from_worker), expected)
    assert_same(crossing.as_keys(from_worker), expected)
    assert_same(crossing.to_worker(crossing.out(values)), expected)
    assert_same(crossing.there_and_back(values), expected)


def assert_same(seen: list[Any], expected: list[Any]) -> None:
    """Says of rows which of their fields differ."""
    assert len(seen) == len(expected)
    for one, other in zip(seen, expected, strict=True):
        if isinstance(one, Row):
            assert one._fields == other._fields
            fields = zip(one._fields, one, other, strict=True)
            assert [field for field in fields if not same(field[1], field[2])] == []
        assert same(one, other), (one, other)


@pytest.mark.parametrize("leaf", LEAVES)
def test_at_the_top(leaf: str) -> None:
    check(LEAVES[leaf].type_info, LEAVES[leaf].values)


@pytest.mark.parametrize("leaf", LEAVES)
def test_in_each_other(leaf: str) -> None:
    check(*nested(LEAVES[leaf]))


@pytest.mark.parametrize("leaf", LEAVES_OF_OURS)
def test_where_workers_fail(leaf: str) -> None:
    kind = LEAVES_OF_OURS[leaf]
    assert_same(Crossing(kind.type_info).there_and_back(kind.values), kind.values)
    type_info, rows = nested(kind)
    seen = Crossing(type_info).there_and_back(rows)
    assert_same(seen, rows)


@pytest.mark.parametrize("leaf", LEAVES)
def test_as_keys_of_a_map(leaf: str) -> None:
    if leaf in ("PICKLED", "BYTES", "INSTANT"):
        return  # Java compares the first two by identity, and PyFlink's Instant has no hash
    kind = LEAVES[leaf]
    check(Types.MAP(kind.type_info, Types.INT()), [dict(zip(kind.values, range(9), strict=False))])


@pytest.mark.parametrize("number", NUMBERS)
def test_arrays_of_numbers(number: str) -> None:
    values = LEAVES[number].values
    lists = [values, [], values * 1000]
    check(Types.PRIMITIVE_ARRAY(NUMBERS[number]), lists)
    check(Types.BASIC_ARRAY(NUMBERS[number]), [*lists, [*values, None]])
    rows = [Row(f0=[values, values[:1]], f1=None), Row(f0=None, f1=values)]
    array = Types.PRIMITIVE_ARRAY(NUMBERS[number])
    check(Types.ROW([Types.OBJECT_ARRAY(array), array]), rows)


def test_arrays_of_text_and_of_characters() -> None:
    check(Types.BASIC_ARRAY(Types.STRING()), [[*LEAVES["STRING"].values, None], []])
    characters = LEAVES_OF_OURS["CHAR"].values
    for array in (Types.PRIMITIVE_ARRAY, Types.BASIC_ARRAY):
        crossing = Crossing(array(Types.CHAR()))
        assert_same(crossing.there_and_back([characters, []]), [characters, []])


def test_a_list_of_bytes_is_bytes() -> None:
    check(Types.LIST(Types.BYTE()), [b"", b"\0\x7f\xff"])


def test_rows_of_all_kinds() -> None:
    rows = [Row.of_kind(kind, 1, [Row.of_kind(kind, "a")]) for kind in RowKind]
    check(Types.ROW([Types.INT(), Types.OBJECT_ARRAY(Types.ROW([Types.STRING()]))]), rows)


def test_what_is_missing_in_all_places_that_flink_has_for_it() -> None:
    for leaf in ("STRING", "BIG_DEC", "SQL_DATE", "SQL_TIME", "INSTANT", "LOCAL_DATE_TIME"):
        kind = LEAVES[leaf].type_info
        tuples = [(None, LEAVES[leaf].values[0]), (LEAVES[leaf].values[0], None)]
        assert_same(Crossing(Types.TUPLE([kind, kind])).there_and_back(tuples * 2), tuples * 2)
        assert Crossing(kind).there_and_back([None]) == [None]


@pytest.mark.parametrize("leaf", ["BOOLEAN", "INT", "DOUBLE", "SQL_TIMESTAMP", "BYTES"])
def test_what_is_missing_where_flink_has_no_place_for_it(leaf: str) -> None:
    """It would fail in a serializer, or have it misread what comes next, as of a timestamp."""
    kind = LEAVES[leaf].type_info
    for type_info, value in [
        (kind, None),
        (Types.TUPLE([kind]), (None,)),
        (Types.LIST(kind), [None]),
    ]:
        with pytest.raises(TypeError, match="None, a NoneType, is no "):
            Crossing(type_info).out([value])


def test_a_leaf_of_each_of_pyflinks_types() -> None:
    basic = {"BOOLEAN", "BYTE", "SHORT", "INT", "LONG", "FLOAT", "DOUBLE", "CHAR", "STRING"}
    basic |= {"BIG_INT", "BIG_DEC", "INSTANT"}
    times = {"SQL_DATE", "SQL_TIME", "SQL_TIMESTAMP", "LOCAL_DATE", "LOCAL_TIME", "LOCAL_DATE_TIME"}
    nestings = {"ROW", "ROW_NAMED", "TUPLE", "OBJECT_ARRAY", "BASIC_ARRAY", "PRIMITIVE_ARRAY"}
    nestings |= {"MAP", "LIST"}
    known = {name for name in vars(Types) if name.isupper()}
    assert known - nestings == {*basic, "PICKLED_BYTE_ARRAY"} | {t for t in times if "SQL" in t}
    assert (basic | times) <= {*LEAVES, *LEAVES_OF_OURS}
