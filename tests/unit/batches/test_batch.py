"""The parts of a batch: what a call may be given, and what outcomes can be asked."""

from __future__ import annotations

import copy
import pickle
import sys
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from pyflink_durable.batch import CallOutcome, CallStatus, DurableCall, Outcomes, check_batch
from pyflink_durable.errors import CallNotStarted

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup


def charge(order: str, amount: float = 1.0) -> str:
    return f"{order} {amount}"


def failed(error: Exception, status: CallStatus = CallStatus.FAILED) -> CallOutcome:
    return CallOutcome(error=error, status=status)


def test_a_call_with_nothing_but_a_function() -> None:
    call = DurableCall(charge)
    assert (call.args, call.keywords, call.durable_id, call.pool) == ((), {}, None, "calls")
    with pytest.raises(FrozenInstanceError):
        call.args = ("o-1",)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"func": "charge"}, TypeError, "takes a function first, not str"),
        ({"args": "o-1"}, TypeError, r"as a tuple: DurableCall\(charge, \(order_id,\)\), not str"),
        ({"args": ["o-1"]}, TypeError, "as a tuple.* not list"),
        ({"kwargs": [("amount", 1)]}, TypeError, "keyword arguments as a mapping from str"),
        ({"kwargs": {1: 1}}, TypeError, "keyword arguments as a mapping from str"),
        ({"durable_id": 7}, TypeError, "durable_id must be a str"),
        ({"durable_id": ""}, ValueError, "durable_id must have 1 to 1000 characters"),
        ({"reconciler": 7}, TypeError, "reconciler must be callable"),
        ({"reconciler": charge}, TypeError, "a callable that takes no arguments"),
        ({"timeout": "30 s"}, TypeError, "timeout must be a number of seconds, not str"),
        ({"timeout": True}, TypeError, "timeout must be a number of seconds, not bool"),
        ({"timeout": 0}, ValueError, "timeout must be above 0 seconds, not 0"),
        ({"timeout": float("nan")}, ValueError, "timeout must be above 0 seconds, not nan"),
        (
            {"durability": "strong"},
            ValueError,
            "durability must be one of .*'gated'.* not 'strong'",
        ),
        ({"in_doubt": "ask"}, ValueError, "in_doubt must be one of .*'raise'.* not 'ask'"),
        ({"pool": "mine"}, ValueError, "pool must be one of 'calls', 'tools', not 'mine'"),
    ],
)
def test_what_a_call_refuses(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        DurableCall(**({"func": charge} | arguments))


def test_options_are_keyword_only() -> None:
    with pytest.raises(TypeError):
        DurableCall(charge, (), {}, "id")  # type: ignore[misc]


def test_a_batch_is_checked_as_a_whole() -> None:
    calls = [DurableCall(charge, ("o-1",)), DurableCall(charge, ("o-1",))]
    assert check_batch(iter(calls), 2, 1.5) == tuple(calls)
    assert check_batch([]) == ()


@pytest.mark.parametrize(
    ("calls", "limits", "error", "message"),
    [
        ([charge], {}, TypeError, r"DurableCall\(func, args, ...\): number 0 is of type function"),
        (
            [DurableCall(charge, durable_id="a"), DurableCall(charge, ("x",), durable_id="a")],
            {},
            ValueError,
            "two calls of a batch have the durable_id 'a'",
        ),
        ([], {"max_parallelism": 0}, ValueError, "max_parallelism must be an int above 0, not 0"),
        ([], {"max_parallelism": True}, ValueError, "max_parallelism must be an int above 0"),
        ([], {"timeout": -1}, ValueError, "timeout must be above 0"),
    ],
)
def test_what_a_batch_refuses(calls: Any, limits: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        check_batch(calls, **limits)


def test_an_outcome_unwraps_to_its_value_or_error() -> None:
    assert CallOutcome("charged").unwrap() == "charged"
    with pytest.raises(ValueError, match="declined"):
        failed(ValueError("declined")).unwrap()


def test_outcomes_are_a_list_and_raise_the_first_error_in_input_order() -> None:
    outcomes = Outcomes(
        [
            CallOutcome(1),
            failed(ValueError("second")),
            failed(CallNotStarted("third"), CallStatus.NOT_STARTED),
        ]
    )
    assert [outcome.status.value for outcome in outcomes] == ["SUCCEEDED", "FAILED", "NOT_STARTED"]
    for ask in (outcomes.values, outcomes.raise_first):
        with pytest.raises(ValueError, match="second"):
            ask()
    assert Outcomes([CallOutcome(1), CallOutcome(None)]).values() == [1, None]
    assert Outcomes([CallOutcome(1)]).raise_first() is None


def test_a_group_holds_every_error() -> None:
    errors = [ValueError("second"), TimeoutError("third")]
    outcomes = Outcomes([CallOutcome(1), *map(failed, errors)])
    with pytest.raises(ExceptionGroup, match="2 of 3 calls did not succeed") as caught:
        outcomes.raise_group()
    assert list(caught.value.exceptions) == errors
    assert Outcomes([CallOutcome(1)]).raise_group() is None


def test_outcomes_survive_pickling() -> None:
    outcomes = Outcomes([CallOutcome({"id": 1}, duration=0.5, replayed=True)])
    for twin in (pickle.loads(pickle.dumps(outcomes)), copy.deepcopy(outcomes)):
        assert twin == outcomes
        assert isinstance(twin, Outcomes)


def test_a_status_is_its_name() -> None:
    assert {status.value for status in CallStatus} == {
        *("SUCCEEDED", "FAILED", "TIMED_OUT", "NOT_STARTED")
    }
    assert CallStatus.FAILED == "FAILED"
