"""Decisions of a handler between its old code and its new one, for invocations in flight.

The place decides. Where the journal of an earlier run goes on behind it, that run has taken the old
code there, and so does this one. Where it does not, nothing has been done behind the place yet, and
the new code may do it. That it did is kept in a slot which no call has to match: a handler that
asks no more passes it over.
"""

from __future__ import annotations

from pyflink_durable.runtime.journal import times
from pyflink_durable.runtime.journal.bridge import CallFields, Identity, holds, kind_of
from pyflink_durable.runtime.journal.invocation_journal import InvocationJournal
from pyflink_durable.runtime.journal.own_slot import OwnSlot
from pyflink_durable.runtime.journal.slot_kind import SlotKind

_LONGEST = 100


def is_patched(journal: InvocationJournal, patch: str) -> bool:
    """Whether an invocation takes the new code of a patch; once decided, everywhere.

    Raises:
        ValueError: The name is none.
    """
    patches = journal.patches
    if patch not in patches:
        _, found = _look_ahead(journal, patch)
        patches[patch] = found is None or holds(found, _identity_of(patch))
        if patches[patch]:
            _keep(journal, patch)
    return patches[patch]


def require_patched(journal: InvocationJournal, patch: str) -> None:
    """Refuses an invocation that has taken the old code of a patch, which is gone.

    Raises:
        JournalMismatch: It has.
        ValueError: The name is none.
    """
    if patch not in journal.patches:
        slot, found = _look_ahead(journal, patch)
        if found is not None and kind_of(found) is not SlotKind.PATCH:
            journal.drop_mismatch(slot, found, _identity_of(patch))


def _identity_of(patch: str) -> Identity:
    return Identity(patch, "", SlotKind.PATCH)


def _look_ahead(journal: InvocationJournal, patch: str) -> tuple[int, CallFields | None]:
    """What an earlier run has done next: the patch itself, or what is no patch; None for nothing.

    Of a journal without slots nothing is known, and it outlives no release.
    """
    if not isinstance(patch, str) or not 0 < len(patch) <= _LONGEST or not patch.isprintable():
        raise ValueError(
            f"a patch has a name of 1 to {_LONGEST} printable characters, not {patch!r}"
        )
    journal.check_open()
    slot, access = journal.size, journal.access
    if not access.concurrent:
        return slot, None
    found = access.read(slot)
    while found and kind_of(found) is SlotKind.PATCH and not holds(found, _identity_of(patch)):
        slot += 1
        found = access.read(slot)
    return slot, found


def _keep(journal: InvocationJournal, patch: str) -> None:
    if not journal.access.concurrent:
        return
    slot = OwnSlot(journal, SlotKind.PATCH, patch)
    if slot.is_filled:
        journal.note_replayed()
        return
    at = max(times.now(), journal.clock.micros)
    slot.open(at // 1000)
    slot.fill(True, bool, at)
