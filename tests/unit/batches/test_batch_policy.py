"""Which calls of a batch run: nothing here runs one."""

from __future__ import annotations

import pytest

from pyflink_durable.batch import CallOutcome, CallStatus
from pyflink_durable.runtime.batches.policy import BatchPolicy

DONE = CallOutcome("done")


def lined_up(size: int, limit: int | None) -> BatchPolicy:
    policy = BatchPolicy(size, limit)
    for place in range(size):
        policy.line_up(place)
    return policy


def begin_all(policy: BatchPolicy) -> list[int]:
    return list(iter(policy.next, None))


@pytest.mark.parametrize(("limit", "first"), [(None, 3), (1, 1), (2, 2), (5, 3)])
def test_as_many_begin_as_there_is_room_for(limit: int | None, first: int) -> None:
    assert begin_all(lined_up(3, limit)) == [0, 1, 2][:first]


def test_the_end_of_one_makes_room_for_the_next_in_line() -> None:
    policy = lined_up(4, 2)
    assert begin_all(policy) == [0, 1]
    policy.end(1, DONE)
    assert begin_all(policy) == [2]
    policy.end(0, DONE)
    policy.end(2, DONE)
    assert begin_all(policy) == [3]
    assert not policy.is_over
    policy.end(3, DONE)
    assert policy.is_over
    assert policy.outcomes() == [DONE] * 4


def test_what_is_answered_from_the_journal_takes_no_room() -> None:
    policy = BatchPolicy(2, 1)
    policy.begin_beside(0)
    policy.line_up(1)
    assert begin_all(policy) == [1]


def test_at_the_end_of_the_time_nothing_begins_any_more() -> None:
    policy = lined_up(3, 2)
    begin_all(policy)
    policy.end(0, DONE)
    begun = [policy.has_begun(place) for place in range(3)]
    late = CallOutcome(status=CallStatus.NOT_STARTED)
    policy.expire(lambda place, seconds: late)
    assert (begun, begin_all(policy), policy.is_over) == ([True, True, False], [], True)
    assert policy.outcomes() == [DONE, late, late]


def test_an_empty_batch_is_over() -> None:
    assert BatchPolicy(0, None).is_over
