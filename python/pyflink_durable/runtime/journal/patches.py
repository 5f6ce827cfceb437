"""Decisions of a handler between its old code and its new one, for invocations in flight.

The place decides. Where the journal of an earlier run goes on behind it, that run has taken the old
code there, and so does this one. Where it does not, nothing has been done behind the place yet, and
the new code may do it. That it did is kept in a slot which no call has to match: a handler that
asks no more passes it over.
"""

from __future__ import annotations

from pyflink_durable.runtime.journal import times
from pyflink_durable.runtime.journal.bridge import PATCH, CallFields, Identity
from pyflink_durable.runtime.journal.call_journal import CallJournal

_LONGEST = 100


def is_patched(calls: CallJournal, patch: str) -> bool:
    """Whether an invocation takes the new code of a patch; once decided, everywhere.

    Raises:
        ValueError: The name is none.
    """
    patches = calls.patches
    if patch not in patches:
        _, found = _look_ahead(calls, patch)
        patches[patch] = found is None or found[1] == patch
        if patches[patch]:
            _keep(calls, patch)
    return patches[patch]


def require_patched(calls: CallJournal, patch: str) -> None:
    """Refuses an invocation that has taken the old code of a patch, which is gone.

    Raises:
        JournalMismatch: It has.
        ValueError: The name is none.
    """
    if patch not in calls.patches:
        slot, found = _look_ahead(calls, patch)
        if found is not None and found[0] != PATCH:
            calls.drop_mismatch(slot, found, Identity(PATCH, patch))


def _look_ahead(calls: CallJournal, patch: str) -> tuple[int, CallFields | None]:
    """What an earlier run has done next: the patch itself, or what is no patch; None for nothing.

    Of a journal without slots nothing is known, and it outlives no release.
    """
    if not isinstance(patch, str) or not 0 < len(patch) <= _LONGEST or not patch.isprintable():
        raise ValueError(
            f"a patch has a name of 1 to {_LONGEST} printable characters, not {patch!r}"
        )
    calls.check_open()
    slot, access = calls.size, calls.access
    if not access.concurrent:
        return slot, None
    found = access.read(slot)
    while found is not None and found[0] == PATCH and found[1] != patch:
        slot += 1
        found = access.read(slot)
    return slot, found


def _keep(calls: CallJournal, patch: str) -> None:
    if not calls.access.concurrent:
        return
    identity = Identity(PATCH, patch)
    slot, found = calls.take_slot(identity)
    if found is not None:
        calls.access.replayed(slot, identity)
        calls.note_replayed()
        return
    at = max(times.now(), calls.clock.micros)
    calls.access.schedule(slot, identity, 1, at // 1000, repeatable=True)
    calls.access.finalize(slot, identity, calls.dump_own(True, bool, slot), None, at)
