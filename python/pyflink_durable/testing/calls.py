"""What became of the calls of a run, over all of its attempts."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from typing import Any

from pyflink_durable.payload.described import Owner
from pyflink_durable.payload.frame import is_pickle
from pyflink_durable.payload.payloads import Payloads
from pyflink_durable.runtime.journal.bridge import PENDING
from pyflink_durable.runtime.journal.slot_kind import SlotKind
from pyflink_durable.testing.crashes import fits, name_of
from pyflink_durable.testing.memory_journal import Slot, Slots


class RunCall:
    """One call of a run.

    Attributes:
        name: Its function id, or its durable_id.
        input: The number of the input whose handler made it.
        slot: Its place in the journal of its invocation.
        attempts: How often its function was started, over all crashes.
        asked: How often its reconciler was asked.
        reconciled: Whether its reconciler told the outcome.
        replayed: How often the handler was given its outcome from the journal.
    """

    __slots__ = (
        "_journaled",
        "_owner",
        "_payloads",
        "asked",
        "attempts",
        "input",
        "name",
        "reconciled",
        "replayed",
        "slot",
    )

    def __init__(self, name: str, input: int, slot: int) -> None:
        self.name = name
        self.input = input
        self.slot = slot
        self.attempts = 0
        self.asked = 0
        self.reconciled = False
        self.replayed = 0
        self._journaled: Slot | None = None

    def close(self, journaled: Slot, payloads: Payloads, owner: Owner) -> None:
        """Takes what its slot holds, and what reads it."""
        self._journaled, self._payloads, self._owner = journaled, payloads, owner

    @property
    def status(self) -> str:
        """PENDING, SUCCEEDED or FAILED."""
        return PENDING if self._journaled is None else self._journaled.status

    @property
    def result(self) -> Any:
        """What it gave, None if it has not succeeded; of a JSON journal, as JSON says it."""
        slot = self._journaled
        if slot is None or slot.result is None:
            return None
        data = self._payloads.open(slot.result, "result", self._owner, self.slot)
        assert data is not None
        return pickle.loads(data) if is_pickle(data) else json.loads(data)

    @property
    def error(self) -> BaseException | None:
        """What it raised, None if it has not failed."""
        slot = self._journaled
        if slot is None or slot.exception is None:
            return None
        return self._payloads.load_error(slot.exception, self._owner, self.slot)

    def __repr__(self) -> str:
        told = f"{self.name} slot={self.slot} {self.status} attempts={self.attempts}"
        return f"<{told} asked={self.asked} replayed={self.replayed}>"


class RunCalls:
    """The calls of a run, in the order of their places in the journals of its inputs.

    Args:
        payloads: Reads what the journals hold.
    """

    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads
        self._calls: dict[tuple[int, int], RunCall] = {}

    def note(self, name: str, input: int, slot: int) -> RunCall:
        """The call of a slot; of another one that had it, nothing is left."""
        call = self._calls.get((input, slot))
        if call is None or call.name != name:
            call = self._calls[input, slot] = RunCall(name, input, slot)
        return call

    def close(self, input: int, slots: Slots, owner: Owner) -> None:
        """Takes what the journal of an input holds in the end."""
        for number, slot in enumerate(slots):
            if slot.kind is SlotKind.CALL:
                self.note(slot.function_id, input, number).close(slot, self._payloads, owner)

    def __getitem__(self, call: Any) -> RunCall:
        """The one call of a durable_id, or of a function, told by itself or its name."""
        found = self.all(call)
        if len(found) == 1:
            return found[0]
        names = sorted({one.name for one in self})
        if not found:
            raise KeyError(f"no call {name_of(call)!r} was made; there are {names}")
        raise KeyError(
            f"{len(found)} calls {name_of(call)!r} were made: take them with calls.all(...), or "
            "give each a durable_id"
        )

    def __contains__(self, call: object) -> bool:
        return bool(self.all(call))

    def all(self, call: Any) -> list[RunCall]:
        """All calls of a durable_id, or of a function."""
        wanted = name_of(call)
        return [one for one in self if fits(wanted, one.name)]

    def __iter__(self) -> Iterator[RunCall]:
        return iter(sorted(self._calls.values(), key=lambda call: (call.input, call.slot)))

    def __len__(self) -> int:
        return len(self._calls)

    def __repr__(self) -> str:
        return f"[{', '.join(map(repr, self))}]"
