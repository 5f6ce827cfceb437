"""What a `DurableProcessFunction` finds in its ``open``."""

from __future__ import annotations

from typing import Any

import pytest
from crashkit import JobFailed, Stage, World, act, durable, environment, run, scripted
from pyflink.common import Types
from pyflink.datastream import RuntimeContext
from pyflink.datastream.state import ValueStateDescriptor

from pyflink_durable import DurableProcessFunction, RunnerContext

pytestmark = pytest.mark.minicluster

NAMES = [f"order-{n}" for n in range(20)]


class Opened(DurableProcessFunction):
    """Notes what it is told, fails once, and counts its calls."""

    def __init__(self, world: World) -> None:
        self._world = world

    def open(self, runtime_context: RuntimeContext) -> None:
        facts = {
            "job": runtime_context.get_job_id(),
            "task": runtime_context.get_task_name(),
            "name": runtime_context.get_task_name_with_subtasks(),
            "index": runtime_context.get_index_of_this_subtask(),
            "parallelism": runtime_context.get_number_of_parallel_subtasks(),
            "max_parallelism": runtime_context.get_max_number_of_parallel_subtasks(),
            "attempt": runtime_context.get_attempt_number(),
            "region": runtime_context.get_job_parameter("region", "none"),
        }
        self._world.note("open", **facts)
        group = runtime_context.get_metrics_group().add_group("shop")
        self._calls = group.counter("calls")
        self._millis = group.distribution("millis")
        group.meter("inputs").mark_event()
        group.gauge("answer", lambda: 42)

    async def process(self, name: str, ctx: RunnerContext) -> str:
        await ctx.durable_execute_async(self._call, name)
        self._world.crash_once()
        return name

    def _call(self, name: str) -> str:
        self._calls.inc()
        self._millis.update(len(name))
        return act(self._world, name)

    def close(self) -> None:
        self._world.note("close", str(self._calls.get_count()))


def test_open_learns_of_its_task_and_counts(world: World) -> None:
    env = environment(world, restarts=1, parallelism=2, pipeline__global_job_parameters="region:eu")
    durable(scripted(env, world, [Stage(NAMES)]), Opened(world), name="orders").print()

    run(env)

    opened: list[dict[str, Any]] = world.events("open")
    assert {(one["index"], one["attempt"]) for one in opened} == {(0, 0), (1, 0), (0, 1), (1, 1)}
    assert {one["name"].partition("#")[0] for one in opened if one["index"] == 1} == {
        f"{opened[0]['task']} (2/2)"
    }
    for one in opened:
        assert "orders" in one["task"]
        assert len(one["job"]) == 32
        assert (one["parallelism"], one["max_parallelism"]) == (2, 128)
        assert one["region"] == "eu"
    assert sum(map(int, world.subjects("close"))) == world.count("run")


class Stateful(DurableProcessFunction):
    def open(self, runtime_context: RuntimeContext) -> None:
        runtime_context.get_state(ValueStateDescriptor("seen", Types.INT()))

    def process(self, name: str, ctx: RunnerContext) -> str:
        return name


def test_flinks_own_states_are_refused(world: World) -> None:
    env = environment(world)
    durable(scripted(env, world, [Stage(NAMES)]), Stateful()).print()

    with pytest.raises(JobFailed, match=r"get_state\(\) .*Use ctx\.state in process\(value, ctx\)"):
        run(env)


class HalfOpened(Opened):
    """Fails in its ``open``, and again when it is closed."""

    def open(self, runtime_context: RuntimeContext) -> None:
        raise LookupError("no such host")

    def close(self) -> None:
        self._world.note("close", "half")
        self._calls.get_count()


def test_an_open_that_fails_is_what_the_job_fails_with(world: World) -> None:
    env = environment(world)
    durable(scripted(env, world, [Stage(["order-1"])]), HalfOpened(world), name="orders").print()
    with pytest.raises(JobFailed, match=r"LookupError.*no such host"):
        run(env)
    assert world.subjects("close") == ["half"]
