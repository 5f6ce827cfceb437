"""Event time, side outputs, dead letters and errors of handlers."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from crashkit import (
    JobFailed,
    Stage,
    World,
    act,
    durable,
    environment,
    run,
    scripted,
    take_a_while,
    write_outputs,
)
from pyflink.common import Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import OutputTag, ProcessFunction, ProcessWindowFunction
from pyflink.datastream.window import TumblingEventTimeWindows

from pyflink_durable import (
    DEAD_LETTER,
    DeadLetter,
    DurableOptions,
    RunnerContext,
)

pytestmark = pytest.mark.minicluster

# ------------------------------------------------------------------------------ event time

TIMES = [1_000 + 7 * n for n in range(150)]
WINDOW_MS = 100


class NameIsTime(TimestampAssigner):  # type: ignore[misc]
    def extract_timestamp(self, value: str, record_timestamp: int) -> int:
        return int(value)


class AppendTimestamp(ProcessFunction):  # type: ignore[misc]
    def process_element(self, value: str, ctx: ProcessFunction.Context) -> Iterable[str]:
        yield f"{value}, {ctx.timestamp()} behind"


class CountPerWindow(ProcessWindowFunction):  # type: ignore[misc]
    def __init__(self, world: World) -> None:
        self._world = world

    def process(self, key: str, context: Any, elements: Iterable[str]) -> Iterable[str]:
        self._world.note("window", str(context.window().start))
        yield f"{context.window().start}: {len(list(elements))}"


def event_time_results(world: World, env: Any) -> Any:
    """A handler of uneven length over inputs that arrive one by one, each with its watermark."""

    async def handle(name: str, ctx: RunnerContext) -> str:
        await ctx.durable_execute_async(take_a_while, name)
        return f"{name}, {ctx.timestamp} inside"

    # the input does not end before a window has fired: watermarks must pass while it goes on
    stages = [Stage([str(time)]) for time in TIMES]
    stages.append(Stage([], when=lambda world: world.count("window") > 0))
    strategy = WatermarkStrategy.for_monotonous_timestamps()
    inputs = scripted(env, world, stages).assign_timestamps_and_watermarks(
        strategy.with_timestamp_assigner(NameIsTime())
    )
    return durable(inputs, handle, key=lambda name: name[-1])


def test_windows_behind_the_operator_lose_nothing(world: World) -> None:
    env = environment(world, pipeline__auto_watermark_interval="5 ms")
    windows = (
        event_time_results(world, env)
        .key_by(lambda value: "all", Types.STRING())
        .window(TumblingEventTimeWindows.of(Time.milliseconds(WINDOW_MS)))
        .process(CountPerWindow(world), Types.STRING())
    )
    write_outputs(windows, world)

    run(env)

    expected = Counter(time - time % WINDOW_MS for time in TIMES)
    assert sorted(world.outputs()) == sorted(f"{start}: {n}" for start, n in expected.items())


def test_a_call_in_flight_does_not_hold_windows_that_ended_before_its_input(world: World) -> None:
    """The call of 12 s ends when the window of 0 to 10 s has fired, which holds other keys."""

    def fired(world: World) -> bool:
        return world.count("window", "0") > 0

    async def handle(name: str, ctx: RunnerContext) -> str:
        if name == "12000":
            await ctx.durable_execute_async(world.wait, fired)
        return name

    env = environment(world, pipeline__auto_watermark_interval="5 ms")
    stages = [Stage(["1000", "2000"]), Stage(["12000"]), Stage([], when=fired)]
    strategy = WatermarkStrategy.for_monotonous_timestamps()
    inputs = scripted(env, world, stages).assign_timestamps_and_watermarks(
        strategy.with_timestamp_assigner(NameIsTime())
    )
    windows = (
        durable(inputs, handle)
        .key_by(lambda value: "all", Types.STRING())
        .window(TumblingEventTimeWindows.of(Time.seconds(10)))
        .process(CountPerWindow(world), Types.STRING())
    )
    write_outputs(windows, world)

    run(env)

    assert sorted(world.outputs()) == ["0: 2", "10000: 1"]


@pytest.mark.parametrize("chaining", ["true", "false"])
def test_outputs_have_the_timestamp_of_their_input(world: World, chaining: str) -> None:
    """Also for a Python function that PyFlink runs in the same operator (chaining)."""
    env = environment(world, python__operator_chaining__enabled=chaining)
    world.note("window")  # none here to wait for
    results = event_time_results(world, env)
    write_outputs(results.process(AppendTimestamp(), Types.STRING()), world)

    run(env)

    expected = [f"{time}, {time} inside, {time} behind" for time in TIMES]
    assert sorted(world.outputs()) == sorted(expected)


# ------------------------------------------------------------------------------ a slow consumer


def test_checkpoints_come_while_the_outputs_of_many_wait_for_a_slow_consumer(
    world: World,
) -> None:
    """All handlers end in one step, with more than fits into the network.

    The consumer is slow only until checkpoints have come in the middle of the outputs; with all of
    them in one mail none comes, and it has been slow to the end.
    """
    names = [f"{n}" for n in range(200)]
    together: list[asyncio.Event] = []

    async def handle(name: str, ctx: RunnerContext) -> str:
        if not together:
            together.append(asyncio.Event())
        if name == names[-1]:
            await ctx.durable_execute_async(act, world, name)
            together[0].set()
        await together[0].wait()
        return name.ljust(20_000)

    seen: list[int] = []

    def consume(output: str) -> str:
        if not seen:
            seen.append(world.newest_checkpoint())
        if not world.is_covered(seen[0]):
            time.sleep(0.1)
            world.note("consumed slowly", output.strip())
        return output.strip()

    env = environment(world)
    results = durable(scripted(env, world, [Stage(names)]), handle)
    # redistributed: on a pointwise edge Flink's barriers wait behind what is in the network
    write_outputs(results.rebalance().map(consume, Types.STRING()), world)

    run(env)

    assert sorted(world.outputs()) == sorted(names)
    assert world.count("consumed slowly") < len(names) / 2


# ------------------------------------------------------------------------------ side outputs

AUDIT = OutputTag("audit", Types.STRING())
UNREAD = OutputTag("unread", Types.STRING())
NAMES = [f"order-{n}" for n in range(20)]


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "def"])
def test_side_outputs(world: World, is_async: bool) -> None:
    """What one handler emits stays together and in order; an unread tag is dropped, no more."""

    def emit(name: str, ctx: RunnerContext) -> str:
        ctx.collect(f"{name} first")
        ctx.output(AUDIT, f"{name} audited")
        ctx.output(UNREAD, "nobody sees it")
        ctx.collect(f"{name} second")
        return f"{name} last"

    async def handle(name: str, ctx: RunnerContext) -> str:
        await ctx.durable_execute_async(take_a_while, name)
        return emit(name, ctx)

    env = environment(world)
    results = durable(scripted(env, world, [Stage(NAMES)]), handle if is_async else emit)
    write_outputs(results, world)
    write_outputs(results.get_side_output(AUDIT), world, "audit")

    run(env)

    lines = world.outputs()
    triples = [lines[n : n + 3] for n in range(0, len(lines), 3)]
    expected = [[f"{name} first", f"{name} second", f"{name} last"] for name in NAMES]
    assert sorted(triples) == sorted(expected)
    assert sorted(world.outputs("audit")) == sorted(f"{name} audited" for name in NAMES)


# ------------------------------------------------------------------------------ failed handlers


def decline(name: str) -> None:
    raise ValueError(f"{name} was declined")


def failing_handler(world: World) -> Any:
    async def handle(name: str, ctx: RunnerContext) -> str:
        ctx.state["seen"] = ctx.state.get("seen", 0) + 1
        await ctx.durable_execute_async(act, world, name)
        if name.endswith("3"):
            ctx.collect("what a failed handler has collected is not emitted")
            await ctx.durable_execute_async(decline, name)
        return f"{name} was the {ctx.state['seen']}th good one"

    return handle


def describe(letter: DeadLetter) -> str:
    calls = [(call.function_id, call.status) for call in letter.calls]
    values = [letter.operator, letter.key, letter.value, letter.error_type, letter.message, calls]
    return json.dumps([*values, "in handle" in letter.traceback])


def test_dead_letters_and_the_key_goes_on(world: World) -> None:
    inputs = [f"{key}{n}" for n in range(1, 6) for key in "ab"]
    env = environment(world)
    results = durable(
        scripted(env, world, [Stage(inputs)]),
        failing_handler(world),
        key=lambda name: name[0],
        name="orders",
        options=DurableOptions(on_error="dead-letter"),
    )
    write_outputs(results, world)
    letters = results.get_side_output(DEAD_LETTER).map(describe, Types.STRING())
    write_outputs(letters, world, "letters")

    run(env)

    good = [(name, position) for position, name in enumerate(["1", "2", "4", "5"], start=1)]
    expected = [f"{key}{n} was the {position}th good one" for key in "ab" for n, position in good]
    assert sorted(world.outputs()) == sorted(expected)
    calls = [["crashkit.calls.act", "SUCCEEDED"], ["test_outputs.decline", "FAILED"]]
    assert sorted(map(json.loads, world.outputs("letters"))) == [
        ["orders", key, f"{key}3", "ValueError", f"{key}3 was declined", calls, True]
        for key in "ab"
    ]


def test_dead_letters_that_nobody_reads_are_an_error(world: World) -> None:
    env = environment(world)
    options = DurableOptions(on_error="dead-letter")
    results = durable(
        scripted(env, world, [Stage(["a1"])]),
        failing_handler(world),
        name="orders",
        options=options,
    )
    write_outputs(results, world)

    with pytest.raises(JobFailed) as failure:
        run(env)

    assert "nothing reads its dead letters" in str(failure.value)
    assert "results.get_side_output(DEAD_LETTER)" in str(failure.value)


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "def"])
def test_a_failed_handler_fails_the_job_with_key_and_traceback(
    world: World, is_async: bool
) -> None:
    async def handle(name: str, ctx: RunnerContext) -> None:
        await ctx.durable_execute_async(decline, name)

    def handle_on_thread(name: str, ctx: RunnerContext) -> None:
        ctx.durable_execute(decline, name)

    env = environment(world)
    results = durable(
        scripted(env, world, [Stage(["order-7"])]),
        handle if is_async else handle_on_thread,
        name="orders",
    )
    write_outputs(results, world)

    with pytest.raises(JobFailed) as failure:
        run(env)

    for part in ["operator 'orders'", "key 'order-7'", "in decline", "order-7 was declined"]:
        assert part in str(failure.value)
