"""Arrays, lists and maps."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import Any

from pyflink_durable.runtime.values.misfit import Misfit
from pyflink_durable.runtime.values.output_type import OutputType


def sequence(value: Any) -> Sequence[Any] | None:
    """A list or tuple of what is in a sequence, None if it is none: text is none, nor is a set."""
    if type(value) in (list, tuple):
        return value  # type: ignore[no-any-return]
    if isinstance(value, array) or getattr(value, "shape", ()) != ():  # the latter is of NumPy
        return value.tolist()  # type: ignore[no-any-return]
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray, memoryview)):
        return list(value)
    return None


class Items:
    """Many values of one type.

    Args:
        of: Their type.
        nullable: Whether Flink can write missing ones among them.
    """

    def __init__(self, of: OutputType, nullable: bool) -> None:
        self._of = of
        self._nullable = nullable or of.nullable

    def plain(self, items: Sequence[Any], labels: Sequence[Any] | None = None) -> Sequence[Any]:
        """Their plain forms; `labels` name them in an error, in place of their numbers."""
        kinds = set(map(type, items))
        missing = type(None) in kinds and self._nullable
        if missing:
            kinds.discard(type(None))
        if kinds <= {self._of.exact} and self._within_limits(items, missing):
            return tuple(items)
        return list(map(self._one, items, range(len(items)) if labels is None else labels))

    def _within_limits(self, items: Sequence[Any], missing: bool) -> bool:
        if self._of.limits is None:
            return True
        numbers = [item for item in items if item is not None] if missing else items
        lowest, highest = self._of.limits
        return not numbers or (lowest <= min(numbers) and max(numbers) <= highest)

    def _one(self, item: Any, label: Any) -> Any:
        if item is None and self._nullable:
            return None
        try:
            return self._of.plain(item)
        except Misfit as misfit:
            raise misfit.inside(f"[{label!r}]") from None


class ItemsType(OutputType):
    """Arrays, of objects or of primitive numbers, and lists.

    Args:
        name: Of the type itself.
        item: The type of the items.
    """

    def __init__(self, name: str, item: OutputType) -> None:
        self.name = f"{name}({item.name})"
        self._items = Items(item, nullable=name == "OBJECT_ARRAY")

    def plain(self, value: Any) -> Sequence[Any]:
        items = sequence(value)
        if items is None:
            raise Misfit(value, self.name)
        return self._items.plain(items)


class Map(OutputType):
    """Dicts: the plain form is the keys, and then the values."""

    def __init__(self, key: OutputType, item: OutputType) -> None:
        self.name = f"MAP({key.name}, {item.name})"
        self._keys = Items(key, nullable=False)
        self._items = Items(item, nullable=True)

    def plain(self, value: Any) -> tuple[Sequence[Any], Sequence[Any]]:
        if not isinstance(value, Mapping):
            raise Misfit(value, self.name)
        keys = list(value)
        items = [value[key] for key in keys]
        return self._keys.plain(keys, keys), self._items.plain(items, keys)
