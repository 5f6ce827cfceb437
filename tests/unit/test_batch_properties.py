"""Random handlers that make batches, crashed anywhere and run again on what is kept."""

from __future__ import annotations

from typing import Any

from attempts import Attempt, check
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_batches import BATCHES, programs

CRASHES = st.lists(st.tuples(st.integers(0, 99), st.sampled_from([0, 0, 0, 1, 2, 5])), max_size=6)
EVERYWHERE = ["sequence", "gather", "task gather", "outcomes", "race", "race and cancel"]
SLOW = settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@SLOW
@given(programs(["sync", "await", "task"], EVERYWHERE, BATCHES), CRASHES)
def test_concurrent_handlers_recover(program: Any, crashes: list[tuple[int, int]]) -> None:
    check(program, crashes, Attempt.run_on_loop)


@SLOW
@given(programs(["sync", "await", "task"], EVERYWHERE, BATCHES), CRASHES)
def test_concurrent_handlers_recover_in_steps(program: Any, crashes: list[tuple[int, int]]) -> None:
    check(program, crashes, Attempt.run_in_steps)


@SLOW
@given(programs(["sync", "await", "task"], ["sequence"], BATCHES), CRASHES)
def test_sequential_handlers_recover_over_the_six_methods(
    program: Any, crashes: list[tuple[int, int]]
) -> None:
    check(program, crashes, Attempt.run_in_sequence)


@SLOW
@given(programs(["sync"], ["sequence"], BATCHES), CRASHES)
def test_def_handlers_recover(program: Any, crashes: list[tuple[int, int]]) -> None:
    check(program, crashes, Attempt.run_in_thread)
