"""Waits of handlers for signals: each has a slot, which takes the signal or the end of its time."""

from __future__ import annotations

import asyncio
import math
from base64 import b64decode, b64encode
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from pyflink_durable.errors import CallLogError, SignalTimedOut
from pyflink_durable.payload.results import load_result
from pyflink_durable.payload.script_classes import ScriptClasses
from pyflink_durable.runtime.journal.bridge import HoldKind
from pyflink_durable.runtime.journal.invocation_journal import InvocationJournal
from pyflink_durable.runtime.journal.own_slot import OwnSlot
from pyflink_durable.runtime.journal.slot_kind import SlotKind
from pyflink_durable.runtime.journal.timers import OVERDUE, TimerLoop
from pyflink_durable.runtime.journal.times import NEVER, due_in, now
from pyflink_durable.signals import Signal

Taken = tuple[int, "str | None", str]
"""A signal as its slot holds it: its number among those of its key, its id, and its pickle in
base64, which is plain text in every serializer."""


TAKEN = tuple[int, str | None, str] | None


def text_of(content: bytes) -> str:
    """A signal's pickle as its slot holds it."""
    return b64encode(content).decode("ascii")


class SignalSource(Protocol):
    """The signals in keyed state; on the task thread. The names are Java's."""

    def takeSignal(self, invocation: int, name: str, invocation_id: str) -> Any: ...

    def lookForSignals(self, invocation: int, name: str, invocation_id: str) -> Any: ...

    def signalTaken(self, invocation: int, number: int, signal_id: str | None) -> None: ...


class SignalLoop(TimerLoop, Protocol):
    """What waits need of the loop."""

    def hand_over(self, callback: Callable[..., Any], *args: Any) -> None:
        """Has the callback called soon, behind all that is answered from the journal."""

    def take_in(self, callback: Callable[..., Any], *args: Any) -> None:
        """The same, on the task thread, when the loop is driven on anyhow."""


class Taker(Protocol):
    """What takes signals of an invocation."""

    @property
    def number(self) -> int:
        """The invocation's number in this attempt of the subtask."""

    def take(self) -> bool:
        """Takes a signal, if there is one for it."""


class SignalWaits:
    """The handlers of one subtask that wait for signals, by invocation.

    Args:
        source: Where the signals are.
        logged: Whether a call log holds what was taken, and the checkpoint perhaps not.
        classes: Those of the job's script.
    """

    def __init__(
        self, source: SignalSource, logged: bool, classes: ScriptClasses | None = None
    ) -> None:
        self.source = source
        self.logged = logged
        self.classes = classes
        self._waits: dict[int, list[WaitForSignal]] = {}
        self._cancellations: dict[int, Taker] = {}
        self._to_look: set[int] = set()

    def watch(self, cancellation: Taker) -> None:
        """An invocation begins that a signal may cancel."""
        self._cancellations[cancellation.number] = cancellation

    def forget(self, invocation: int) -> None:
        """An invocation has ended."""
        self._cancellations.pop(invocation, None)

    def add(self, wait: WaitForSignal) -> None:
        """A wait begins, behind the others of its invocation."""
        self._waits.setdefault(wait.number, []).append(wait)

    def discard(self, wait: WaitForSignal) -> None:
        """A wait is over."""
        waits = self._waits.get(wait.number, [])
        if wait in waits:
            waits.remove(wait)
            if not waits:
                del self._waits[wait.number]

    def names_of(self, invocation: int) -> tuple[str, ...]:
        """The names of the signals that an invocation waits for."""
        return tuple({wait.name: None for wait in self._waits.get(invocation, ())})

    def is_to_look(self, invocation: int) -> bool:
        """Whether an invocation has not seen yet what may be there for it."""
        return invocation in self._to_look

    def ask_to_look(self, queue: Callable[..., Any], loop: SignalLoop, invocation: int) -> None:
        """Has an invocation look when it is its turn in a queue of the loop."""
        if invocation in self._to_look:
            return
        self._to_look.add(invocation)
        queue(self.look, loop, invocation)

    def look(self, loop: SignalLoop, invocation: int) -> None:
        """Gives an invocation what has come for it: one signal, and the rest in its turn."""
        self._to_look.discard(invocation)
        cancellation = self._cancellations.get(invocation)
        if cancellation is not None and cancellation.take():
            self.ask_to_look(loop.take_in, loop, invocation)
            return
        for wait in self._waits.get(invocation, ()):
            if wait.take():
                self.ask_to_look(loop.take_in, loop, invocation)
                return

    def load(self, content: bytes, journal: InvocationJournal) -> Signal:
        """Reads a signal that an invocation has taken."""
        signal = load_result(journal.open_signal(content), self.classes)
        assert isinstance(signal, Signal)
        return signal


