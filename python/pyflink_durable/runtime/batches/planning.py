"""The slots of calls that are made together."""

from __future__ import annotations

from collections.abc import Sequence

from pyflink_durable.runtime.journal.bridge import (
    NO_TIME,
    PENDING,
    CallFields,
    Identity,
    attempt_of,
    completion_of,
    due_of,
    ended_at,
    is_repeatable,
    kind_of,
)
from pyflink_durable.runtime.journal.call import Call, CallProgress, PlannedCall
from pyflink_durable.runtime.journal.call_journal import CallJournal
from pyflink_durable.runtime.journal.planning import Plan
from pyflink_durable.runtime.journal.slot_kind import SlotKind
from pyflink_durable.runtime.journal.times import AT_ONCE

_Found = dict[int, CallFields | None]


def plan_batch(journal: CallJournal, calls: Sequence[Call]) -> list[PlannedCall]:
    """Gives calls their slots together, and says for each what is to be done.

    Calls with a durable_id are matched with their slots by it, whatever their order; the others
    take the remaining slots in theirs. A slot that then holds another call is a mismatch: it is
    dropped with all after it, but for the slots of calls that were found by their id.

    Args:
        journal: The invocation's journal.
        calls: The calls; no two have one durable_id.

    Returns:
        The planned calls in the order of `calls`.

    Raises:
        JournalMismatch: A slot holds another call, see `CallJournal.drop_mismatch`.
    """
    journal.check_types(calls)
    slots = journal.take_slots(len(calls))
    found: _Found = {slot: journal.access.read(slot) for slot in slots}
    placed = _place(calls, found)
    wrong = [slot for slot, call in placed.items() if not _is_free_or_of(call, found[slot])]
    if wrong:
        _mend(journal, placed, found, min(wrong))
    slot_of = {id(call): slot for slot, call in placed.items()}
    planned = []
    for call in calls:
        slot = slot_of[id(call)]
        planned_call = journal.plan_slot(call, slot, found[slot])
        planned_call.progress = CallProgress()
        planned.append(planned_call)
    return planned


def reserve(journal: CallJournal, planned: PlannedCall) -> None:
    """Journals the place of a call that is not to start yet, if it has none."""
    if planned.plan is Plan.EXECUTE:
        identity, repeatable = planned.call.identity, planned.call.options.repeatable
        journal.access.schedule(planned.slot, identity, 1, AT_ONCE, repeatable)
        planned.plan, planned.found = Plan.RESUME, _reserved(identity)


def _reserved(identity: Identity) -> CallFields:
    return [*identity[:2], PENDING, None, None, -1, 1, AT_ONCE]


def _place(calls: Sequence[Call], found: _Found) -> dict[int, Call]:
    """The call of each slot."""
    slot_of_id = {
        fields[0]: slot
        for slot, fields in reversed(found.items())
        if fields is not None and kind_of(fields) is SlotKind.CALL
    }
    placed: dict[int, Call] = {}
    for call in calls:
        if call.durable_id is not None:
            slot = slot_of_id.get(call.durable_id)
            if slot is not None and _is_free_or_of(call, found[slot]):
                placed[slot] = call
    known = set(map(id, placed.values()))
    free = iter([slot for slot in found if slot not in placed])
    for call in calls:
        if id(call) not in known:
            placed[next(free)] = call
    return placed


def _is_free_or_of(call: Call, fields: CallFields | None) -> bool:
    return fields is None or call.stands_in(fields)


def _mend(journal: CallJournal, placed: dict[int, Call], found: _Found, first: int) -> None:
    """Drops the slots from the first wrong one on, and writes those again that are right."""
    wrong = found[first]
    assert wrong is not None
    right = {slot for slot, call in placed.items() if _is_free_or_of(call, found[slot])}
    journal.drop_mismatch(first, wrong, placed[first], right)
    ended: list[tuple[int, CallFields]] = []
    for slot in sorted(slot for slot in placed if slot >= first):
        fields, identity = found[slot], placed[slot].identity
        if fields is None or not _is_free_or_of(placed[slot], fields):
            found[slot] = _reserved(identity)
            repeatable = placed[slot].options.repeatable
            journal.access.schedule(slot, identity, 1, AT_ONCE, repeatable)
            continue
        attempt, due = attempt_of(fields), due_of(fields)
        next_start = AT_ONCE if due is None else due
        journal.access.schedule(slot, identity, attempt, next_start, is_repeatable(fields))
        if fields[2] != PENDING:
            ended.append((slot, fields))
        elif due is None:
            journal.access.start_attempt(slot, identity, attempt)
    for slot, fields in sorted(ended, key=lambda item: completion_of(item[1])):
        result, exception = (None if field is None else bytes(field) for field in fields[3:5])
        at = ended_at(fields)
        journal.access.finalize(
            slot, placed[slot].identity, result, exception, NO_TIME if at is None else at
        )
