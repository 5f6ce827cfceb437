"""An input that comes when too many of its key wait is told to somebody."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest
from host_bench import Task, read

from pyflink_durable import DeadLetter, TooManyWaiting


async def never_called(value: Any, ctx: Any) -> None:
    raise AssertionError


def refuse(task: Task, value: Any) -> Any:
    outputs = task.host.refuse([pickle.dumps([value])], pickle.dumps("k"), 2)
    [output] = read((outputs,))[0]
    return output


def test_it_goes_to_the_dead_letters(new_task: Callable[..., Task]) -> None:
    task = new_task(never_called, on_error="dead-letter")
    letter = refuse(task, {"id": 1})
    assert isinstance(letter, DeadLetter)
    assert (letter.operator, letter.key, letter.value) == ("orders", "k", {"id": 1})
    assert (letter.error_type, letter.traceback, letter.calls) == ("TooManyWaiting", "", ())
    assert task.bridge.counters["deadLetters"] == 1
    assert "max_waiting_per_key=2" in task.bridge.lines[-1]


def test_it_fails_a_task_without_dead_letters(new_task: Callable[..., Task]) -> None:
    with pytest.raises(TooManyWaiting, match="operator 'orders' key='k' 2 inputs of the key wait"):
        refuse(new_task(never_called), {"id": 1})
