"""A mismatch that would lose something fails the task, in spite of dead letters and of handlers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bridges import Slot
from host_bench import Task

from pyflink_durable import HandlerFailed, JournalMismatch

NewTask = Callable[..., Task]
IN_DOUBT = Slot("charge", "2:0123456789abcdef")


async def calls(value: Any, ctx: Any) -> Any:
    return await ctx.durable_execute_async(str, 1, durable_id="refund")


async def swallows(value: Any, ctx: Any) -> Any:
    try:
        return await calls(value, ctx)
    except Exception:
        return "swallowed"


async def fails_otherwise(value: Any, ctx: Any) -> Any:
    try:
        return await calls(value, ctx)
    except Exception:
        raise ValueError("unknown order") from None


async def ends(value: Any, ctx: Any) -> str:
    return "nothing"


async def fails_before(value: Any, ctx: Any) -> Any:
    raise ValueError("unknown order")


@pytest.mark.parametrize("on_error", ["fail", "dead-letter"])
@pytest.mark.parametrize("handler", [calls, swallows, fails_otherwise, ends])
def test_it_fails_the_task(new_task: NewTask, on_error: str, handler: Any) -> None:
    task = new_task(handler, on_error=on_error)
    with pytest.raises(HandlerFailed, match=r"slot 0, charge: in doubt"):
        task.start("order", 1, IN_DOUBT)
    assert task.bridge.journals[1].slots == [IN_DOUBT]


def test_a_dead_letter_loses_nothing_either(new_task: NewTask) -> None:
    task = new_task(fails_before, on_error="dead-letter")
    with pytest.raises(HandlerFailed, match=r"unknown order(.|\n)*slot 0, charge: in doubt"):
        task.start("order", 1, IN_DOUBT)
    # without a journal that would get lost it is one
    assert task.start("order", 2)[3]


def test_where_it_is_cleared_the_job_goes_on(new_task: NewTask) -> None:
    task = new_task(ends, on_mismatch="clear")
    task.start("order", 1, IN_DOUBT)
    assert task.bridge.counters["mismatched"] == 1


def test_the_error_is_the_cause(new_task: NewTask) -> None:
    with pytest.raises(HandlerFailed) as caught:
        new_task(calls).start("order", 1, IN_DOUBT)
    assert isinstance(caught.value.__cause__, JournalMismatch)
    assert "test_host_mismatch.py" in caught.value.__cause__.line
