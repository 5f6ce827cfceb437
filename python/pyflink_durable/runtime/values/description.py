"""Reads what Java says of the declared types."""

from __future__ import annotations

import pickle
from typing import Any, NamedTuple

from pyflink_durable.runtime.values.basic import (
    BigDecimal,
    Boolean,
    Bytes,
    Character,
    Integer,
    Pickled,
    Real,
    Text,
)
from pyflink_durable.runtime.values.fields import RowType, Tuple
from pyflink_durable.runtime.values.items import ItemsType, Map
from pyflink_durable.runtime.values.output_type import OutputType
from pyflink_durable.runtime.values.times import Date, DateTime, InstantOfTime, TimeOfDay


class Description(NamedTuple):
    """The types of an operator's outputs.

    Attributes:
        main: Of the main output.
        sides: Of the side outputs, by their tags, in the order of their numbers.
    """

    main: OutputType
    sides: dict[str, OutputType]


def read_description(described: bytes) -> Description:
    """Reads what `OutputValues.describe` has written."""
    main, tags, sides = pickle.loads(described)
    types = map(type_of, sides)
    return Description(type_of(main), dict(zip(tags, types, strict=True)))


def type_of(described: Any) -> OutputType:
    """Makes the type of one description: a name, or a tuple of it and the parts."""
    if isinstance(described, str):
        return _LEAVES[described]
    name, *parts = described
    if name == "ROW":
        names, *types = parts
        return RowType(names, list(map(type_of, types)))
    if name == "TUPLE":
        return Tuple(list(map(type_of, parts)))
    if name == "MAP":
        return Map(*map(type_of, parts))
    return ItemsType(name, type_of(parts[0]))


_LEAVES: dict[str, OutputType] = {
    leaf.name: leaf
    for leaf in (
        Boolean(),
        Integer("BYTE", 8),
        Integer("SHORT", 16),
        Integer("INT", 32),
        Integer("LONG", 64),
        Integer("BIG_INT", None),
        Real("FLOAT"),
        Real("DOUBLE"),
        BigDecimal(),
        Character(),
        Text(),
        Bytes(),
        Pickled(),
        Date("SQL_DATE"),
        Date("LOCAL_DATE"),
        TimeOfDay("SQL_TIME"),
        TimeOfDay("LOCAL_TIME"),
        DateTime("SQL_TIMESTAMP"),
        DateTime("LOCAL_DATE_TIME"),
        InstantOfTime(),
    )
}
