"""Rows and tuples."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pyflink.common import Row, RowKind

from pyflink_durable.runtime.values.items import sequence
from pyflink_durable.runtime.values.misfit import Misfit
from pyflink_durable.runtime.values.output_type import OutputType

_MOST_PLANS = 256


class _Plan(NamedTuple):
    """What is to be done with fields of certain Python types; nothing, with most fields."""

    limited: tuple[tuple[int, Any, Any], ...]
    converted: tuple[int, ...]


class Fields:
    """Values of several types, each in its place.

    A field of the right Python type need not be asked about. So the types of all fields are looked
    up together: that costs a third of asking each.

    Args:
        types: The declared types.
        names: What the fields are called.
        nullable: Whether Flink can write missing ones.
    """

    def __init__(self, types: Sequence[OutputType], names: Sequence[str], nullable: bool) -> None:
        self._types = types
        self._names = names
        self._nullable = nullable
        self._plans: dict[tuple[type, ...], _Plan] = {}

    def plain(self, values: Iterable[Any]) -> list[Any]:
        """Their plain forms; there are as many as types."""
        fields = list(values)
        kinds = tuple(map(type, fields))
        limited, converted = self._plans.get(kinds) or self._plan(kinds)
        for place, lowest, highest in limited:
            if not lowest <= fields[place] <= highest:
                fields[place] = self._one(place, fields[place])
        for place in converted:
            fields[place] = self._one(place, fields[place])
        return fields

    def _plan(self, kinds: tuple[type, ...]) -> _Plan:
        limited, converted = [], []
        for place, (kind, declared) in enumerate(zip(kinds, self._types, strict=True)):
            if kind is type(None) and (self._nullable or declared.nullable):
                continue
            if kind is not declared.exact:
                converted.append(place)
            elif declared.limits is not None:
                limited.append((place, *declared.limits))
        if len(self._plans) >= _MOST_PLANS:  # the handler makes classes as it goes
            self._plans.clear()
        self._plans[kinds] = plan = _Plan(tuple(limited), tuple(converted))
        return plan

    def _one(self, place: int, value: Any) -> Any:
        try:
            return self._types[place].plain(value)
        except Misfit as misfit:
            raise misfit.inside(self._names[place]) from None


class Tuple(OutputType):
    """Tuples: the plain form is a list."""

    def __init__(self, types: Sequence[OutputType]) -> None:
        self.name = f"TUPLE({', '.join(field.name for field in types)})"
        self._size = len(types)
        places = [f"[{place}]" for place in range(self._size)]
        self._fields = Fields(types, places, nullable=False)

    def plain(self, value: Any) -> list[Any]:
        fields = value._values if isinstance(value, Row) else sequence(value)
        if fields is None:
            raise Misfit(value, self.name)
        if len(fields) != self._size:
            raise Misfit(value, self.name, f"It has {len(fields)} fields")
        return self._fields.plain(fields)


class RowType(OutputType):
    """Rows: the plain form is a list; of a row that is no insert, its kind and that list.

    A value that names its fields is taken by name, any other by position.

    Args:
        names: Of the fields.
        types: Of the fields.
    """

    def __init__(self, names: Sequence[str], types: Sequence[OutputType]) -> None:
        self._names = list(names)
        shown = (f"{name} {field.name}" for name, field in zip(names, types, strict=True))
        self.name = f"ROW({', '.join(shown)})"
        self._has_own_names = self._names != [f"f{place}" for place in range(len(names))]
        self._fields = Fields(types, self._names, nullable=True)

    def plain(self, value: Any) -> Any:
        if not isinstance(value, Row):
            values = self._by_name(value)
            return self._fields.plain(self._by_position(value, value) if values is None else values)
        named, values = value.__dict__.get("_fields"), value._values
        if len(values) != len(self._names):
            raise Misfit(value, self.name, f"It has {len(values)} fields")
        if named is not None and named != self._names:
            values = self._in_order(value, named, dict(zip(named, values, strict=True)).__getitem__)
        fields = self._fields.plain(values)
        kind = value._row_kind
        return fields if kind is RowKind.INSERT else (kind.value, fields)

    def _by_name(self, value: Any) -> list[Any] | None:
        if isinstance(value, Mapping):
            return self._in_order(value, value, value.__getitem__)
        names: Sequence[str] | None = None
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = [field.name for field in dataclasses.fields(value)]
        elif isinstance(value, tuple) and self._has_own_names:
            names = getattr(value, "_fields", None)
        if names is None:
            return None
        return self._in_order(value, names, lambda name: getattr(value, name))

    def _in_order(self, value: Any, names: Iterable[str], get: Callable[[str], Any]) -> list[Any]:
        if set(names) != set(self._names):
            hint = "" if self._has_own_names else "; name them with Types.ROW_NAMED"
            given = ", ".join(map(str, names))
            raise Misfit(value, self.name, f"Its fields are {given}{hint}")
        return [get(name) for name in self._names]

    def _by_position(self, value: Any, fields: Any) -> Sequence[Any]:
        values = sequence(fields)
        if values is None:
            raise Misfit(value, self.name)
        if len(values) != len(self._names):
            raise Misfit(value, self.name, f"It has {len(values)} fields")
        return values
