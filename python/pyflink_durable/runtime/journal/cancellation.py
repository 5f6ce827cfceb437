"""The cancellation of an invocation by a signal: it has a slot, so every run is cancelled there."""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from functools import partial
from typing import Any

from pyflink_durable.errors import CallLogError, JournalMismatch
from pyflink_durable.runtime.journal.bridge import (
    PENDING,
    CallFields,
    HoldKind,
    completion_of,
    kind_of,
)
from pyflink_durable.runtime.journal.invocation_journal import InvocationJournal
from pyflink_durable.runtime.journal.own_slot import OwnSlot
from pyflink_durable.runtime.journal.signals import TAKEN, SignalLoop, SignalWaits, Taken
from pyflink_durable.runtime.journal.slot_kind import SlotKind
from pyflink_durable.runtime.journal.times import now
from pyflink_durable.signals import CANCEL


class Cancellation:
    """Cancels the task of one handler when a signal says so, once.

    Which slot it gets is the handler's doing: the one behind all that it has taken by then. In a
    replay it comes in its turn in the order of completion, when the handler has taken as many.

    Args:
        journal: The invocation's.
        number: The invocation's number in this attempt of the subtask.
        waits: The signals of the subtask.
        loop: That of the handler.
        task: The handler's.
        hold: What the cancellation waits for before the handler sees it.

    Attributes:
        number: As above.
        reason: Why it is cancelled; None if it is not.
    """

    def __init__(
        self,
        journal: InvocationJournal,
        number: int,
        waits: SignalWaits,
        loop: Any,
        task: asyncio.Task[Any],
        hold: HoldKind | None,
    ) -> None:
        self.number = number
        self.reason: str | None = None
        self._journal = journal
        self._waits = waits
        self._loop: SignalLoop = loop
        self._task = task
        self._hold = hold
        self._taken = False

    def begin(self) -> None:
        """Comes in its turn if the journal holds it; otherwise looks whether it was sent."""
        self._waits.watch(self)
        access = self._journal.access
        for number in range(access.kept):
            found = access.read(number)
            if found is not None and _is_filled(found):
                self._taken = True
                self._loop.replay_in_turn(
                    completion_of(found), partial(self._replay, number, found)
                )
                return
        self._waits.ask_to_look(self._loop.hand_over, self._loop, self.number)

    def end(self) -> None:
        """The invocation has ended: nothing cancels it any more."""
        self._waits.forget(self.number)

    def take(self) -> bool:
        """Takes the signal that cancels the invocation, if there is one."""
        if self._taken or self._journal.closed:
            return False
        taken = self._waits.source.takeSignal(self.number, CANCEL, str(self._journal.identity.id))
        if taken is None:
            return False
        number, signal_id, content = taken
        self._taken = True
        slot = OwnSlot(self._journal, SlotKind.CANCELLATION)
        self._fill(slot, (int(number), signal_id, b64encode(bytes(content)).decode("ascii")))
        return True

    def _fill(self, slot: OwnSlot, taken: Taken) -> None:
        at = now()
        slot.open(at // 1000, repeatable=False)  # who drops the slot would lose the signal in it
        hold = slot.fill(taken, TAKEN, at, self._hold)
        if hold is None:
            self._cancel(taken, at)
        else:
            hold.on_release(partial(self._released, slot.number, taken, at))

    def _released(self, slot: int, taken: Taken, at: int, error: str | None) -> None:
        """Cancels it, if the log has taken that.

        Raises:
            CallLogError: It has not. The signal is taken, so the task fails, which gives it back.
        """
        if error is not None:
            raise CallLogError(f"slot {slot}: a cancellation is not safe: {error}")
        self._cancel(taken, at)

    def _replay(self, number: int, found: CallFields) -> None:
        if self._journal.closed:
            return
        taken: Taken = self._journal.load_own(bytes(found[3]), TAKEN, number)
        if self._waits.logged:
            self._waits.source.signalTaken(self.number, taken[0], taken[1])
        try:
            slot = OwnSlot(self._journal, SlotKind.CANCELLATION)
        except JournalMismatch:  # the handler has taken another path, and other slots
            self._task.cancel()  # which fails the Flink task: the invocation is broken
            return
        if slot.is_filled:
            slot.replay(TAKEN)
            self._cancel(taken, slot.ended_at)
        else:
            self._fill(slot, taken)

    def _cancel(self, taken: Taken, at: int | None) -> None:
        self._journal.clock.move(at)
        self.reason = self._waits.load(b64decode(taken[2]), self._journal).value
        self._task.cancel()


def _is_filled(found: CallFields) -> bool:
    return kind_of(found) is SlotKind.CANCELLATION and found[2] != PENDING
