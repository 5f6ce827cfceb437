"""Journals in files: what a handler did in one release, for the next one to be held against."""

from __future__ import annotations

import base64
import json
import os
import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyflink_durable.payload.frame import is_pickle
from pyflink_durable.payload.results import load_exception, load_result
from pyflink_durable.runtime.journal.slot_kind import SlotKind
from pyflink_durable.testing.memory_journal import Slot, Slots
from pyflink_durable.testing.world import UID, Input, inputs_of

FORMAT = 1
"""Of the files; a newer one is refused."""


@dataclass(frozen=True)
class SavedJournal:
    """The journal of one invocation, with its input.

    Attributes:
        payload: The pickled input.
        key: The pickled key.
        sequence: The number of the input among those of its key.
        timestamp: Its event time in milliseconds, None if it has none.
        slots: The calls.
        ended: Whether the handler had ended: then it makes no call but these.
        state: Pickled values that it found in the state of the key.
        name: Its file.
        uid: The operator's.
    """

    payload: bytes
    key: bytes
    sequence: int
    timestamp: int | None
    slots: Slots
    ended: bool
    state: Mapping[str, bytes]
    name: str = ""
    uid: str = UID

    @classmethod
    def of(
        cls, input: Input, slots: Slots, ended: bool, state: Mapping[str, bytes]
    ) -> SavedJournal:
        """The journal of an input of a run."""
        key = pickle.dumps(input.key)
        return cls(input.payload, key, input.sequence, input.timestamp, slots, ended, state)

    def __len__(self) -> int:
        return len(self.slots)

    def __getitem__(self, slot: int) -> Slot:
        return self.slots[slot]

    @property
    def statuses(self) -> list[str]:
        """The status of each slot."""
        return [slot.status for slot in self.slots]

    def input(self) -> Input:
        """The input, as that of a run of its own."""
        [input] = inputs_of([None], lambda _: pickle.loads(self.key), self.timestamp)
        return input._replace(payload=self.payload, sequence=self.sequence, uid=self.uid)

    # ---------------------------------------------------------------- files

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes it to a file, which goes into the repository.

        Args:
            path: The file; folders in front of it are made.
        """
        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        written = {
            "format": FORMAT,
            "value": _text(self.payload),
            "key": _text(self.key),
            "sequence": self.sequence,
            "timestamp": self.timestamp,
            "ended": self.ended,
            "state": {name: _text(value) for name, value in self.state.items()},
            "slots": [_readable(slot) for slot in self.slots],
        }
        file.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SavedJournal:
        """Reads a file that `save` has written.

        Raises:
            ValueError: A newer release has written it, or it is no journal.
        """
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise ValueError(
                f"{path} is no journal of format {FORMAT}: a newer release may have written it"
            )
        return cls(
            _bytes(found["value"]),
            _bytes(found["key"]),
            found["sequence"],
            found["timestamp"],
            tuple(_slot(one) for one in found["slots"]),
            found["ended"],
            {name: _bytes(value) for name, value in found["state"].items()},
            str(path),
        )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)


def _readable(slot: Slot) -> dict[str, Any]:
    """A slot as JSON; what is shown of its payload is for readers of a diff."""
    fields: dict[str, Any] = slot._asdict() | {"kind": slot.kind.value}
    for name, load in (("result", load_result), ("exception", load_exception)):
        payload = fields[name]
        if payload is not None:
            fields[name] = _text(payload)
            if is_pickle(payload):
                fields["shown"] = repr(load(payload))[:200]
    return fields


def _slot(fields: dict[str, Any]) -> Slot:
    fields = {name: value for name, value in fields.items() if name in Slot._fields}
    for name in ("result", "exception"):
        if fields[name] is not None:
            fields[name] = _bytes(fields[name])
    fields["kind"] = SlotKind(fields["kind"])
    return Slot(**fields)


def load_all(patterns: Sequence[str | os.PathLike[str]]) -> list[SavedJournal]:
    """Reads the files that patterns name.

    Raises:
        FileNotFoundError: There is none, and a test that looks at none would pass.
    """
    files: list[Path] = []
    for pattern in patterns:
        path = Path(pattern)
        root = Path(path.anchor) if path.is_absolute() else Path()
        found = sorted(root.glob(str(path.relative_to(path.anchor))))
        if not found:
            raise FileNotFoundError(f"no journal is at {pattern}")
        files += found
    return [SavedJournal.load(file) for file in files]