async def wait_for_signal(
    journal: InvocationJournal,
    number: int,
    waits: SignalWaits,
    loop: SignalLoop,
    name: str,
    timeout: float | None,
    hold: HoldKind | None,
    told: str | None = None,
) -> Any:
    """Waits for the next signal of a name.

    Args:
        journal: The invocation's.
        number: The invocation's number in this attempt of the subtask.
        waits: Those of the subtask.
        loop: That of the handler.
        name: The name.
        timeout: Seconds after which the wait is over; None for no end.
        hold: What an outcome waits for before the handler sees it.
        told: The name that the handler knows it by, if that is another.

    Returns:
        The signal's value.

    Raises:
        Exception: What the signal raises.
        SignalTimedOut: None has come in time.
    """
    slot = OwnSlot(journal, SlotKind.SIGNAL, name)
    wait = WaitForSignal(journal, number, waits, loop, name, slot, hold)
    if slot.is_filled:
        loop.replay_in_turn(slot.completion, wait.replay)
    else:
        wait.begin(timeout)
    try:
        taken: Taken | None = await wait.future
    finally:
        wait.end()
    if taken is None:
        raise SignalTimedOut(told or name, timeout)
    signal = waits.load(b64decode(taken[2]), journal)
    if signal.raises is not None:
        raise signal.raises
    return signal.value


class WaitForSignal:
    """One wait; the future gets what its slot holds.

    Attributes:
        number: The invocation's number in this attempt of the subtask.
        name: That of the signal.
        future: Gets what the slot holds.
    """

    def __init__(
        self,
        journal: InvocationJournal,
        number: int,
        waits: SignalWaits,
        loop: Any,
        name: str,
        slot: OwnSlot,
        hold: HoldKind | None,
    ) -> None:
        self.number = number
        self.future: asyncio.Future[Taken | None] = loop.create_future()
        self._journal = journal
        self._waits = waits
        self._loop = loop
        self.name = name
        self._slot = slot
        self._hold = hold
        self._time_is_up = asyncio.TimerHandle(0, self._give_up, (), loop)

    def begin(self, timeout: float | None) -> None:
        """Has the slot filled by whichever comes first, the signal or the deadline.

        Args:
            timeout: Seconds until the deadline, where no earlier run wrote one.
        """
        self._waits.add(self)
        due = self._slot.due
        if due is None:
            due = due_in(math.inf if timeout is None else timeout)
            # not repeatable: who drops the slot would lose the signal in it
            self._slot.open(due, repeatable=False)
        elif due <= due_in(0):
            self._loop.replay_in_turn(OVERDUE + due, self._give_up)
            return
        if due < NEVER:
            self._loop.wake_up_at(due, self._give_up, self._time_is_up)
        # behind what the journal answers: a replay may find that this wait was given up
        self._waits.ask_to_look(self._loop.hand_over, self._loop, self.number)

    def take(self) -> bool:
        """Takes a signal, if there is one."""
        if self._journal.closed:
            return False
        invocation = str(self._journal.identity.id)
        taken = self._waits.source.takeSignal(self.number, self.name, invocation)
        if taken is None:
            return False
        number, signal_id, content = taken
        self._fill((int(number), signal_id, text_of(bytes(content))))
        return True

    def _give_up(self) -> None:
        """The time is up; a signal that is there all the same has come first."""
        if not (self.future.done() or self._journal.closed or self.take()):
            self._fill(None)

    def _fill(self, taken: Taken | None) -> None:
        self.end()
        at = now()
        hold = self._slot.fill(taken, TAKEN, at, self._hold)
        if hold is None:
            self._resolve(taken, at)
        else:
            hold.on_release(partial(self._released, taken, at))

    def _released(self, taken: Taken | None, at: int, error: str | None) -> None:
        """Has the handler see it, if the log has taken it.

        Raises:
            CallLogError: It has not. The signal is taken, so the task fails, which gives it back.
        """
        if error is not None:
            raise CallLogError(
                f"slot {self._slot.number}: a wait for a signal is not safe: {error}"
            )
        self._resolve(taken, at)

    def _resolve(self, taken: Taken | None, at: int | None) -> None:
        self._journal.clock.move(at)
        if not self.future.done():
            self.future.set_result(taken)

    def replay(self) -> None:
        """Gives what an earlier run of the handler got."""
        taken = self._slot.replay(TAKEN)
        if taken is not None and self._waits.logged:
            self._waits.source.signalTaken(self.number, taken[0], taken[1])
        self._resolve(taken, self._slot.ended_at)

    def end(self) -> None:
        """Nothing is waited for any more."""
        self._waits.discard(self)
        self._time_is_up.cancel()
