"""Runs an invocation again from what its journal held between two steps of a recorded run.

Each replay is a new invocation in every respect: another context, other objects, another loop,
another clock. What is replayed must lead it to where the recorded one was; from there it goes on
with what the recorded one met: outcomes of calls and times at which timers fire, in their order.
"""

from __future__ import annotations

import pickle
from typing import Any

from bridges import slot_journal
from loops import Operator
from recorded_world import RecordedWorld
from recordings import Moment, Recording, told

from pyflink_durable.checks.arguments import is_coroutine_function
from pyflink_durable.runtime.execution.outcome import FunctionOutcome
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity
from pyflink_durable.runtime.operator.async_handlers import AsyncHandlerRunner
from pyflink_durable.runtime.operator.handler_runner import HandlerRunner
from pyflink_durable.runtime.operator.invocation import Invocation
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext
from pyflink_durable.runtime.operator.thread_handlers import ThreadHandlerRunner
from pyflink_durable.runtime.telemetry.telemetry import LocalTelemetry

NUMBER = 7


class Diverged(AssertionError):
    """A replay went another way than the recorded run."""


class Replay:
    """One invocation, run again from one moment of a recorded run.

    Args:
        recording: The recorded run.
        at: The number of the moment.
    """

    def __init__(self, recording: Recording, at: int) -> None:
        self._recording = recording
        self._at = at
        self._moment = recording.moments[at]
        self._last = recording.moments[-1]
        self._is_async = is_coroutine_function(recording.handler)
        began = recording.moments[0].at
        self._world = RecordedWorld(self._moment, self._last, at, began)
        self._operator = Operator()
        self._loop = self._operator.loop
        self._telemetry = LocalTelemetry()
        self._ended: list[FunctionOutcome] = []

    def check(self) -> None:
        """Replays, and goes on to the end.

        Raises:
            Diverged: The handler went another way than in the recorded run.
        """
        with self._world.in_place():
            self._start()
            # a thread does not stop where the recorded one was at the moment
            if self._at and self._is_async and not self._moment.ahead:
                self._compare(self._moment, "after the replay")
            for slot in self._world.yet_to_end():
                self._go_on_to(slot)
            if not self._last.ahead:
                self._compare(self._last, "at the end")
            # a thread may not have come to a mismatch yet, in the journal that the run began with
            begun = self._is_async or self._moment.slots != self._recording.moments[0].slots
            if self._at and begun and self._telemetry.counters["mismatched"]:
                raise self._diverged("the replay made other calls than its journal holds")
            if self._is_async:
                self._runner.close(float("inf"))  # a run that the recorded one did not end
            self._loop.close()

    def _start(self) -> None:
        recording = self._recording
        uid, key, invocation = recording.identity
        self._context = FlinkRunnerContext(
            slot_journal(self._world.journal, size=len(self._last.slots)),
            subtask=self._world.subtask(recording.options, self._telemetry),
            identity=InvocationIdentity(lambda _: key, uid, invocation),
            number=NUMBER,
        )
        value = pickle.loads(pickle.dumps(recording.value))
        self._runner = self._make_runner()
        self._runner.start(Invocation(NUMBER, value, self._context))
        self._step()

    def _make_runner(self) -> HandlerRunner:
        def on_end(invocation: Invocation) -> None:
            assert invocation.outcome is not None
            invocation.context.end()
            self._ended.append(invocation.outcome)

        handler = self._recording.handler
        if self._is_async:
            return AsyncHandlerRunner(handler, self._loop, self._telemetry, on_end)
        on_this_thread: Any = self._world
        return ThreadHandlerRunner(handler, self._loop, on_this_thread, on_this_thread, on_end)

    def _step(self) -> None:
        """Drives the loop until it comes to rest, or puts aside what goes round."""
        for drive in range(50):
            wakes = self._operator.wakes
            self._loop.run_out()
            self._loop.drain()
            if self._operator.wakes == wakes:
                return
            if drive > 20:  # it computes no more: it waits for what will not come
                self._world.clock.set(self._world.clock.time() + 1.0)
        raise self._diverged("it does not come to rest")

    def _go_on_to(self, slot: int) -> None:
        for _ in range(3):  # a call that was scheduled starts first, and one in line
            if self._world.has_ended(slot):
                return
            self._world.happen(slot)
            self._step()
        if not self._world.has_ended(slot):
            raise self._diverged(self._why_not_ended(slot))

    def _why_not_ended(self, slot: int) -> str:
        found = self._world.journal.slots[slot : slot + 1]
        recorded = self._last.slots[slot]
        if found and found[0][:2] != recorded[:2]:
            return f"slot {slot} is another call:\n  recorded: {recorded}\n  replayed: {found[0]}"
        return f"slot {slot} does not end where it ended in the recorded run"

    def _compare(self, expected: Moment, when: str) -> None:
        outcome = self._ended[0] if self._ended else None
        found = Moment.of(self._world.journal.slots, self._context, outcome)
        for name in ("slots", "used", "outputs", "state", "outcome"):
            seen, recorded = getattr(found, name), getattr(expected, name)
            if name == "slots":
                seen, recorded = told(seen), told(recorded)
            if name == "outcome" and recorded is None and not self._is_async:
                continue  # as above
            if seen != recorded:
                what = f"{name} {when}:\n  recorded: {recorded}\n  replayed: {seen}"
                raise self._diverged(what) from (None if outcome is None else outcome.error)

    def _diverged(self, what: str) -> Diverged:
        return Diverged(
            f"moment {self._at} of {len(self._recording.moments) - 1}: {what}\n"
            f"journal at the moment: {[slot[:3] for slot in self._moment.slots]}\n"
            f"counters of the replay: {dict(self._telemetry.counters)}"
        )


def replay_all(recording: Recording) -> None:
    """Replays a recorded run from each of its moments.

    Raises:
        Diverged: The handler went another way.
    """
    if recording.moments[-1].broken:
        recording.moments.pop()
    if len(recording.moments) > 1:
        for at in range(len(recording.moments)):
            Replay(recording, at).check()
