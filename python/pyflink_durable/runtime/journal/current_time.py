"""The time that a handler asks for: journaled, so that every run sees the same."""

from __future__ import annotations

from datetime import datetime, timezone

from pyflink_durable.runtime.journal import times
from pyflink_durable.runtime.journal.bridge import NOW, PENDING
from pyflink_durable.runtime.journal.call_journal import CallJournal
from pyflink_durable.runtime.journal.clock import micros_of


def read_time(calls: CallJournal) -> datetime:
    """The time in UTC, or the one that an earlier run of the handler saw here."""
    slot, found = calls.take_slot(NOW)
    if found is not None and found[2] != PENDING:
        calls.access.replayed(slot, NOW)
        calls.note_replayed()
        seen = calls.load_own(bytes(found[3]), datetime, slot)
        assert isinstance(seen, datetime)
    else:
        at = max(times.now(), calls.clock.micros)
        seen = datetime.fromtimestamp(at / 1_000_000, timezone.utc)
        if found is None:  # scheduled and not announced: it is no call, and counts as none
            calls.access.schedule(slot, NOW, 1, at // 1000, repeatable=True)
        calls.access.finalize(slot, NOW, calls.dump_own(seen, datetime, slot), None, at)
    calls.clock.move(micros_of(seen.timestamp()))
    return seen
