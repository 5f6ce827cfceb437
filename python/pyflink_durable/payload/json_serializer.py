"""JSON in the journal, by pydantic and the declared types."""

from __future__ import annotations

from math import isfinite
from typing import Any, NewType

from pydantic import ConfigDict, TypeAdapter
from pydantic_core import from_json, to_json

_AS_TEXT = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
_MOST_ADAPTERS = 1024
_LEAVES = frozenset({type(None), bool, int, str})


class JsonSerializer:
    """Writes results, exceptions and `ctx.state` as JSON, so that everybody can read the journal.

    By pydantic, and the type that the function of a call declares as its result, or the call's
    ``result_type=``; for `ctx.state` that of ``DurableOptions(state_types=...)``. What declares
    none may be what JSON itself carries: None, bool, int, float, str, and lists and dicts of them.
    """

    name = "json"

    def __init__(self) -> None:
        self._adapters: dict[Any, TypeAdapter[Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"_adapters": {}}

    def dumps(self, value: Any, type: Any) -> bytes:
        """See `Serializer`."""
        if type is None:
            check_plain_data(value)
            return to_json(value)
        return self.adapter(type).dump_json(value, warnings="error")

    def loads(self, data: bytes, type: Any) -> Any:
        """See `Serializer`."""
        return from_json(data) if type is None else self.adapter(type).validate_json(data)

    def check_type(self, type: Any) -> None:
        """Raises if there can be no values of a type in JSON."""
        if type is not None:
            self.adapter(type)

    def adapter(self, type: Any) -> TypeAdapter[Any]:
        """What reads and writes values of a type."""
        try:
            adapter = self._adapters.get(type)
        except TypeError:  # not hashable
            return _adapter_of(type)
        if adapter is None:
            if len(self._adapters) >= _MOST_ADAPTERS:  # the handler makes types as it goes
                self._adapters.clear()
            adapter = self._adapters[type] = _adapter_of(type)
        return adapter


def _adapter_of(type: Any) -> TypeAdapter[Any]:
    # under another name: a configuration of its own would not be taken for a dataclass
    return TypeAdapter(_renamed("Payload", type), config=_AS_TEXT)


_renamed: Any = NewType


def check_plain_data(value: Any) -> None:
    """Raises if JSON would make something else of a value.

    Raises:
        TypeError: It does.
    """
    kind = type(value)
    if kind in _LEAVES or (kind is float and isfinite(value)):
        return
    if kind is list:
        if not _LEAVES.issuperset(map(type, value)):
            for item in value:
                check_plain_data(item)
    elif kind is dict and set(map(type, value)) <= {str}:
        if not _LEAVES.issuperset(map(type, value.values())):
            for item in value.values():
                check_plain_data(item)
    else:
        what = (
            "a float that is no number" if kind is float else f"{kind.__module__}.{kind.__name__}"
        )
        if kind is dict:
            what = "a dict with keys that are not str"
        raise TypeError(f"has no declared type, and JSON does not carry {what} in it")
