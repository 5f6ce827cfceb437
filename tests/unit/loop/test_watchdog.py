"""Who holds a thread that others wait for is told, with the line."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from handler_bench import ByHand, HandlerBench
from loops import PATIENCE, Clock, wait_until
from virtual_time import stop_the_clock

from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.loop import spinning
from pyflink_durable.runtime.loop.watchdog import Watchdog, Watched, _Hold
from pyflink_durable.runtime.loop.watched import CoroutineThread, TaskThread, tell_of_spinning
from pyflink_durable.runtime.telemetry.telemetry import LocalTelemetry

SOON = 0.01


class Lines(LocalTelemetry):
    """Keeps what was told."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def warning(self, message: str) -> None:
        self.lines.append(message)


@pytest.fixture
def telemetry() -> Lines:
    return Lines()


@pytest.fixture
def watch(telemetry: Lines) -> Iterator[Callable[..., None]]:
    dogs: list[Watchdog] = []

    def watch(*watched: Watched) -> None:
        dogs.append(Watchdog("dog", watched, telemetry, held_seconds=SOON, look_seconds=SOON / 4))
        dogs[-1].start()

    yield watch
    for dog in dogs:
        dog.close(time.monotonic() + PATIENCE)
    assert "dog" not in [thread.name for thread in threading.enumerate()]


class Holding:
    """What holds a thread until it was told of."""

    def __init__(self, telemetry: Lines) -> None:
        self._telemetry = telemetry

    def hold(self, times: int = 1) -> None:
        wait_until(lambda: len(self._telemetry.lines) >= times)

    async def hold_remotely(self) -> None:
        self.hold()


def line(function: Callable[..., Any]) -> str:
    """How a place in a function is told."""
    code = function.__code__
    return rf"{code.co_name} \({re.escape(code.co_filename)}:\d+\)"


# -------------------------------------------------------------------- the task


@pytest.mark.parametrize("form", ["own code", "sync call", "task"])
def test_a_handler_that_holds_the_task_is_named_with_its_line(
    form: str, telemetry: Lines, watch: Callable[..., None]
) -> None:
    holding = Holding(telemetry)

    async def handler(value: Any, ctx: Any) -> None:
        if form == "own code":
            holding.hold()
        elif form == "sync call":
            ctx.durable_execute(holding.hold)
        else:
            await asyncio.create_task(a_task())

    async def a_task() -> None:
        holding.hold()

    bench = HandlerBench(handler, ByHand())
    watch(TaskThread(bench.operator.loop, bench.runner.describe))
    bench.run()
    [told] = telemetry.lines
    outermost = line(a_task if form == "task" else handler)
    assert re.match(
        rf"key='k' invocation=3 seconds=0 at={outermost} > {line(wait_until)} the handler holds the"
        " task: .* no checkpoint comes meanwhile.* `await ctx.durable_execute_async",
        told,
    )
    assert telemetry.counters == {"blocked": 1}


def test_a_hold_that_goes_on_is_told_again_and_counted_once(
    telemetry: Lines, watch: Callable[..., None]
) -> None:
    holding = Holding(telemetry)

    async def handler(value: Any, ctx: Any) -> None:
        holding.hold(times=3)

    bench = HandlerBench(handler, ByHand())
    watch(TaskThread(bench.operator.loop, bench.runner.describe))
    bench.run()
    assert len(telemetry.lines) == 3
    assert telemetry.counters == {"blocked": 1}


def test_a_callback_is_named_without_an_invocation(
    telemetry: Lines, watch: Callable[..., None]
) -> None:
    holding = Holding(telemetry)

    async def handler(value: Any, ctx: Any) -> None:
        asyncio.get_running_loop().call_soon(holding.hold)
        await asyncio.sleep(0)

    bench = HandlerBench(handler, ByHand())
    watch(TaskThread(bench.operator.loop, bench.runner.describe))
    bench.run()
    assert telemetry.lines[0].startswith("a callback seconds=0 at=hold (")


# -------------------------------------------------------------------- the calls


