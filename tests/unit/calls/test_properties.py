"""Random handlers, crashed anywhere and run again on what their journal kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from attempts import Attempt, check, stopped_clock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_programs import BATCHES, Branch, Call, Steps, programs


@pytest.fixture(autouse=True, scope="module")
def clock() -> Iterator[None]:
    with stopped_clock():
        yield


CRASHES = st.lists(st.tuples(st.integers(0, 99), st.sampled_from([0, 0, 0, 1, 2, 5])), max_size=6)
EVERYWHERE = ["sequence", "gather", "task gather", "outcomes", "race", "race and cancel"]
SLOW = settings(
    max_examples=400,
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
@given(programs(["sync", "await", "task"], EVERYWHERE, with_time=True), CRASHES)
def test_handlers_with_timers_recover(program: Any, crashes: list[tuple[int, int]]) -> None:
    check(program, crashes, Attempt.run_on_loop)


@SLOW
@given(programs(["sync", "await", "task"], EVERYWHERE, with_time=True), CRASHES)
def test_handlers_with_timers_recover_in_steps(
    program: Any, crashes: list[tuple[int, int]]
) -> None:
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


@pytest.mark.parametrize("crash_after", range(1, 40))
def test_a_fan_out_of_equal_calls_recovers_from_a_crash_anywhere(crash_after: int) -> None:
    def call(number: int, rank: int) -> Call:
        return Call(number, 0, "await", False, "looks up", rank)

    fan = Steps("gather", tuple(call(n, 9 - n) for n in range(1, 6)))
    race = Steps("race and cancel", (call(6, 5), call(7, 1), Steps("sequence", (call(8, 0),) * 1)))
    program = Steps("sequence", (fan, Branch(race, (call(9, 0), call(10, 0)))))
    check(program, [(crash_after, 0), (crash_after, 0)], Attempt.run_on_loop)
