"""Random types in each other, each with random values."""

from __future__ import annotations

import string
from typing import Any

from hypothesis import strategies as st
from pyflink.common import Row, RowKind, TypeInformation, Types
from pyflink.common.time import Instant
from type_cases import TimeType, local_time

Typed = tuple[TypeInformation, st.SearchStrategy[Any]]
"""A type, and what makes values of it."""


def integers(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


LEAVES: list[Typed] = [
    (Types.BOOLEAN(), st.booleans()),
    (Types.BYTE(), integers(8)),
    (Types.SHORT(), integers(16)),
    (Types.INT(), integers(32)),
    (Types.LONG(), integers(64)),
    (Types.BIG_INT(), st.integers()),
    (Types.FLOAT(), st.floats(width=32)),
    (Types.DOUBLE(), st.floats()),
    (Types.BIG_DEC(), st.decimals(allow_nan=False, allow_infinity=False)),
    (Types.CHAR(), st.characters(max_codepoint=0xFFFF)),
    (Types.STRING(), st.text(st.characters(exclude_categories=()))),
    (Types.PRIMITIVE_ARRAY(Types.BYTE()), st.binary()),
    (Types.PICKLED_BYTE_ARRAY(), st.dictionaries(st.text(), st.none() | st.integers())),
    (Types.SQL_DATE(), st.dates()),
    (local_time(TimeType.LOCAL_DATE), st.dates()),
    (local_time(TimeType.LOCAL_TIME), st.times()),
    (Types.SQL_TIMESTAMP(), st.datetimes()),
    (local_time(TimeType.LOCAL_DATE_TIME), st.datetimes()),
    (Types.INSTANT(), st.builds(Instant, integers(40), st.integers(0, 999_999_999))),
    (Types.SQL_TIME(), st.times().map(lambda t: t.replace(microsecond=0))),
    (Types.PRIMITIVE_ARRAY(Types.LONG()), st.lists(integers(64))),
    (Types.PRIMITIVE_ARRAY(Types.DOUBLE()), st.lists(st.floats())),
    (Types.BASIC_ARRAY(Types.STRING()), st.lists(st.none() | st.text())),
]


@st.composite
def rows(draw: st.DrawFn, inner: st.SearchStrategy[Typed]) -> Typed:
    names = draw(st.lists(st.sampled_from(string.ascii_letters), unique=True, max_size=4))
    types, values = (
        zip(*draw(st.lists(inner, min_size=len(names), max_size=len(names))), strict=True)
        if names
        else ((), ())
    )

    @st.composite
    def row(draw: st.DrawFn) -> Row:
        fields = [draw(st.none() | value) for value in values]
        made = Row(**dict(zip(names, fields, strict=True)))
        made.set_field_names(names)
        made.set_row_kind(draw(st.sampled_from(RowKind)))
        return made

    return Types.ROW_NAMED(names, list(types)), row()


@st.composite
def tuples(draw: st.DrawFn, inner: st.SearchStrategy[Typed]) -> Typed:
    types, values = zip(*draw(st.lists(inner, min_size=1, max_size=4)), strict=True)
    return Types.TUPLE(list(types)), st.tuples(*values)


@st.composite
def collections(draw: st.DrawFn, inner: st.SearchStrategy[Typed]) -> Typed:
    type_info, values = draw(inner)
    # a list of bytes is bytes, as PyFlink's workers have it
    lists = st.binary(max_size=4) if type_info == Types.BYTE() else st.lists(values, max_size=4)
    return draw(
        st.sampled_from(
            [
                (Types.OBJECT_ARRAY(type_info), st.lists(st.none() | values, max_size=4)),
                (Types.LIST(type_info), lists),
                (
                    Types.MAP(Types.STRING(), type_info),
                    st.dictionaries(st.text(), st.none() | values, max_size=4),
                ),
            ]
        )
    )


def nested(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    return rows(inner) | tuples(inner) | collections(inner)


types = st.recursive(st.sampled_from(LEAVES), nested, max_leaves=6)
"""Types, each with what makes values of it."""
