"""Reads histories: the lines that `DurableOptions(history=True)` makes of what has ended."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pyflink_durable.inspection.findings import Condition
from pyflink_durable.snapshot import (
    Invocation,
    OperatorInfo,
    Payload,
    Slot,
    SlotKind,
    SnapshotError,
)


@dataclass(frozen=True)
class EndedInvocation(Invocation):
    """An invocation that is done with.

    Attributes:
        ended: When, in microseconds since the epoch.
        failed: Whether its input became a dead letter.
        own_id: What the operator's ``invocation_id`` gave, or its number.
    """

    ended: int
    failed: bool
    own_id: int | str

    @property
    def condition(self) -> Condition:  # type: ignore[override]
        """How it ended."""
        return "failed" if self.failed else "ended"

    @property
    def id(self) -> int | str:  # type: ignore[override]
        """What it is known by."""
        return self.own_id


def is_history(path: str) -> bool:
    """Whether a path is a history and no snapshot: a file of lines, or a folder of such files."""
    place = Path(path.removeprefix("file:"))
    if place.is_dir():
        return not (place / "_metadata").is_file() and any(_files_of(place))
    return place.is_file() and place.name != "_metadata"


def read_history(path: str) -> Iterator[EndedInvocation]:
    """What has ended, in the order of the files.

    Raises:
        SnapshotError: A line is none of a history.
    """
    operators: dict[str, OperatorInfo] = {}
    for file in _files_of(Path(path.removeprefix("file:"))):
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield _invocation(json.loads(line), operators)
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    raise SnapshotError(
                        f"line {number} of {file} is none of a history ({error!r})"
                    ) from error


def _files_of(place: Path) -> Iterator[Path]:
    """A sink of Flink writes what is not committed yet to files whose names begin with a dot."""
    if place.is_file():
        yield place
        return
    for path in sorted(place.rglob("*")):
        if path.is_file() and not path.name.startswith((".", "_")):
            yield path


def _invocation(record: dict[str, Any], operators: dict[str, OperatorInfo]) -> EndedInvocation:
    uid = record["operator"]
    operator = operators.setdefault(uid, OperatorInfo("", uid, None, 0, 0, 0))
    return EndedInvocation(
        operator=operator,
        key_data=pickle.dumps(record["key"]),
        sequence=0,
        timestamp=None,
        place=0,
        input=None,
        state={},
        slots=tuple(_slot(slot) for slot in record["slots"]),
        began=_micros(record["began"] or record["ended"]),
        key_group=0,
        ended=_micros(record["ended"]),
        failed=record["condition"] == "failed",
        own_id=record["id"],
    )


_KINDS = {kind.shown: kind for kind in SlotKind}


def _slot(record: dict[str, Any]) -> Slot:
    kind, name = _KINDS[record["kind"]], record["name"]
    return Slot(
        record["slot"],
        name if kind is SlotKind.CALL else name.removeprefix(kind.shown).lstrip(),
        record["digest"],
        record["status"],
        record["attempt"],
        None,
        None,
        record["endedMicros"],
        False,
        _payload(record["resultBytes"]),
        _payload(record["exceptionBytes"]),
        kind,
    )


def _payload(size: int | None) -> Payload | None:
    return None if size is None else Payload(size, None)


def _micros(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1e6)
