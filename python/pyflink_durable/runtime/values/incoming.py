"""What the pickles that Java writes call: the operator's `Prologue` names it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pyflink.common import Row, RowKind


def row_type(names: Iterable[str]) -> Callable[..., Row]:
    """Makes a function that makes rows: of the list of their fields, and the number of their kind.

    `Row` itself takes five times as long: it checks each attribute that it sets on itself.
    """
    shared = list(names)
    new, insert = Row.__new__, RowKind.INSERT
    of_a_row = dict.fromkeys(vars(Row()))  # Flink 1.20 has no `_from_dict`
    if "_from_dict" in of_a_row:
        of_a_row["_from_dict"] = False

    def make_row(values: list[Any], kind: int | None = None) -> Row:
        row = new(Row)
        fields = row.__dict__
        fields.update(of_a_row)
        fields["_values"] = values
        fields["_row_kind"] = insert if kind is None else RowKind(kind)
        fields["_fields"] = shared
        return row

    return make_row
