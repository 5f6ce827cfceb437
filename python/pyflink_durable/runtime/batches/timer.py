"""The time that a batch of a ``def`` handler has; its deadline is in the journal.

An ``async def`` handler has timers of its loop for that, see `DurableTimers`.
"""

from __future__ import annotations

from pyflink_durable.runtime.journal.bridge import HoldKind
from pyflink_durable.runtime.journal.call import PlannedCall
from pyflink_durable.runtime.journal.call_journal import CallJournal
from pyflink_durable.runtime.journal.holds import Hold
from pyflink_durable.runtime.journal.own_slot import OwnSlot
from pyflink_durable.runtime.journal.slot_kind import SlotKind
from pyflink_durable.runtime.journal.times import due_in, now


class BatchTimer:
    """Starts the time, or goes on with it after a failure.

    Args:
        journal: The invocation's journal, in which the timer takes the next slot.
        seconds: How long the batch may take.

    Attributes:
        due: When the time is over, in milliseconds since the epoch.
    """

    def __init__(self, journal: CallJournal, seconds: float) -> None:
        self._journal = journal
        self._slot = OwnSlot(journal, SlotKind.BATCH_TIMER)
        self._completion: int | None = None
        if self._slot.is_filled:
            self._completion = self._slot.completion
            journal.note_replayed()
        due = self._slot.due
        self.due = due_in(seconds) if due is None else due
        self._slot.open(self.due)

    @property
    def is_over(self) -> bool:
        """Whether the time was over before a failure, or came while the job was down."""
        return self._completion is not None or self.due <= due_in(0)

    def covers(self, replayed: PlannedCall) -> bool:
        """Whether a call had ended before the time was over."""
        return self._completion is None or replayed.completion < self._completion

    def fire(self, hold: HoldKind | None) -> Hold | None:
        """Journals that the time is over, so that a replay gives up the same calls.

        Returns:
            What to wait for before the handler knows.
        """
        if self._completion is not None:
            return None
        self._journal.check_open()
        return self._slot.fill(None, None, now(), hold)
