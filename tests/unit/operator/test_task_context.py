"""What a handler's ``open`` gets: facts of the task, and metrics; no states."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from pyflink_durable import ConfigurationError
from pyflink_durable.runtime.operator.handler_metrics import GAUGE_SECONDS, Gauges, HandlerMetrics
from pyflink_durable.runtime.operator.task_context import TaskContext
from pyflink_durable.runtime.telemetry.telemetry import LocalTelemetry


class Parameters:
    """PyFlink's context, as far as it goes."""

    def get_job_parameter(self, key: str, default_value: str) -> str:
        return {"region": "eu"}.get(key, default_value)


class JavaMetrics:
    """The Java HandlerMetrics."""

    def __init__(self) -> None:
        self.registered: list[tuple[Any, ...]] = []
        self.values: dict[int, list[int]] = {}

    def register(self, kind: str, name: str, seconds: int, groups: Any) -> int:
        self.registered.append((kind, name, seconds, groups))
        self.values[len(self.registered) - 1] = []
        return len(self.registered) - 1

    def update(self, metric: int, value: int) -> None:
        self.values[metric].append(value)

    def count(self, metric: int) -> int:
        return sum(self.values[metric])


@pytest.fixture
def java() -> JavaMetrics:
    return JavaMetrics()


@pytest.fixture
def telemetry() -> LocalTelemetry:
    return LocalTelemetry()


@pytest.fixture
def gauges(java: JavaMetrics, telemetry: LocalTelemetry) -> Gauges:
    return Gauges(java, telemetry)


@pytest.fixture
def metrics(java: JavaMetrics, gauges: Gauges) -> HandlerMetrics:
    return HandlerMetrics(java, gauges)


@pytest.fixture
def context(metrics: HandlerMetrics) -> TaskContext:
    return TaskContext(["a" * 32, "orders", "orders (2/3)#4", 1, 3, 128, 4], metrics, Parameters())


def test_facts_have_the_names_of_pyflink(context: TaskContext) -> None:
    assert context.get_job_id() == "a" * 32
    assert context.get_task_name() == "orders"
    assert context.get_task_name_with_subtasks() == "orders (2/3)#4"
    assert context.get_index_of_this_subtask() == 1
    assert context.get_number_of_parallel_subtasks() == 3
    assert context.get_max_number_of_parallel_subtasks() == 128
    assert context.get_attempt_number() == 4
    assert context.get_job_parameter("region", "us") == "eu"
    assert context.get_job_parameter("zone", "b") == "b"


@pytest.mark.parametrize(
    "method",
    ["get_state", "get_list_state", "get_map_state", "get_reducing_state", "get_aggregating_state"],
)
def test_a_state_of_no_certain_key_is_refused(context: TaskContext, method: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{method}\(\) .*Use ctx\.state in process"):
        getattr(context, method)(object())


def test_every_method_of_pyflinks_context_is_answered() -> None:
    from pyflink.datastream import RuntimeContext

    names = {name for name in dir(RuntimeContext) if name.startswith("get_")}
    assert names <= set(vars(TaskContext))


def test_counters_and_meters_count(metrics: HandlerMetrics, java: JavaMetrics) -> None:
    calls = metrics.counter("calls")
    calls.inc()
    calls.inc(5)
    calls.dec(2)
    assert calls.get_count() == 4
    events = metrics.meter("events", 30)
    events.mark_event()
    events.mark_event(2)
    assert events.get_count() == 3
    assert java.registered == [("counter", "calls", 0, ()), ("meter", "events", 30, ())]


def test_groups_nest(metrics: HandlerMetrics, java: JavaMetrics) -> None:
    metrics.add_group("shop").add_group("region", "eu").distribution("millis").update(7)
    groups = ("shop", None, "region", "eu")
    assert java.registered == [("distribution", "millis", 0, groups)]
    assert java.values == {0: [7]}


def test_gauges_are_asked_on_the_task_thread_and_not_before_their_time(
    metrics: HandlerMetrics, gauges: Gauges, java: JavaMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr("pyflink_durable.runtime.operator.handler_metrics.time.time", lambda: now)
    depth, asked_on, wakes = 3, set(), []

    def ask() -> int:
        asked_on.add(threading.get_ident())
        return depth

    gauges.read(wakes.append)
    assert wakes == []  # nothing to ask
    metrics.gauge("depth", ask)
    gauges.read(wakes.append)
    depth = 4
    gauges.read(wakes.append)
    assert java.values == {0: [3]}
    now += GAUGE_SECONDS
    gauges.read(wakes.append)
    assert java.values == {0: [3, 4]}
    assert wakes == [1_005_000, 1_010_000]
    assert asked_on == {threading.get_ident()}


def test_a_gauge_that_raises_is_named_once(
    metrics: HandlerMetrics,
    gauges: Gauges,
    telemetry: LocalTelemetry,
    java: JavaMetrics,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    now = 1_000.0
    monkeypatch.setattr("pyflink_durable.runtime.operator.handler_metrics.time.time", lambda: now)

    def broken() -> int:
        raise KeyError("size")

    metrics.gauge("broken", broken)
    metrics.gauge("good", lambda: 1)
    for _ in range(3):
        gauges.read(lambda due: None)
        now += GAUGE_SECONDS
    assert java.values == {0: [], 1: [1, 1, 1]}
    (line,) = [record.getMessage() for record in caplog.records]
    assert "broken" in line
    assert "KeyError: 'size'; it is not asked again" in line
