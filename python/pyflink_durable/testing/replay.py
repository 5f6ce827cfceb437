"""Runs a handler over a journal without making a call: does it take the same path?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pyflink_durable.errors import JournalMismatch
from pyflink_durable.handler import DurableProcessFunction, Handler
from pyflink_durable.options import DurableOptions
from pyflink_durable.runtime.journal.bridge import Identity
from pyflink_durable.runtime.journal.call_options import OptionsResolver, ResolvedOptions
from pyflink_durable.runtime.journal.slot_kind import SlotKind
from pyflink_durable.runtime.journal.times import NEVER
from pyflink_durable.testing.attempt import Attempt
from pyflink_durable.testing.crashes import Crashed, Crashes
from pyflink_durable.testing.memory_journal import Slots
from pyflink_durable.testing.saved_journal import SavedJournal
from pyflink_durable.testing.stubs import Stubs
from pyflink_durable.testing.task_context import task_context
from pyflink_durable.testing.virtual_clock import VirtualClock
from pyflink_durable.testing.world import Emitted, Input, Snapshot, World

_DAYS = 100 * 86_400.0
_HOUR = 3_600.0


class Replayed:
    """What a replay has come to.

    Attributes:
        used: How many slots the handler has used.
        ended: Whether it has ended.
        emitted: What it has emitted.
        more: The calls that it made behind its journal, in order.
    """

    def __init__(
        self, used: int, ended: bool, emitted: Emitted, more: tuple[Identity, ...]
    ) -> None:
        self.used = used
        self.ended = ended
        self.emitted = emitted
        self.more = more


def replay(
    handler: Handler,
    journal: SavedJournal,
    options: DurableOptions | None = None,
    look: Callable[[Attempt], None] = lambda attempt: None,
    at_rest: Callable[[Attempt], None] = lambda attempt: None,
) -> Replayed:
    """Runs a handler over a journal until it waits for what the journal does not hold.

    It makes no call and asks no reconciler, and its clock is another: days later, or short of the
    first deadline in the journal.

    Args:
        handler: The handler.
        journal: The journal, with its input.
        options: Those of its operator.
        look: Called with the attempt before it starts.
        at_rest: Called with it when the handler waits, or has ended, before it is given up.

    Raises:
        JournalMismatch: It makes another call than the journal holds, or fewer, or more than it
            made to its end.
        Exception: What the handler raises, where the journal is of a run that had not ended.
    """
    options = (options or DurableOptions()).model_copy(update={"on_mismatch": "fail"})
    input = journal.input()
    clock = VirtualClock(_start_of(journal.slots))
    world = World(handler, options, [input], clock, Stubs(), Crashes(), makes_calls=False)
    world.call_options = _NobodyInDoubt(options, can_gate=True)
    snapshot = Snapshot(((0, journal.slots),), {input.lane: journal.state})
    world.begin(snapshot)
    with clock.installed():
        if isinstance(handler, DurableProcessFunction):
            handler.open(task_context(0))
        attempt = Attempt(world, snapshot)
        look(attempt)
        try:
            replayed = _run(attempt, world, journal, input)
            at_rest(attempt)
            return replayed
        finally:
            attempt.close()
            world.close()
            if isinstance(handler, DurableProcessFunction):
                handler.close()


def _run(attempt: Attempt, world: World, journal: SavedJournal, input: Input) -> Replayed:
    try:
        attempt.settle()
    except Crashed:
        failure = world.failure  # None where it stops at a sync call
        if failure is not None and (isinstance(failure, JournalMismatch) or not journal.ended):
            raise failure from None
    context = attempt.contexts.get(0)
    slots = tuple(attempt.journals.of[0].slots) if context else world.journals.get(0, ())
    ended = context is None or world.failure is not None
    used = len(slots) if context is None else context.slots
    if any(slot.kind is not SlotKind.PATCH for slot in journal.slots[used:]):
        raise _not_reached(journal, used, input)
    known = len(journal.slots)
    new = [slot for slot in slots[known:] if slot.kind is not SlotKind.PATCH]
    more = tuple(map(Identity.of, new))
    if journal.ended and more:
        raise _too_many(journal, more[0], input)
    if journal.ended and not ended:
        raise AssertionError(
            f"{_who(input)}: the handler had ended behind slot {known - 1}, and now it waits for "
            "something that no journal holds"
        )
    return Replayed(used, ended, tuple(world.emitted), more)


class _NobodyInDoubt(OptionsResolver):
    """A call that was under way when the journal was taken is not told to be in doubt: it waits."""

    def resolve(self, *args: Any, **given: Any) -> ResolvedOptions:
        return replace(super().resolve(*args, **given), in_doubt="execute")


def _start_of(slots: Slots) -> float:
    """Long after what the journal holds, and before a timer would fire."""
    due = [slot.due / 1_000 for slot in slots if slot.due and slot.due < NEVER]
    if due:
        return min(due) - _HOUR
    times = [at / 1_000_000 for slot in slots for at in (slot.ended_at, slot.began) if at]
    return (max(times) if times else VirtualClock().now) + _DAYS


def _who(input: Input) -> str:
    return f"key={input.key!r} invocation={input.sequence}"


def _not_reached(journal: SavedJournal, used: int, input: Input) -> JournalMismatch:
    slot = journal.slots[used]
    return JournalMismatch(used, Identity.of(slot).told, None, slot.status, _who(input))


def _too_many(journal: SavedJournal, call: Identity, input: Input) -> JournalMismatch:
    nothing = ("nothing: the handler had ended", "")
    return JournalMismatch(len(journal), nothing, call.told, "", _who(input))
