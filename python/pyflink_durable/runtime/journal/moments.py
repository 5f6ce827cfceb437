"""The time that a handler asks for: journaled, so that every run sees the same."""

from __future__ import annotations

from datetime import datetime, timezone

from pyflink_durable.runtime.journal import times
from pyflink_durable.runtime.journal.clock import micros_of
from pyflink_durable.runtime.journal.invocation_journal import InvocationJournal
from pyflink_durable.runtime.journal.own_slot import OwnSlot
from pyflink_durable.runtime.journal.slot_kind import SlotKind


def read_time(journal: InvocationJournal) -> datetime:
    """The time in UTC, or the one that an earlier run of the handler saw here."""
    slot = OwnSlot(journal, SlotKind.MOMENT)
    if slot.is_filled:
        seen = slot.replay(datetime)
        assert isinstance(seen, datetime)
    else:
        at = max(times.now(), journal.clock.micros)
        seen = datetime.fromtimestamp(at / 1_000_000, timezone.utc)
        slot.open(at // 1000)
        slot.fill(seen, datetime, at)
    journal.clock.move(micros_of(seen.timestamp()))
    return seen
