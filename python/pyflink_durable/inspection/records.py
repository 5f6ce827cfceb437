"""Invocations as JSON, for programs: one line each."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pyflink_durable.snapshot import Invocation, Payload, Slot


def record_of(invocation: Invocation) -> dict[str, Any]:
    """An invocation in plain words; payloads are in it if they were read."""
    record: dict[str, Any] = {
        "operator": invocation.operator.shown,
        "key": _plain(invocation.key),
        "id": invocation.id,
        "place": invocation.place,
        "version": invocation.version,
        "condition": invocation.condition,
        "parked": invocation.parked,
        "began": _moment(invocation.since),
        "waitsSince": _moment(invocation.waits_since) if invocation.place == 0 else None,
        "timestamp": invocation.timestamp,
        "inputBytes": _size(invocation.input),
        "stateBytes": {name: value.size for name, value in invocation.state.items()},
        "slots": [_slot(slot) for slot in invocation.slots],
    }
    if invocation.input is not None and invocation.input.data is not None:
        record["input"] = _plain(invocation.input.value)
        record["state"] = {name: _plain(value.value) for name, value in invocation.state.items()}
    return record


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _slot(slot: Slot) -> dict[str, Any]:
    record: dict[str, Any] = {
        "slot": slot.number,
        "kind": slot.kind.shown,
        "name": slot.name,
        "status": slot.status,
        "condition": slot.condition,
        "attempt": slot.attempt,
        "digest": slot.args_digest,
        "dueMillis": slot.due,
        "endedMicros": slot.ended,
        "resultBytes": _size(slot.result),
        "exceptionBytes": _size(slot.exception),
    }
    if slot.result is not None and slot.result.data is not None:
        record["result"] = _plain(slot.result.value)
    if slot.exception is not None and slot.exception.data is not None:
        record["exception"] = repr(slot.exception.value)
    return record


def _size(payload: Payload | None) -> int | None:
    return None if payload is None else payload.size


def _plain(value: Any) -> Any:
    """As JSON has it, or else as Python shows it."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return {name: _plain(item) for name, item in value.items()}
    return repr(value)
