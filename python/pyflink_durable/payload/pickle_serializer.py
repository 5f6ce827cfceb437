"""Pickle in the journal, which is the default."""

from __future__ import annotations

from typing import Any

from pyflink_durable.payload.picklers import dumps, loads


class PickleSerializer:
    """Writes any Python object, as pickle and cloudpickle do; the default.

    Whoever can write to the checkpoints or the call log runs code in the TaskManagers with it.
    """

    name = "pickle"

    def dumps(self, value: Any, type: Any) -> bytes:
        """See `Serializer`."""
        return dumps(value)

    def loads(self, data: bytes, type: Any) -> Any:
        """See `Serializer`."""
        return loads(data)
