"""Signals that a handler has seen and not taken: every run sees the same."""

from __future__ import annotations

from base64 import b64decode

from pyflink_durable.runtime.journal.invocation_journal import InvocationJournal
from pyflink_durable.runtime.journal.own_slot import OwnSlot
from pyflink_durable.runtime.journal.signals import SignalWaits, text_of
from pyflink_durable.runtime.journal.slot_kind import SlotKind
from pyflink_durable.runtime.journal.times import now
from pyflink_durable.signals import Signal


def pending_signals(
    journal: InvocationJournal, number: int, waits: SignalWaits, name: str
) -> list[Signal]:
    """The signals of a name that are there, or were when an earlier run of the handler looked."""
    slot = OwnSlot(journal, SlotKind.PENDING_SIGNALS, name)
    if slot.is_filled:
        contents = slot.replay(list[str])
        at = slot.ended_at
    else:
        invocation = str(journal.identity.id)
        there = waits.source.lookForSignals(number, name, invocation)
        contents = [text_of(bytes(one)) for one in there]
        at = max(now(), journal.clock.micros)
        slot.open(at // 1000)
        slot.fill(contents, list[str], at)
    journal.clock.move(at)
    return [waits.load(b64decode(content), journal) for content in contents]
