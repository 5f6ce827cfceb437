"""What a `RetryPolicy` takes, and when it has another attempt."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import pytest
from pydantic import ValidationError

from pyflink_durable import CallTimedOut, RetryPolicy


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"max_attempts": 0}, "max_attempts\n.*greater than or equal to 1"),
        ({"max_attempts": 1.5}, "max_attempts\n.*integer"),
        ({"initial_interval": -1}, "initial_interval\n.*greater than or equal to 0"),
        ({"initial_interval": float("nan")}, "initial_interval\n.*finite number"),
        ({"max_interval": float("inf")}, "max_interval\n.*finite number"),
        ({"backoff": 0.5}, "backoff\n.*greater than or equal to 1"),
        ({"jitter": 1.1}, "jitter\n.*less than or equal to 1"),
        ({"jitter": -0.1}, "jitter\n.*greater than or equal to 0"),
        ({"attempts": 3}, "attempts\n.*not permitted"),
        ({"retry_on": 7}, "classes of exceptions, or a function, not 7"),
        ({"retry_on": "OSError"}, "classes of exceptions, or a function, not 'OSError'"),
        ({"retry_on": None}, "classes of exceptions, or a function, not None"),
        ({"retry_on": [ValueError, int]}, "not <class 'int'>"),
        ({"retry_on": BaseException}, "other BaseExceptions are never tried again"),
        ({"retry_on": asyncio.CancelledError}, "cancellation .* never tried again"),
        ({"retry_on": (OSError, KeyboardInterrupt)}, "never tried again"),
    ],
    ids=repr,
)
def test_bad_settings_are_refused_by_name(setting: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        RetryPolicy(**setting)


def test_it_is_frozen_and_survives_the_way_to_the_task_managers() -> None:
    policy = RetryPolicy(max_attempts=5, retry_on=[OSError, ValueError])
    with pytest.raises(ValidationError, match="frozen"):
        policy.max_attempts = 6  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(policy)) == policy
    assert policy.retry_on == (OSError, ValueError)


def test_intervals_grow_up_to_the_longest() -> None:
    policy = RetryPolicy(initial_interval=2, backoff=3, max_interval=50, jitter=0)
    assert [policy.interval(attempt) for attempt in range(1, 7)] == [2, 6, 18, 50, 50, 50]


def test_a_backoff_of_one_does_not_grow() -> None:
    policy = RetryPolicy(initial_interval=2, backoff=1, jitter=0)
    assert {policy.interval(attempt) for attempt in range(1, 100)} == {2}


def test_a_first_interval_beyond_the_default_of_the_longest_is_what_was_said() -> None:
    policy = RetryPolicy(initial_interval=300, backoff=3, jitter=0)
    assert [policy.interval(attempt) for attempt in (1, 2, 9, 10_000)] == [300, 300, 300, 300]


def test_a_first_interval_beyond_the_longest_that_is_given_is_refused() -> None:
    with pytest.raises(ValidationError, match="initial_interval=100 is longer than max_interval=7"):
        RetryPolicy(initial_interval=100, max_interval=7)


@pytest.mark.parametrize("initial", [0.0, 1.0])
def test_the_ten_thousandth_interval_is_no_overflow(initial: float) -> None:
    policy = RetryPolicy(initial_interval=initial, backoff=10, max_interval=60, jitter=0)
    assert policy.interval(10_000) == (60 if initial else 0)


@pytest.mark.parametrize("jitter", [0.1, 0.5, 1.0])
def test_jitter_takes_its_part_of_the_interval_and_no_more(jitter: float) -> None:
    policy = RetryPolicy(initial_interval=10, jitter=jitter)
    intervals = [policy.interval(1) for _ in range(500)]
    assert all(10 * (1 - jitter) <= interval <= 10 for interval in intervals)
    assert max(intervals) - min(intervals) > 10 * jitter / 2


def test_the_last_attempt_is_the_last() -> None:
    policy = RetryPolicy(max_attempts=3)
    assert [policy.allows(ValueError(), attempt) for attempt in (1, 2, 3, 4)] == [
        True,
        True,
        False,
        False,
    ]


def test_classes_take_their_subclasses_and_no_others() -> None:
    policy = RetryPolicy(retry_on=(OSError, KeyError))
    assert policy.allows(ConnectionResetError(), 1)
    assert policy.allows(KeyError(), 1)
    assert not policy.allows(ValueError(), 1)
    assert RetryPolicy(retry_on=OSError).allows(ConnectionResetError(), 1)
    assert not RetryPolicy(retry_on=()).allows(OSError(), 1)


def test_a_function_decides() -> None:
    policy = RetryPolicy(retry_on=lambda error: "busy" in str(error))
    assert policy.allows(ValueError("busy"), 1)
    assert not policy.allows(ValueError("refused"), 1)


def test_a_timeout_counts_as_a_timeout() -> None:
    assert RetryPolicy(retry_on=TimeoutError).allows(CallTimedOut("charge", 1.0), 1)
