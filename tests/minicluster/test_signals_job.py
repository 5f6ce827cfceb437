"""Handlers that wait for signals, through failures: each signal answers one wait, once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from crashkit import (
    Stage,
    World,
    act,
    durable,
    environment,
    run,
    scripted,
    start,
    stop_with_savepoint,
    write_outputs,
)
from pyflink.common import Types
from pyflink.datastream import DataStream

from pyflink_durable import (
    DEAD_LETTER,
    UNCLAIMED_SIGNAL,
    DeadLetter,
    DurableOptions,
    RunnerContext,
    Signal,
    UnclaimedSignal,
    durable_process,
)

pytestmark = pytest.mark.minicluster

CRASH = "order crash"


def key_of(element: str) -> str:
    """Of ``order KEY`` and ``signal KEY VALUE``."""
    return element.split()[1]


def signal_of(element: str) -> Signal:
    _, key, value = element.split()
    return Signal("approval", (key, value), id=element)


def told(unclaimed: UnclaimedSignal) -> str:
    return f"{unclaimed.key} {unclaimed.signal.value[1]}"


def refused(letter: DeadLetter) -> str:
    return f"{letter.key} {letter.error_type}"


def connected(
    elements: DataStream, handler: Any, options: DurableOptions | None = None
) -> DataStream:
    """One stream of orders and signals, so that their order is the test's."""
    orders = elements.filter(lambda element: element.startswith("order"))
    signals = elements.filter(lambda element: element.startswith("signal")).map(signal_of)
    return durable_process(
        orders.key_by(key_of, Types.STRING()),
        handler,
        signals=signals.key_by(lambda signal: signal.value[0], Types.STRING()),
        output_type=Types.STRING(),
        options=options,
        name="durable",
        uid="durable",
    )


def run_job(
    world: World,
    backend: str,
    stages: list[Stage],
    handler: Any,
    options: DurableOptions | None = None,
    **settings: str,
) -> None:
    env = environment(world, restarts=1, state__backend__type=backend, **settings)
    elements = scripted(env, world, stages)
    results = connected(elements, handler, options)
    write_outputs(results, world)
    unclaimed = results.get_side_output(UNCLAIMED_SIGNAL)
    write_outputs(unclaimed.map(told, Types.STRING()), world, "unclaimed")
    if options is not None and options.on_error == "dead-letter":
        letters = results.get_side_output(DEAD_LETTER).map(refused, Types.STRING())
        write_outputs(letters, world, "dead")
    run(env)
    assert world.crashed()


def in_a_checkpoint(event: str, *subjects: str) -> Any:
    def holds(world: World) -> bool:
        if not world.has_all(event, list(subjects)):
            return False
        name = f"{event} {subjects}"
        if world.first_time(name):
            world.note(name, checkpoint=world.newest_checkpoint())
        return world.is_covered(world.events(name)[0]["checkpoint"])

    return holds


def approves(world: World) -> Any:
    async def handle(order: str, ctx: RunnerContext) -> str:
        if order == CRASH:
            await world.crash_when_async(lambda world: world.has_all("run", ["a yes"]))
            return "crashed"
        world.note("asked", ctx.key)
        _, answer = await ctx.wait_for_signal("approval", timeout=600)
        return str(await ctx.durable_execute_async(act, world, f"{ctx.key} {answer}"))

    return handle


@pytest.mark.parametrize("backend", ["hashmap", "rocksdb"])
def test_signals_before_and_behind_a_failure_answer_their_waits(world: World, backend: str) -> None:
    stages = [
        Stage(["order a", "order b", "order a", "signal c early"]),
        # it goes past the second order of a, and no checkpoint holds it when the task fails
        Stage(
            ["signal a yes", CRASH],
            when=in_a_checkpoint("asked", "a", "b"),
            hold=World.crashed,
        ),
        Stage(["order c", "signal b no", "signal a again", "signal d nobody"], when=World.crashed),
    ]

    run_job(world, backend, stages, approves(world))

    expected = ["ran a again", "ran a yes", "ran b no", "ran c early", "crashed"]
    assert sorted(world.outputs()) == sorted(expected)
    assert world.outputs("unclaimed") == ["d nobody"]
    assert Counter(world.subjects("run")) == {"a yes": 2, "a again": 1, "b no": 1, "c early": 1}


def collects(world: World) -> Any:
    async def handle(order: str, ctx: RunnerContext) -> str:
        if order == CRASH:
            await world.crash_when_async(in_a_checkpoint("answered", "first"))
            return "crashed"
        world.note("asked", ctx.key)
        answers = []
        for _ in range(2):
            _, answer = await ctx.wait_for_signal("approval")
            world.note("answered", answer)
            answers.append(answer)
        return f"{ctx.key}: {' '.join(answers)}"

    return handle


