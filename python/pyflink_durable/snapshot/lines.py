"""Reads the lines that the jar's reader prints; its class `Lines` is the other half."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from typing import Any

from pyflink_durable.runtime.journal.slot_kind import SlotKind
from pyflink_durable.snapshot.content import (
    Content,
    Invocation,
    KeptState,
    OperatorInfo,
    Payload,
    Slot,
    UnclaimedSlot,
)

_NONE = -1


def operators_of(line: dict[str, Any], uids: dict[str, str]) -> list[OperatorInfo]:
    """The durable operators of a snapshot.

    Args:
        line: The line that tells them.
        uids: Uids that are known otherwise, by the ids of operators.
    """
    return [
        OperatorInfo(id, uid or uids.get(id), name, parallelism, max_parallelism, size)
        for id, uid, name, parallelism, max_parallelism, size in line["operators"]
    ]


def content_of(line: dict[str, Any], operator: OperatorInfo) -> Iterator[Content]:
    """What a line says of a key."""
    key, group = _bytes(line["key"]), line["group"]
    kind = line["line"]
    if kind == "key":
        yield from _invocations(line, operator, key, group)
    elif kind == "state":
        yield KeptState(operator, key, _state(line["state"]), group)
    else:
        number, *fields = line["slot"]
        slot = _slot([number, *fields]) if fields else None
        id, sequence = line["invocation"], line["sequence"]
        yield UnclaimedSlot(operator, key, id, sequence, number, slot, group)


def _invocations(
    line: dict[str, Any], operator: OperatorInfo, key: bytes | None, group: int
) -> Iterator[Invocation]:
    state, slots = _state(line["state"]), line["slots"]
    journal = tuple(map(_slot, slots))
    began = _known(slots[0][8]) if slots else None
    for place, (sequence, timestamp, version, size, data) in enumerate(line["inputs"]):
        first = place == 0
        yield Invocation(
            operator,
            key,
            sequence,
            timestamp,
            place,
            _payload(size, data),
            state,
            journal if first else (),
            began if first else None,
            group,
            version=version,
            parked=line["parked"],
        )


def _slot(fields: list[Any]) -> Slot:
    number, function_id, digest, status, attempt, completion, due, ended = fields[:8]
    repeatable, result_size, result, exception_size, exception, kind = fields[9:]
    return Slot(
        number,
        function_id,
        digest,
        status,
        attempt,
        _known(completion),
        _known(due),
        _known(ended),
        repeatable,
        _payload(result_size, result),
        _payload(exception_size, exception),
        SlotKind(kind),
    )


def _state(values: dict[str, Any]) -> dict[str, Payload]:
    return {name: Payload(size, _bytes(data)) for name, (size, data) in values.items()}


def _payload(size: int, data: str | None) -> Payload | None:
    return None if size == _NONE else Payload(size, _bytes(data))


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)


def _known(number: int) -> int | None:
    return None if number == _NONE else number
