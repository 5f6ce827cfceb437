"""The demo's figures: read from Flink's log, and put into the table as they are."""

from __future__ import annotations

import json
from datetime import datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pyflink_durable.demo.flinklog import FlinkLog, LogFollower, Restart
from pyflink_durable.demo.ledger import Charge, Stats
from pyflink_durable.demo.report import RunResult, explanations, results_table

STAMP = "2026-03-01 12:00:00,250"
FAILED = datetime(2026, 3, 1, 12, 0, 0, 250_000).timestamp()
RESTARTING = f"{STAMP} INFO  o.a.f.ExecutionGraph [] - Job demo (ab12) switched from state"
RESTORING = f"{STAMP} INFO  o.a.f.CheckpointCoordinator [] - Restoring job ab12 from Checkpoint"


def counters_line(**counters: int) -> str:
    names = {"operator": "orders", "subtask": 0, "attempt": 1}
    return f"{STAMP} INFO  pyflink.durable.Op [] - durable-counters {json.dumps(names | counters)}"


def outcome(**changes: Any) -> RunResult:
    fields: dict[str, Any] = {
        "level": "checkpoint",
        "orders": ["a", "b"],
        "stats": Stats(
            orders_charged=2,
            charges=7,
            orders_charged_twice=3,
            charge_requests=9,
            refused=11,
            answers_lost=13,
            lookups=17,
            receipts=2,
        ),
        "doubled": {},
        "answers": [{"order": "a"}, {"order": "b"}],
        "log": FlinkLog(restarts=[Restart(FAILED, 3, FAILED - 0.2)]),
        "seconds": 12.34,
    }
    return RunResult(**(fields | changes))


def doubled(order: str, first_arrived: float) -> dict[str, list[Charge]]:
    arrivals = (first_arrived, FAILED + 5)
    return {order: [Charge(f"charge-{n}", order, 1.0, at) for n, at in enumerate(arrivals)]}


def shown(result: RunResult) -> dict[str, str]:
    console = Console(width=120, file=StringIO())
    with console.capture() as capture:
        console.print(results_table(result))
    rows = [line.split("│") for line in capture.get().splitlines() if "│" in line]
    return {row[1].strip(): row[2].strip() for row in rows}


def test_counters_of_all_attempts_and_subtasks_are_summed() -> None:
    log = FlinkLog()
    log.feed(counters_line(executed=10, replayed=1, reconciled=2, reexecuted=3, mismatched=0))
    log.feed("2026-03-01 12:00:00,251 INFO  something else")
    log.feed(counters_line(executed=5, replayed=4, handlerErrors=1, abandoned=6))
    assert +log.counters == {
        "executed": 15,
        "replayed": 5,
        "reconciled": 2,
        "reexecuted": 3,
        "handlerErrors": 1,
        "abandoned": 6,
    }


def test_a_counters_line_that_was_cut_off_is_passed_over() -> None:
    log = FlinkLog()
    log.feed("x durable-counters {'no': json}")
    log.feed('x durable-counters {"executed": 1')
    assert not +log.counters


def test_restarts_and_what_they_restored_are_read() -> None:
    log = FlinkLog()
    log.feed(f"{RESTORING} 9 @ 5 for ab12 located at file:/x.")  # a start from a savepoint
    log.feed(f"{RESTARTING} RUNNING to RESTARTING.")
    log.feed(f"{RESTARTING} RESTARTING to RUNNING.")
    log.feed(f"{RESTORING} 3 @ 1772366400100 for ab12 located at file:/x/chk-3.")
    log.feed(f"{RESTARTING} RUNNING to RESTARTING.")
    assert log.restarts == [Restart(FAILED, 3, 1772366400.1), Restart(FAILED)]


def test_a_growing_log_is_read_line_by_whole_line(tmp_path: Path) -> None:
    follower = LogFollower(tmp_path)
    assert not follower.catch_up().restarts
    path = tmp_path / "flink.log"
    line = f"{RESTARTING} RUNNING to RESTARTING.\n"
    with path.open("a") as file:
        for part in (line, line[:30]):
            file.write(part)
        file.flush()
        assert len(follower.catch_up().restarts) == 1
        file.write(line[30:])
        file.flush()
        assert len(follower.catch_up().restarts) == 2
    assert len(follower.catch_up().restarts) == 2


def test_the_table_shows_the_figures_as_they_are() -> None:
    log = FlinkLog(restarts=[Restart(FAILED)])
    log.feed(counters_line(executed=21, replayed=22, reconciled=23, reexecuted=24))
    assert shown(outcome(log=log)) == {
        "orders": "2",
        "orders charged": "2",
        "charges": "7",
        "orders charged twice": "3",
        "charge requests refused (503)": "11",
        "charged, but the answer got lost (500)": "13",
        "charges looked up": "17",
        "orders answered": "2",
        "orders answered twice": "0",
        "calls executed": "21",
        "calls replayed": "22",
        "calls reconciled": "23",
        "calls re-executed": "24",
        "restarts": "1",
        "seconds": "12.3",
    }


def test_nothing_is_explained_when_nothing_doubled() -> None:
    assert explanations(outcome()) == []
    assert outcome().kept_its_promise


def test_at_the_stronger_levels_it_is_said_why_nothing_doubled() -> None:
    (gated,) = explanations(outcome(level="gated"))
    assert "starts only when it is noted in a checkpoint that it may" in gated
    (write_ahead,) = explanations(outcome(level="write-ahead"))
    assert "noted in the log" in write_ahead
    assert explanations(outcome(level="gated", log=FlinkLog())) == []  # nothing failed


@pytest.mark.parametrize("level", ["gated", "write-ahead"])
def test_at_the_stronger_levels_every_doubled_charge_is_a_defect(level: str) -> None:
    result = outcome(level=level, doubled=doubled("a", FAILED - 0.1))
    (defect,) = explanations(result)
    assert "a defect: a" in defect
    assert not result.kept_its_promise


def test_a_charge_made_after_the_last_checkpoint_is_explained() -> None:
    result = outcome(doubled=doubled("a", FAILED - 0.1))
    (sentence,) = explanations(result)
    assert sentence.startswith("1 order was charged twice")
    assert "after the last completed checkpoint before a failure" in sentence
    assert result.kept_its_promise


def test_a_doubled_charge_that_a_checkpoint_knew_is_a_defect() -> None:
    result = outcome(doubled=doubled("a", FAILED - 0.1) | doubled("b", FAILED - 0.3))
    explained, defect = explanations(result)
    assert explained.startswith("1 order was")
    assert "a defect: b" in defect
    assert not result.kept_its_promise


def test_a_doubled_charge_without_any_failure_is_a_defect() -> None:
    result = outcome(doubled=doubled("a", FAILED), log=FlinkLog())
    assert not result.kept_its_promise


def test_missing_and_repeated_answers_are_a_defect() -> None:
    result = outcome(answers=[{"order": "a"}, {"order": "a"}])
    assert explanations(result) == [
        "Orders without an answer: 1; answers that came twice: 1. This is a defect."
    ]
    assert not result.kept_its_promise
    assert shown(result)["orders answered twice"] == "1"
