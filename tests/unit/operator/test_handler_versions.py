"""An input is handled by the version of the handler that accepted it."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from threading import get_ident
from typing import Any

import pytest
from host_bench import Task

from pyflink_durable import DurableOptions, DurableProcessFunction
from pyflink_durable.handler import Handler


async def current(value: Any, ctx: Any) -> str:
    return f"current {ctx.durable_execute(str.upper, value)}"


async def first(value: Any, ctx: Any) -> str:
    return f"first {ctx.durable_execute(str.title, value)}"


def current_on_a_thread(value: Any, ctx: Any) -> str:
    return f"current {ctx.durable_execute(str.upper, value)}"


def first_on_a_thread(value: Any, ctx: Any) -> str:
    return f"first {ctx.durable_execute(str.title, value)}"


class Whole(DurableProcessFunction):
    def __init__(self, name: str) -> None:
        self.name = name
        self.life: list[str] = []

    def open(self, runtime_context: Any) -> None:
        self.life.append("opened")

    async def process(self, value: Any, ctx: Any) -> str:
        return f"{self.name} {value}"

    def close(self) -> None:
        self.life.append("closed")


@pytest.fixture
def tasks() -> Iterator[list[Task]]:
    made: list[Task] = []
    yield made
    for task in made:
        task.host.close()


def new_task(tasks: list[Task], handler: Handler, previous: Mapping[str | None, Handler]) -> Task:
    tasks.append(Task(handler, DurableOptions(), previous))
    return tasks[-1]


def outputs(task: Task, value: str, invocation: int, *others: Any) -> tuple[Any, ...]:
    _, *report = task.start(value, invocation, others=others or None)
    if not report[3]:  # of a handler on a thread
        return task.resume_until_it_reports()[3]  # type: ignore[no-any-return]
    return report[3]  # type: ignore[no-any-return]


@pytest.mark.parametrize("handler", [current, current_on_a_thread])
@pytest.mark.parametrize("earlier", [first, first_on_a_thread])
def test_each_input_has_that_of_its_version(
    tasks: list[Task], handler: Handler, earlier: Handler
) -> None:
    task = new_task(tasks, handler, {"1": earlier, None: earlier})

    assert outputs(task, "ann", 1) == ("current ANN",)
    assert outputs(task, "ann", 2, 2, "1") == ("first Ann",)
    assert outputs(task, "ann", 3, 3, None) == ("first Ann",)
    assert outputs(task, "ann", 4) == ("current ANN",)


async def reads(value: Any, ctx: Any) -> str:
    return f"loop {ctx.state.get('total')}"


def reads_on_a_thread(value: Any, ctx: Any) -> str:
    return f"thread {ctx.state.get('total')}"


@pytest.mark.parametrize("handler", [reads, reads_on_a_thread])
def test_handlers_of_both_kinds_read_the_state_where_they_run(
    tasks: list[Task], handler: Handler
) -> None:
    other = reads if handler is reads_on_a_thread else reads_on_a_thread
    task = new_task(tasks, handler, {"1": other})
    asked: list[int] = []

    def state(invocation: int, name: str) -> bytes:
        asked.append(get_ident())
        return pickle.dumps(invocation)

    vars(task.bridge)["getState"] = state
    told = outputs(task, "ann", 1) + outputs(task, "ann", 2, 2, "1")
    assert sorted(told) == sorted(
        ["loop 1", "thread 2"] if handler is reads else ["loop 2", "thread 1"]
    )
    assert set(asked) == {get_ident()}, "keyed state is the task thread's"


def test_handlers_with_a_life_live_once_each(tasks: list[Task]) -> None:
    now, then = Whole("now"), Whole("then")
    task = new_task(tasks, now, {"1": then, None: then})

    assert outputs(task, "ann", 1) == ("now ann",)
    assert outputs(task, "ann", 2, 2, "1") == ("then ann",)
    tasks.pop().host.close()
    assert now.life == then.life == ["opened", "closed"]
