"""Values that a host keeps for later: nobody changes them meanwhile."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest
from host_bench import Task
from test_host import keys

NewTask = Callable[..., Task]


def test_one_dict_that_all_handlers_return(new_task: NewTask) -> None:
    reused: dict[str, Any] = {}

    async def handler(value: Any, ctx: Any) -> Any:
        reused["value"] = value
        return reused

    outputs = new_task(handler).start_together("a", "b", "c")[4]
    assert outputs == ({"value": "a"}, {"value": "b"}, {"value": "c"})


@pytest.mark.parametrize("deep", [False, True])
def test_a_dead_letter_holds_the_input_as_it_came(new_task: NewTask, deep: bool) -> None:
    async def handler(value: Any, ctx: Any) -> None:
        if deep:
            value["lines"].append("fee")
        else:
            value["id"] = "changed"
        raise ValueError("unknown order")

    task = new_task(handler, on_error="dead-letter")
    [letter] = keys(task.start({"id": "o-1", "lines": ["tea"]}))
    assert letter.value == {"id": "o-1", "lines": ["tea"]}


def test_a_handler_that_changes_its_key(new_task: NewTask) -> None:
    seen = []

    async def handler(value: Any, ctx: Any) -> Any:
        if value == "changes":
            ctx.key.append("b")
        seen.append(ctx.key)
        return ctx.uuid4()

    task = new_task(handler)
    task.bridge.getKey = lambda invocation: pickle.dumps(["a"])  # type: ignore[method-assign]
    [one] = keys(task.start("changes"))
    [other] = keys(task.start("does not"))
    assert one == other
    assert seen == [["a"], ["a"]]
