"""Metrics of calls by their names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from threading import Thread
from typing import Any

import host_bench
import pytest
from bridges import Slot
from handler_bench import HandlerBench
from host_bench import Task

from pyflink_durable import RetryPolicy
from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.payload.results import dump_result
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.operator.handler_host import HandlerHost
from pyflink_durable.runtime.telemetry.call_metrics import MOST_NAMES, CallMetrics

pytestmark = pytest.mark.one_run(reason="a replay starts no calls")

DIGEST = compute_args_digest((), {})


class Group:
    """A metric group that keeps what it is told by full names."""

    def __init__(self, names: tuple[str, ...] = (), told: Group | None = None) -> None:
        self._names = names
        self.gauges: dict[str, Callable[[], int]] = {} if told is None else told.gauges
        self.counts: Counter[str] = Counter() if told is None else told.counts
        self.values: dict[str, list[int]] = {} if told is None else told.values

    def add_group(self, *names: str) -> Group:
        return Group((*self._names, *names), self)

    def _full(self, name: str) -> str:
        return ".".join((*self._names, name))

    def gauge(self, name: str, obj: Callable[[], int]) -> None:
        self.gauges[self._full(name)] = obj

    def counter(self, name: str) -> Any:
        return Metric(lambda n: self.counts.update({self._full(name): n}))

    def distribution(self, name: str) -> Any:
        return Metric(self.values.setdefault(self._full(name), []).append)


class Metric:
    def __init__(self, take: Callable[[int], Any]) -> None:
        self.inc = self.update = take


class Call:
    durable_id = None

    def __init__(self, name: str, slot: int = 0) -> None:
        self.name = name
        self.slot = slot


def fails() -> None:
    raise ValueError("declined")


async def handle(value: Any, ctx: Any) -> list[Any]:
    await ctx.durable_execute_async(lambda: 1, durable_id="known")
    retry = RetryPolicy(max_attempts=2, initial_interval=0.001)
    try:
        await ctx.durable_execute_async(fails, durable_id="charge", retry=retry)
    except ValueError:
        return [await ctx.durable_execute_async(lambda: 2, durable_id="ship")]
    raise AssertionError


def test_what_becomes_of_calls_is_counted_by_name(executor: CallExecutor) -> None:
    group = Group()
    metrics = CallMetrics(group, pytest.fail)
    slots = [Slot("known", DIGEST, "SUCCEEDED", dump_result(1), completion=0)]
    assert HandlerBench(handle, executor, slots=slots, observers=[metrics]).run() == [2]

    assert group.counts == {}
    group.gauges["oldestRunningMillis"]()
    assert group.counts == {
        "call.known.replayed": 1,
        "call.charge.started": 2,
        "call.charge.retried": 1,
        "call.charge.failed": 1,
        "call.ship.started": 1,
    }
    assert len(group.values["call.charge.latencyMillis"]) == 2
    assert group.values["call.known.latencyMillis"] == []

    metrics.close()
    assert group.counts["call.ship.started"] == 1


def test_the_oldest_that_runs_and_the_oldest_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: seconds[0])
    group = Group()
    metrics = CallMetrics(group, pytest.fail)
    one: Any = object()
    other: Any = object()
    read = {name: lambda name=name: group.gauges[name]() for name in group.gauges}

    metrics.call_held(one, Call("f"), "CHECKPOINT")
    seconds[0] += 1
    metrics.attempt_started(other, Call("f", 3), 1)
    seconds[0] += 1
    assert read["oldestWaitingMillis"]() == 2000
    assert read["oldestRunningMillis"]() == 1000

    metrics.attempt_started(one, Call("f"), 1)
    assert read["oldestWaitingMillis"]() == 0
    metrics.attempt_timed_out(one, Call("f"), 1)
    metrics.call_reexecuted(other, Call("f", 3), 1)
    assert read["inDoubt"]() == 2
    metrics.call_ended(one, Call("f"), None)
    assert read["inDoubt"]() == 1
    metrics.invocation_ended(other, None)
    metrics.invocation_ended(one, None)
    assert [read[name]() for name in read] == [0, 0, 0]
    metrics.attempt_ended(one, Call("f"), 1, None)  # of a function that nobody waits for any more
    assert group.values["call.f.latencyMillis"] == []


def test_names_beyond_the_most_are_one() -> None:
    lines: list[str] = []
    group = Group()
    metrics = CallMetrics(group, lines.append)
    owner: Any = object()

    for number in range(MOST_NAMES + 3):
        metrics.call_replayed(owner, Call(f"charge {number}"))
    metrics.call_replayed(owner, Call("charge 0"))
    metrics.close()

    assert len(group.counts) == MOST_NAMES + 1
    assert group.counts["call.other.replayed"] == 3
    assert group.counts["call.charge 0.replayed"] == 2
    (line,) = lines
    assert "name='charge 100'" in line


def test_the_parts_of_a_function_id_that_tell_partials_apart_are_left_out() -> None:
    group = Group()
    metrics = CallMetrics(group, pytest.fail)
    metrics.call_replayed(Call("owner"), Call("shop.pay#b1c7"))  # type: ignore[arg-type]
    metrics.close()

    assert group.counts == {"call.shop.pay.replayed": 1}


def test_nothing_is_lost_between_threads() -> None:
    group = Group()
    metrics = CallMetrics(group, pytest.fail)
    owner: Any = object()

    def work() -> None:
        for _ in range(2_000):
            metrics.call_replayed(owner, Call("f"))

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        group.gauges["oldestRunningMillis"]()
    metrics.close()

    assert group.counts["call.f.replayed"] == 8_000


class JavaMetrics:
    def __init__(self) -> None:
        self.registered: list[tuple[str, str, tuple[str | None, ...]]] = []
        self.updates: list[tuple[int, int]] = []

    def register(self, kind: str, name: str, seconds: int, groups: Any) -> int:
        self.registered.append((kind, name, tuple(groups)))
        return len(self.registered) - 1

    def update(self, metric: int, value: int) -> None:
        self.updates.append((metric, value))


@pytest.mark.parametrize("wanted", [True, False])
def test_the_option(
    new_task: Callable[..., Task], monkeypatch: pytest.MonkeyPatch, wanted: bool
) -> None:
    async def handle(value: Any, ctx: Any) -> Any:
        return ctx.durable_execute(lambda: value, durable_id="charge")

    java = JavaMetrics()
    monkeypatch.setattr(
        host_bench,
        "HandlerHost",
        lambda bridge, none, described: HandlerHost(bridge, java, described),
    )
    task = new_task(handle, call_metrics=wanted)
    task.start("order")
    task.host.close()

    if not wanted:
        assert java.registered == []
        return
    counter = ("counter", "started", ("durable", None, "call", "charge"))
    assert ("gauge", "inDoubt", ("durable", None)) in java.registered
    assert (java.registered.index(counter), 1) in java.updates
