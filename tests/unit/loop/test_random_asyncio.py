"""Random handlers that use all of asyncio, replayed from each of their steps."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from contextvars import copy_context
from inspect import iscoroutine
from typing import Any

from asyncio_handlers import Handler
from asyncio_outside import KEPT
from asyncio_programs import Node, programs
from clocks import Clock
from handler_bench import HandlerBench
from hypothesis import HealthCheck, example, given, settings
from recordings import recordings
from replays import replay_all

from pyflink_durable.runtime.execution.execution import Execution, Report
from pyflink_durable.runtime.execution.outcome import FunctionOutcome


class Outside:
    """An executor whose calls take as long as their argument says, on a clock that a test moves."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._numbers = itertools.count()
        self._running: list[tuple[float, int, Callable[[], None]]] = []

    def submit(self, execution: Execution, report: Report) -> None:
        execution.report_to(report)
        [spec] = execution.args

        def end() -> None:
            if execution.begin():  # it may have been given up
                execution.report(_outcome_of(execution))

        at = self._clock.time() + spec["seconds"]
        heapq.heappush(self._running, (at, next(self._numbers), end))

    def run(self, bench: HandlerBench) -> None:
        """Runs a handler to its end: whatever comes next happens, and takes a moment."""
        bench.start()
        while not bench.ended:
            ends = self._running[0][0] if self._running else float("inf")
            wakes = min(
                (at for at in bench.operator.wakes_at if at > self._clock.time()),
                default=float("inf"),
            )
            assert min(ends, wakes) < float("inf"), "the handler waits for nothing that will come"
            self._clock.set(max(self._clock.time(), min(ends, wakes)) + 0.001)
            if ends <= wakes:
                heapq.heappop(self._running)[2]()
            bench.operator.loop.drain()


def _outcome_of(execution: Execution) -> FunctionOutcome:
    """Runs a function, and a coroutine function that awaits nothing to its end."""
    outcome = execution.run()
    if not iscoroutine(outcome.value):
        return outcome
    try:
        (execution.context or copy_context()).run(outcome.value.send, None)
    except StopIteration as end:
        return FunctionOutcome(end.value, None)
    except Exception as error:
        return FunctionOutcome(None, error)
    raise AssertionError("it waits")


PAUSES = (Node("sleep"), Node("sleep"))

ESCAPED = Node(
    "queue",
    (Node("sleep"), Node("anyio_move_on", (Node("queue", PAUSES, seconds=0.5),), seconds=0.5)),
)
"""A cancellation that comes as a gather ends has not anyio's name, and leaves its scope."""


@settings(
    max_examples=300,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(programs())
@example(ESCAPED)
def test_each_run_is_the_same(program: Any) -> None:
    KEPT.clear()
    clock = Clock()
    with recordings() as recorded, clock.installed():
        outside: Any = Outside(clock)
        bench = HandlerBench(Handler(program).__call__, outside)
        outside.run(bench)
        bench.operator.loop.close()
    for recording in recorded:
        replay_all(recording)