def test_a_signal_that_a_checkpoint_holds_as_taken_is_not_taken_again(world: World) -> None:
    stages = [
        Stage(["order a", "signal a first"]),
        Stage([CRASH], when=in_a_checkpoint("answered", "first")),
        Stage(["signal a first", "signal a second"], when=World.crashed),
    ]

    run_job(world, "rocksdb", stages, collects(world), state__changelog__enabled="true")

    assert sorted(world.outputs()) == ["a: first second", "crashed"]
    assert world.outputs("unclaimed") == []


KEYS = [f"k{number}" for number in range(12)]


def waits_in_between(world: World) -> Any:
    async def handle(order: str, ctx: RunnerContext) -> str:
        if order == CRASH:
            await world.crash_when_async(in_a_checkpoint("run", *(f"{key} before" for key in KEYS)))
            return "crashed"
        await ctx.durable_execute_async(act, world, f"{ctx.key} before")
        try:
            _, answer = await ctx.wait_for_signal("approval")
        finally:
            world.note("left", ctx.key)
        await ctx.sleep(1.5)
        return str(await ctx.durable_execute_async(act, world, f"{ctx.key} {answer}"))

    return handle


@pytest.mark.parametrize("backend", ["hashmap", "rocksdb"])
def test_handlers_that_wait_are_parked_and_go_on_behind_a_failure(
    world: World, backend: str
) -> None:
    """There are places for three, and room for two inputs; all twelve and a signal come in."""
    stages = [
        Stage([CRASH, *(f"order {key}" for key in KEYS)]),
        Stage([f"signal {key} yes" for key in KEYS], when=World.crashed),
    ]
    options = DurableOptions(park_after=0.1, max_in_flight=3, max_pending=2)

    run_job(world, backend, stages, waits_in_between(world), options)

    expected = Counter(f"{key} {call}" for key in KEYS for call in ("before", "yes"))
    assert Counter(world.subjects("run")) == expected
    assert sorted(world.outputs()) == sorted([*(f"ran {key} yes" for key in KEYS), "crashed"])
    assert set(world.subjects("left")) == set(KEYS)


def test_behind_one_that_is_parked_no_more_inputs_wait_than_may(world: World) -> None:
    async def handle(order: str, ctx: RunnerContext) -> str:
        if order == CRASH:
            await world.crash_when_async(in_a_checkpoint("left", "a"))
            return "crashed"
        try:
            _, answer = await ctx.wait_for_signal("approval")
        finally:
            world.note("left", ctx.key)
        return f"{ctx.key} {answer}"

    stages = [
        Stage(["order a"]),
        Stage(["order a", "order a", CRASH], when=lambda world: world.has_all("left", ["a"])),
        Stage(["signal a yes", "signal a again", "signal b nobody"], when=World.crashed),
    ]
    options = DurableOptions(
        park_after=0.1, max_waiting_per_key=1, on_error="dead-letter", watermarks="hold"
    )

    run_job(world, "rocksdb", stages, handle, options)

    assert sorted(world.outputs()) == ["a again", "a yes"]
    assert world.outputs("dead").count("a TooManyWaiting") == 1  # beside the one that has failed
    assert world.outputs("unclaimed") == ["b nobody"]


def test_an_operator_of_one_input_gets_signals_under_its_uid(world: World) -> None:
    """What it had in flight waits on, and goes on with the signal."""

    async def before(order: str, ctx: RunnerContext) -> str:
        world.note("asked", ctx.key)
        await ctx.durable_execute_async(act, world, f"{ctx.key} before")
        await ctx.sleep(600)
        return "never"

    async def after(order: str, ctx: RunnerContext) -> str:
        await ctx.durable_execute_async(act, world, f"{ctx.key} before")
        _, answer = await ctx.wait_for_signal("approval")
        return f"{ctx.key}: {answer}"

    stages = [Stage(["order a"]), Stage(["signal a yes"], when=lambda world: world.count("go") > 0)]
    env = environment(world)
    elements = scripted(env, world, stages)
    write_outputs(durable(elements, before, key=key_of), world)
    client = start(env)
    world.wait(lambda world: world.has_all("run", ["a before"]), "the call")
    savepoint = stop_with_savepoint(client, world)
    world.note("go")

    env = environment(
        world, execution__state_recovery__path=savepoint, execution__savepoint__path=savepoint
    )
    results = connected(scripted(env, world, stages), after)
    write_outputs(results, world)
    run(env)

    assert world.outputs() == ["a: yes"]
    assert world.subjects("run") == ["a before"]
