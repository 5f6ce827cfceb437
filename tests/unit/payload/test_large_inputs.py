"""Large inputs are told of, and refused where the operator says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bridges import Slot
from host_bench import Task

from pyflink_durable import DeadLetter, HandlerFailed
from pyflink_durable.payload.results import dump_result


async def tells_its_length(value: Any, ctx: Any) -> int:
    return len(value)


def outputs(report: tuple[Any, ...]) -> Any:
    return report[-1]


def test_a_large_one_is_told_of(new_task: Callable[..., Task]) -> None:
    task = new_task(tells_its_length)
    assert outputs(task.start("x" * 300_000)) == (300_000,)
    assert outputs(task.start("x" * 400_000, 2)) == (400_000,)
    assert task.bridge.counters["largePayloads"] == 2
    [line] = [line for line in task.bridge.lines if "payload=" in line]
    assert "payload=the input bytes=3000" in line


def test_small_ones_cost_nothing(new_task: Callable[..., Task]) -> None:
    task = new_task(tells_its_length)
    assert outputs(task.start_together(*["x" * 1_000] * 200)) == (1_000,) * 200
    assert task.bridge.counters["largePayloads"] == 0


@pytest.mark.parametrize(("limit", "size"), [(1_000, 2_000), (300_000, 300_100)])
def test_one_over_the_limit_fails_the_task(
    limit: int, size: int, new_task: Callable[..., Task]
) -> None:
    task = new_task(tells_its_length, max_payload=limit)
    assert outputs(task.start("x" * (limit - 100))) == (limit - 100,)
    with pytest.raises(HandlerFailed, match=f"the input has a payload of {size // 100}.. bytes"):
        task.start("x" * size, 2)


def test_or_is_a_dead_letter(new_task: Callable[..., Task]) -> None:
    task = new_task(tells_its_length, max_payload=1_000, on_error="dead-letter")
    found = outputs(task.start_together("a", "x" * 2_000, "abc"))
    assert [one for one in found if not isinstance(one, DeadLetter)] == [1, 3]
    [letter] = [one for one in found if isinstance(one, DeadLetter)]
    assert (letter.error_type, len(letter.value)) == ("PayloadTooLarge", 2_000)


def test_what_has_begun_is_not_for_a_new_limit_to_end(new_task: Callable[..., Task]) -> None:
    task = new_task(tells_its_length, max_payload=1_000, on_mismatch="clear")
    begun = Slot("f", "2:0", "SUCCEEDED", dump_result(1), None)
    assert outputs(task.start("x" * 2_000, 1, begun)) == (2_000,)
