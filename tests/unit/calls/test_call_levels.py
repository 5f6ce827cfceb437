"""Which calls wait for what, by the level of the operator and of the call."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from pyflink_durable import ConfigurationError, DurableOptions, FileCallLog, RetryPolicy
from pyflink_durable.runtime.journal.call_options import OptionsResolver

LOG = FileCallLog(directory=Path("/log"))
LEVELS = ["checkpoint", "gated", "write-ahead"]


def resolver(operator: str, call_log: FileCallLog | None = LOG, **more: Any) -> OptionsResolver:
    options = DurableOptions(durability=operator, call_log=call_log, **more)  # type: ignore[arg-type]
    return OptionsResolver(options, can_gate=True)


TABLE = [
    # operator's level, call's level, reconciler, in_doubt   -> the start waits for
    ("checkpoint", None, False, "execute", None),
    ("checkpoint", None, False, "raise", None),
    ("checkpoint", None, True, "execute", None),
    ("checkpoint", "checkpoint", True, "raise", None),
    ("checkpoint", "gated", False, "execute", "CHECKPOINT"),
    ("checkpoint", "gated", True, "execute", "CHECKPOINT"),
    ("checkpoint", "write-ahead", False, "execute", "LOG"),
    ("gated", None, False, "execute", None),
    ("gated", None, False, "raise", "CHECKPOINT"),
    ("gated", None, True, "execute", "CHECKPOINT"),
    ("gated", None, True, "raise", "CHECKPOINT"),
    ("gated", "gated", False, "execute", "CHECKPOINT"),
    ("gated", "write-ahead", False, "execute", "LOG"),
    ("gated", "write-ahead", True, "raise", "LOG"),
    ("write-ahead", None, False, "execute", None),
    ("write-ahead", None, False, "raise", "LOG"),
    ("write-ahead", None, True, "execute", "LOG"),
    ("write-ahead", "write-ahead", False, "execute", "LOG"),
]


@pytest.mark.parametrize(("operator", "call", "reconciler", "in_doubt", "start"), TABLE)
def test_what_the_start_of_a_call_waits_for(
    operator: str, call: str | None, reconciler: bool, in_doubt: str, start: str | None
) -> None:
    options = resolver(operator).resolve(reconciler, call, in_doubt)
    assert options.start_hold == start
    # in_doubt of the operator is as good as that of the call
    by_default = resolver(operator, in_doubt=in_doubt).resolve(reconciler, call)
    assert by_default.start_hold == start


@pytest.mark.parametrize("operator", LEVELS)
@pytest.mark.parametrize("reconciler", [True, False])
def test_all_outcomes_wait_for_the_log_if_there_is_one(operator: str, reconciler: bool) -> None:
    assert resolver(operator).resolve(reconciler).outcome_hold == "LOG"
    assert resolver(operator).outcome_hold == "LOG"
    if operator != "write-ahead":
        assert resolver(operator, None).resolve(reconciler).outcome_hold is None


@pytest.mark.parametrize(
    ("operator", "call"),
    [("gated", "checkpoint"), ("write-ahead", "checkpoint"), ("write-ahead", "gated")],
)
def test_a_call_cannot_be_weaker_than_its_operator(operator: str, call: str) -> None:
    with pytest.raises(ValueError, match=rf"'{call}' is weaker than the operator's '{operator}'"):
        resolver(operator).resolve(True, call)


def test_a_gated_call_needs_a_job_that_can_gate() -> None:
    with pytest.raises(ConfigurationError, match="leave out the settings that a warning named"):
        OptionsResolver(DurableOptions(), can_gate=False).resolve(True, "gated")


def test_a_write_ahead_call_needs_a_log() -> None:
    with pytest.raises(ConfigurationError, match=r"DurableOptions\(call_log="):
        OptionsResolver(DurableOptions(), can_gate=True).resolve(True, "write-ahead")


@pytest.mark.parametrize(
    ("option", "error", "message"),
    [
        ({"durability": "safe"}, ValueError, "durability must be one of .* not 'safe'"),
        ({"in_doubt": "ask"}, ValueError, "in_doubt must be one of .* not 'ask'"),
        ({"retry": 3}, TypeError, "retry must be a RetryPolicy.*not int"),
        ({"timeout": "3"}, TypeError, "timeout must be a number of seconds, not str"),
        ({"timeout": True}, TypeError, "timeout must be a number of seconds, not bool"),
        ({"timeout": 0}, ValueError, "timeout must be above 0 seconds, not 0"),
        ({"timeout": float("nan")}, ValueError, "timeout must be above 0 seconds, not nan"),
    ],
    ids=repr,
)
def test_bad_options_of_a_call_are_refused_by_name(
    option: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        resolver("checkpoint").resolve(False, **option)


def test_what_the_call_says_goes_before_what_the_operator_says() -> None:
    own, call = RetryPolicy(max_attempts=2), RetryPolicy(max_attempts=7)
    options = resolver("gated", retry=own, call_timeout=5, in_doubt="raise")
    operator_s, call_s = options.resolve(False), options.resolve(False, None, "execute", call, 7)
    assert (operator_s.in_doubt, operator_s.retry, operator_s.timeout) == ("raise", own, 5)
    assert (call_s.in_doubt, call_s.retry, call_s.timeout) == ("execute", call, 7)


def test_an_infinite_timeout_is_none_whatever_the_operator_says() -> None:
    assert resolver("checkpoint", call_timeout=5).resolve(False, timeout=math.inf).timeout is None
    assert resolver("checkpoint", call_timeout=math.inf).resolve(False).timeout is None


@pytest.mark.parametrize("operator", LEVELS)
@pytest.mark.parametrize(
    ("own", "options", "repeatable"),
    [
        ("execute", {}, True),
        ("execute", {"has_reconciler": True}, False),
        ("execute", {"in_doubt": "raise"}, False),
        ("raise", {}, False),
        ("raise", {"in_doubt": "execute"}, True),
        ("execute", {"durability": "write-ahead"}, False),
    ],
)
def test_a_call_of_which_nothing_is_said_may_simply_run_again(
    operator: str, own: str, options: dict[str, Any], repeatable: bool
) -> None:
    found = resolver(operator, in_doubt=own).resolve(**({"has_reconciler": False} | options))
    assert found.repeatable is repeatable
