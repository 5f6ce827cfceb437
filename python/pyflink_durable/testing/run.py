"""One run of a handler over its inputs, through all of its crashes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from pyflink_durable.dead_letter import DEAD_LETTER, DeadLetter
from pyflink_durable.handler import DurableProcessFunction
from pyflink_durable.signals import UNCLAIMED_SIGNAL, Signal, UnclaimedSignal
from pyflink_durable.testing.attempt import Attempt
from pyflink_durable.testing.calls import RunCalls
from pyflink_durable.testing.crashes import Crashed
from pyflink_durable.testing.saved_journal import SavedJournal
from pyflink_durable.testing.signals import ONE_KEY, SentSignal
from pyflink_durable.testing.task_context import task_context
from pyflink_durable.testing.world import InputIdentity, Snapshot, World

if TYPE_CHECKING:
    from pyflink.datastream import OutputTag

_MOST_STEPS = 100_000
"""After so many steps without an end a handler goes round, and never will end."""

_TICK = 0.001
"""Deadlines are journaled in milliseconds."""


class StillWaiting(AssertionError):
    """A run waits for something that will not come."""


class Run:
    """A run under way, or at its end.

    Args:
        world: Its surroundings.
        state: The state of each key before it.
        signals: Those that come.

    Attributes:
        crashes: How many attempts have died.
    """

    def __init__(
        self,
        world: World,
        state: Mapping[str, Any] | None = None,
        signals: Iterable[SentSignal] = (),
    ) -> None:
        self._world = world
        for sent in signals:
            world.send(sent)
        self.crashes = 0
        self._attempt_number = 0
        world.observers.open()
        journals = tuple((input.number, ()) for input in world.inputs)
        self._attempt: Attempt | None = None
        self._begin(Snapshot(journals, _dumped(world, state or {})))

    # ---------------------------------------------------------------- what happens

    def _begin(self, restored: Snapshot) -> None:
        """An attempt begins; one that dies is followed by the next."""
        world = self._world
        while True:
            if isinstance(world.handler, DurableProcessFunction):
                world.handler.open(task_context(self._attempt_number))
            world.begin(restored)
            attempt = self._attempt = Attempt(world, restored)
            try:
                if not self.crashes:  # what was sent before is there before the input
                    attempt.waiting.accept_due()
                attempt.settle()
                return
            except Crashed:
                restored = self._die(attempt)

    def _die(self, attempt: Attempt) -> Snapshot:
        """The attempt ends; gives what the next one starts from.

        Raises:
            BaseException: The handler's error, which ends the run.
        """
        world = self._world
        self._end_attempt()
        if world.failure is not None:
            raise world.failure
        self.crashes += 1
        self._attempt_number += 1
        if world.upgrade is not None:
            world.take(world.upgrade)
        newest = len(world.snapshots) - 1
        number = world.crashes.checkpoint(world.oldest, newest)
        restored = world.snapshots[number]
        del world.emitted[restored.emitted :]
        if world.logged is not None:
            logged = world.logged
            journals = [(one, logged.get(one, slots)) for one, slots in restored.journals]
            restored = restored._replace(journals=tuple(journals))
        world.on_death(world, restored, number)
        return restored

    def _end_attempt(self) -> None:
        attempt, self._attempt = self._attempt, None
        if attempt is not None:
            try:
                attempt.close()
            finally:
                if isinstance(self._world.handler, DurableProcessFunction):
                    self._world.handler.close()

    def go_on(self, until: float = math.inf) -> None:
        """Goes on until the run has ended, or nothing more happens by a time.

        Args:
            until: The time in seconds since the epoch.

        Raises:
            StillWaiting: It goes round without an end.
        """
        for _ in range(_MOST_STEPS):
            attempt = self._attempt
            if attempt is None:
                return
            if self.done:
                attempt.waiting.receive_until(until)
                return
            try:
                if not attempt.go_on(until + _TICK):
                    return
            except Crashed:
                self._begin(self._die(attempt))
        raise StillWaiting(f"the run has not ended after {_MOST_STEPS} steps: {self.calls}")

    def signal(
        self, signal: Signal | str, value: Any = None, *, key: Any = ONE_KEY, after: float = 0.0
    ) -> None:
        """Sends a signal, as from the stream that `durable_process` takes as ``signals=``.

        Args:
            signal: The signal, or its name.
            value: Its value, beside a name.
            key: Its key; by default the one of the run.
            after: After how many virtual seconds it comes.

        Raises:
            ValueError: The run has several keys, or has ended.
        """
        if self._attempt is None:
            raise ValueError("the run has ended, and takes no signals")
        self._world.send(SentSignal.of(signal, value, key, after))
        self.go_on(self._world.clock.now)

    def finish(self) -> Run:
        """Goes on to the end.

        Raises:
            StillWaiting: It waits for something that will not come.
            CrashNotReached: It has not come to where it was to crash.
        """
        try:
            self.go_on()
            if not self.done:
                raise StillWaiting(
                    f"the handler waits for something that will not come: {self.calls}. A future "
                    "or an event that nobody sets?"
                )
        finally:
            self.close()
        self._world.crashes.check()
        return self

    def close(self) -> None:
        """Ends what runs."""
        if self._attempt is not None:
            self._end_attempt_with_state()
            self._world.close()
            self._world.observers.close()

    def _end_attempt_with_state(self) -> None:
        assert self._attempt is not None
        if self.done:
            self._attempt.waiting.end()
        self._world.last_state = self._attempt.state
        self._was_done = not self._attempt.journals.of
        self._end_attempt()

    _was_done = False

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # ---------------------------------------------------------------- what a test reads

    @property
    def done(self) -> bool:
        """Whether all handlers have ended."""
        return self._was_done if self._attempt is None else not self._attempt.journals.of

    @property
    def calls(self) -> RunCalls:
        """What became of its calls."""
        if self._attempt is not None:
            for number, journal in self._attempt.journals.of.items():
                self._world.close_input(number, tuple(journal.slots))
        return self._world.calls

    @property
    def outputs(self) -> list[Any]:
        """The values of the main output, in order."""
        return [value for tag, value in self._world.emitted if tag is None]

    def side_output(self, tag: OutputTag | str) -> list[Any]:
        """The values of a side output, in order.

        Args:
            tag: Its tag, or the tag's id.
        """
        wanted = tag if isinstance(tag, str) else tag.tag_id
        return [value for found, value in self._world.emitted if found == wanted]

    @property
    def dead_letters(self) -> list[DeadLetter]:
        """Inputs whose handler failed, with ``on_error="dead-letter"``."""
        return self.side_output(DEAD_LETTER)

    @property
    def unclaimed_signals(self) -> list[UnclaimedSignal]:
        """Signals that nobody has taken: after ``signal_ttl``, and at the end of the run."""
        return self.side_output(UNCLAIMED_SIGNAL)

    @property
    def state(self) -> dict[str, Any]:
        """The state of the key; with several keys take `state_of`."""
        lanes = {input.lane for input in self._world.inputs}
        if len(lanes) != 1:
            raise ValueError(f"the run has {len(lanes)} keys: take run.state_of(key)")
        return self._values_of(lanes.pop())

    def state_of(self, key: Any) -> dict[str, Any]:
        """The state of a key."""
        return self._values_of(next(i.lane for i in self._world.inputs if i.key == key))

    def _values_of(self, lane: str) -> dict[str, Any]:
        attempt = self._attempt
        state = self._world.last_state if attempt is None else attempt.state
        owner = InputIdentity(next(one for one in self._world.inputs if one.lane == lane))
        load = self._world.payloads.load_state
        return {name: load(name, value, owner) for name, value in state.get(lane, {}).items()}

    @property
    def counters(self) -> Mapping[str, int]:
        """The operator's counters: ``executed``, ``replayed``, ``reconciled`` and so on."""
        return self._world.telemetry.counters

    @property
    def journal(self) -> SavedJournal:
        """The journal of the last input."""
        return self.journals[-1]

    @property
    def journals(self) -> list[SavedJournal]:
        """The journals of all inputs, as far as they have come."""
        world, attempt = self._world, self._attempt
        live = {} if attempt is None else attempt.journals.of
        found = []
        for input in world.inputs:
            running = live.get(input.number)
            slots = world.journals.get(input.number, ()) if running is None else running.slots
            state = world.states.get(input.number, {})
            ended = running is None and self.done
            found.append(SavedJournal.of(input, tuple(slots), ended, state))
        return found

    def __repr__(self) -> str:
        return (
            f"<Run done={self.done} crashes={self.crashes} outputs={self.outputs!r} {self.calls}>"
        )


def _dumped(world: World, state: Mapping[str, Any]) -> Mapping[str, Mapping[str, bytes]]:
    """The state that a test gives, for each key."""
    if not state:
        return {}
    dumped = {}
    for input in world.inputs:
        owner, dump = InputIdentity(input), world.payloads.pass_state
        dumped[input.lane] = {name: dump(name, one, owner)[1] for name, one in state.items()}
    return dumped