def test_a_coroutine_function_that_blocks_is_named_with_its_line(
    telemetry: Lines, watch: Callable[..., None], executor: CallExecutor
) -> None:
    holding = Holding(telemetry)

    async def handler(value: Any, ctx: Any) -> None:
        await ctx.durable_execute_async(holding.hold_remotely, timeout=SOON)

    watch(CoroutineThread(executor))
    HandlerBench(handler, executor).run()
    [told] = telemetry.lines
    assert re.match(
        rf"thread=test-call-asyncio seconds=0 at={line(Holding.hold_remotely)} > "
        rf"{line(wait_until)} a coroutine function holds the thread .* timeouts have no effect",
        told,
    )
    assert telemetry.counters == {"blocked": 1}


def test_coroutine_functions_that_wait_hold_nothing(executor: CallExecutor) -> None:
    """A beat comes back from their thread, and the next one is another."""
    thread, go = CoroutineThread(executor), threading.Event()

    async def waits() -> None:
        await asyncio.get_running_loop().run_in_executor(None, go.wait, PATIENCE)

    async def handler(value: Any, ctx: Any) -> None:
        await ctx.durable_execute_async(waits)

    assert thread.busy() is None
    bench = HandlerBench(handler, executor).start()
    wait_until(lambda: thread.busy() is not None)
    first = thread.busy()
    wait_until(lambda: thread.busy() != first)
    go.set()
    bench.result()
    wait_until(lambda: thread.busy() is None)


# -------------------------------------------------------------------- what one look tells


class Scripted:
    """A thread that is this busy at each look, and from then on as at the last."""

    consequence = "waits"

    def __init__(self, *seen: Any) -> None:
        self.seen = list(seen)

    def busy(self) -> Any:
        return self.seen.pop(0) if len(self.seen) > 1 else self.seen[0]

    def who(self) -> str:
        return "somebody"


HERE = threading.get_ident()


@pytest.mark.parametrize(
    "seen",
    [
        [None],
        [(HERE, 1), (HERE, 2), (HERE, 3)],
        [(HERE, 1), None, (HERE, 1)],
        [(HERE, 1), (HERE, 1), (HERE, 2)],  # it goes on while its place is looked up
    ],
    ids=["idle", "goes on", "paused", "goes on just now"],
)
def test_what_goes_on_is_not_told(seen: list[Any], telemetry: Lines) -> None:
    hold = _Hold(Scripted(*seen), telemetry, held_seconds=5)
    for now in (0, 5, 9):
        hold.look(now)
    assert telemetry.lines == []


def test_a_hold_is_told_each_time_that_twice_as_much_has_passed_and_the_next_anew(
    telemetry: Lines,
) -> None:
    thread = Scripted((HERE, 1))
    hold = _Hold(thread, telemetry, held_seconds=5)
    for now in (0, 4.9, 5, 6, 9.9, 10, 19.9):
        hold.look(now)
    thread.seen = [(HERE, 2)]
    for now in (20, 24.9, 25):
        hold.look(now)
    told = [line.split()[1] for line in telemetry.lines]
    assert told == ["seconds=5", "seconds=10", "seconds=5"]
    assert telemetry.counters == {"blocked": 2}


def test_without_a_thread_it_says_so_and_nothing_else_changes(
    telemetry: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    dog = Watchdog("dog", (), telemetry)
    dog.start()
    dog.close(time.monotonic())
    assert telemetry.lines == ["holds of the task will not be told: can't start new thread"]


# -------------------------------------------------------------------- spinning


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = stop_the_clock(monkeypatch)
    monkeypatch.setattr(spinning, "time", clock)
    return clock


def test_a_handler_that_goes_round_is_named_with_its_line(clock: Clock, telemetry: Lines) -> None:
    async def handler(value: Any, ctx: Any) -> None:
        await asyncio.create_task(goes_round())

    async def goes_round() -> None:
        while True:
            await asyncio.sleep(0)

    bench = HandlerBench(handler, ByHand())
    loop = bench.operator.loop
    loop._spinners._on_spinning = lambda *told: tell_of_spinning(telemetry, *told)
    bench.start()
    clock.now += spinning.SPIN_SECONDS
    loop.drain()
    [told] = telemetry.lines
    assert re.match(
        rf"key='k' invocation=3 at={line(goes_round)} the handler goes round without waiting", told
    )
    assert telemetry.counters == {"blocked": 1}
