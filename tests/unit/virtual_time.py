"""A handler in a time of its own: calls take seconds of it, and every step may be the last."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from bridges import Slot
from handler_bench import HandlerBench
from loops import Clock

from pyflink_durable.runtime.execution.execution import Execution, Report
from pyflink_durable.runtime.journal import times
from pyflink_durable.runtime.loop import loop as loop_module
from pyflink_durable.runtime.loop import wake_ups

Handler = Callable[..., Any]


def stop_the_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Gives the clock that the runtime reads from here on."""
    clock = Clock()
    for module in (loop_module, wake_ups, times):
        monkeypatch.setattr(module, "time", clock)
    return clock


def takes(clock: Clock, seconds: float, answer: Any) -> Any:
    """What a call runs that is over after so many seconds."""
    return answer


class History:
    """Runs of one invocation: the first one, and those after a failure at each of its steps.

    Attributes:
        seen: What the handler has noted in the run that goes on, in order.
        ran: The answers of the calls that were made in it.
    """

    def __init__(self, clock: Clock, handler: Handler) -> None:
        self.clock = clock
        self.seen: list[Any] = []
        self.ran: list[Any] = []
        self._handler = handler
        self._kept: list[tuple[tuple[Slot, ...], int]] = []
        self._ending: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def note(self, what: Any) -> None:
        """Called by the handler."""
        self.seen.append(what)

    # ---------------------------------------------------------------- as the calls' executor

    def submit(self, execution: Execution, report: Report) -> None:
        """Has a call end after the seconds that are its first argument."""
        execution.report_to(report)
        assert execution.begin()
        seconds, answer = tuple(execution.args)[:2]

        def end() -> None:
            self.ran.append(answer)
            execution.report(execution.run())

        heapq.heappush(self._ending, (self.clock.now + seconds, next(self._numbers), end))

    # ---------------------------------------------------------------- runs

    def run(self, slots: tuple[Slot, ...] = (), keep: bool = False) -> HandlerBench:
        """Runs the handler to its end over what a journal has kept."""
        self.seen, self.ran, self._ending = [], [], []
        bench = HandlerBench(self._handler, self, slots=slots)
        bench.start()
        while not bench.ended:
            self._keep(bench, keep)
            self._go_on(bench)
        self._keep(bench, keep)
        return bench

    def _keep(self, bench: HandlerBench, keep: bool) -> None:
        if keep:
            self._kept.append((tuple(bench.journal.slots), len(self.seen)))

    def _go_on(self, bench: HandlerBench) -> None:
        """Whatever comes next happens: a call ends, or the loop is woken for a timer."""
        wakes = [at - self.clock.offset for at in bench.operator.wakes_at]
        now = self.clock.now
        ending = self._ending[0][0] if self._ending else float("inf")
        waking = min((at for at in wakes if at > now), default=float("inf"))
        assert min(ending, waking) < float("inf"), "the handler waits for nothing that will come"
        self.clock.now = max(now, min(ending, waking))
        if ending <= waking:
            heapq.heappop(self._ending)[2]()
        bench.operator.loop.drain()

    def check_replays(self, shifts: tuple[float, ...] = (0.0, 3_600.0, -30.0)) -> HandlerBench:
        """Fails after each step of the first run, and looks at what the next one does.

        It sees what the first one saw as far as that had come, and makes no call again that had
        ended.

        Returns:
            The first run.
        """
        first = self.run(keep=True)
        seen = list(self.seen)
        for slots, noted in self._kept:
            for shift in shifts:
                self.clock.now += shift
                again = self.run(slots)
                assert self.seen[:noted] == seen[:noted]
                assert again.telemetry.counters["mismatched"] == 0
                ended = sum(slot.status != "PENDING" and slot.kind == "CALL" for slot in slots)
                made = sum(slot.kind == "CALL" for slot in again.slots)
                assert len(self.ran) <= made - ended
        self.seen = seen
        return first
