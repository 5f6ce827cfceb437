"""The proof sees every kind of broken promise, and its failures are those of its seed."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
from collections import Counter
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pyflink_durable import LocalRunnerContext
from pyflink_durable.demo.flinklog import FlinkLog
from pyflink_durable.demo.ledger import Charge, Stats
from pyflink_durable.demo.orders import make_sample_orders
from pyflink_durable.demo.proof import job
from pyflink_durable.demo.proof.__main__ import main
from pyflink_durable.demo.proof.failures import (
    FailurePoints,
    Failures,
    InjectedFailure,
    LostCall,
    Place,
)
from pyflink_durable.demo.proof.job import FailingArrivals, failing_handler, failing_writer
from pyflink_durable.demo.proof.report import results_table, sentences
from pyflink_durable.demo.proof.runner import Plan, Run
from pyflink_durable.demo.proof.verdict import Verdict

# ------------------------------------------------------------------------------ the checker

ORDERS = ["a", "b", "c"]
ONCE = {order: [Charge(f"charge-{order}", order, 1.0, 0.0)] for order in ORDERS}
ANSWERED = [{"order": order, "charge": f"charge-{order}"} for order in ORDERS]


def verdict(level: Any = "gated", charges: Any = ONCE, answers: Any = ANSWERED) -> Verdict:
    return Verdict(level, ORDERS, charges, answers)


def doubled(order: str) -> dict[str, list[Charge]]:
    return ONCE | {order: [*ONCE[order], Charge("charge-again", order, 1.0, 9.0)]}


def test_everything_once_is_what_is_promised() -> None:
    assert verdict().broken == {}


@pytest.mark.parametrize("level", ["gated", "write-ahead"])
def test_a_doubled_charge_breaks_the_promise(level: str) -> None:
    assert verdict(level, doubled("b")).broken == {"charged more than once": ["b"]}


def test_the_checkpoint_level_does_not_promise_it() -> None:
    result = verdict("checkpoint", doubled("b"))
    assert result.charged_again == ["b"]
    assert result.broken == {}


@pytest.mark.parametrize("level", ["checkpoint", "gated"])
def test_everything_else_is_promised_at_every_level(level: str) -> None:
    charges = {order: charges for order, charges in ONCE.items() if order != "a"}
    answers = [ANSWERED[1], ANSWERED[1], {"order": "a", "charge": "charge-b"}]
    assert verdict(level, charges, answers).broken == {
        "not charged": ["a"],
        "not answered": ["c"],
        "answered more than once": ["b"],
        "answered with a charge of another order": ["a"],
    }


def test_an_order_that_nobody_sent_breaks_the_promise() -> None:
    charges = ONCE | {"d": [Charge("charge-d", "d", 1.0, 0.0)]}
    answers = [*ANSWERED, {"order": "d", "charge": "charge-d"}]
    assert verdict("gated", charges, answers).broken == {
        "that nobody sent": ["d"],
    }


# ------------------------------------------------------------------------------ the report


def run_with(result: Verdict) -> Run:
    stats = Stats(3, 31, 0, 0, 0, 0, 17, 0)
    return Run(result, stats, Counter({Place.IN_HANDLER: 2}), FlinkLog(), 12.34)


def test_the_table_has_a_column_for_each_level() -> None:
    console = Console(width=120, file=StringIO())
    with console.capture() as capture:
        console.print(results_table([run_with(verdict()), run_with(verdict("checkpoint"))]))
    rows = [line.split("│") for line in capture.get().splitlines() if line.startswith("│")]
    table = {row[1].strip(): [row[2].strip(), row[3].strip()] for row in rows}
    assert table["orders"] == ["3", "3"]
    assert table["charges in the service's database"] == ["31", "31"]
    assert table["orders charged more than once"] == ["0", "0"]
    assert table["failed in the handler, after the call"] == ["2", "2"]
    assert table["failed after a checkpoint"] == ["0", "0"]
    assert table["seconds"] == ["12.3", "12.3"]


def test_what_is_said_of_a_level() -> None:
    (kept,) = sentences(run_with(verdict()))
    assert kept == "gated: every order charged once and answered once, in 2 failures."
    (broken,) = sentences(run_with(verdict("gated", doubled("b"))))
    assert broken == "gated: A PROMISE IS BROKEN. 1 order charged more than once: b"
    (weaker,) = sentences(run_with(verdict("checkpoint", doubled("b"))))
    assert "1 order charged more than once" in weaker
    assert "the level promises no more" in weaker


# ------------------------------------------------------------------------------ the failures


def failures(tmp_path: Path, count: int = 6, seed: int = 7) -> Failures:
    markers = tmp_path / "markers"
    markers.mkdir(exist_ok=True)
    return Failures(seed, count, dict.fromkeys(Place, 10), markers)


def all_of(plan: Failures) -> list[tuple[Place, int]]:
    drawn = []
    while (failure := plan.next()) is not None:
        drawn.append((failure.place, failure.passes))
        assert plan.claim(failure)
    return drawn


def test_a_seed_fixes_places_and_passes_and_every_place_has_its_turn(tmp_path: Path) -> None:
    for name in ("one", "same", "other"):
        (tmp_path / name).mkdir()
    drawn = all_of(failures(tmp_path / "one", count=12))
    assert drawn == all_of(failures(tmp_path / "same", count=12))
    assert drawn != all_of(failures(tmp_path / "other", count=12, seed=8))
    assert Counter(place for place, _ in drawn) == dict.fromkeys(Place, 2)
    assert all(5 <= passes <= 11 for _, passes in drawn)


def test_a_place_fails_after_its_passes_and_once_over_all_attempts(tmp_path: Path) -> None:
    plan = failures(tmp_path, count=1)
    due = plan.next()
    assert due is not None
    other = next(place for place in Place if place is not due.place)
    here, there = FailurePoints(plan), FailurePoints(plan)  # two subtasks
    assert not any(here.fails_at(other) for _ in range(20))
    assert [here.fails_at(due.place) for _ in range(due.passes)] == [
        *[False] * (due.passes - 1),
        True,
    ]
    assert not any(there.fails_at(due.place) for _ in range(20))
    assert not any(FailurePoints(plan).fails_at(due.place) for _ in range(20))
    assert plan.happened() == {due.place: 1}


def due_at(place: Place, tmp_path: Path) -> Failures:
    """One failure, due at the first pass of a place."""
    markers = tmp_path / "markers"
    markers.mkdir()
    plans = (Failures(seed, 1, dict.fromkeys(Place, 1), markers) for seed in itertools.count())
    return next(plan for plan in plans if getattr(plan.next(), "place", None) is place)


def handle(plan: Failures, charged: list[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    def charge(url: str, order: Any) -> dict[str, str]:
        charged.append(order["id"])
        return {"id": "charge-1"}

    monkeypatch.setattr(job, "charge_card", charge)
    (order,) = make_sample_orders(1, customers=1)
    handler = failing_handler("http://service", plan)
    return asyncio.run(_run(handler, order))


async def _run(handler: Any, order: Any) -> Any:
    return await handler(order, LocalRunnerContext(key="c"))


@pytest.mark.parametrize(
    ("place", "charges"),
    [(Place.BEFORE_CHARGE, 0), (Place.AFTER_CHARGE, 1), (Place.IN_HANDLER, 1)],
)
def test_where_the_handler_fails(
    tmp_path: Path, place: Place, charges: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    charged: list[str] = []
    plan = due_at(place, tmp_path)
    error = InjectedFailure if place is Place.IN_HANDLER else (LostCall, asyncio.CancelledError)
    with pytest.raises(error):
        handle(plan, charged, monkeypatch)
    assert len(charged) == charges
    assert handle(plan, charged, monkeypatch) == {"order": "order-0001", "charge": "charge-1"}


def test_the_map_behind_the_operator_fails(tmp_path: Path) -> None:
    write = failing_writer(due_at(Place.BEHIND_OPERATOR, tmp_path))
    with pytest.raises(InjectedFailure, match="in a map behind the operator"):
        write({"order": "a"})
    assert write({"order": "a"}) == '{"order": "a"}'


@pytest.mark.parametrize("place", [Place.DURING_CHECKPOINT, Place.AFTER_CHECKPOINT])
def test_arrivals_fail_at_a_checkpoint(tmp_path: Path, place: Place) -> None:
    line = '{"id": "a", "customer": "c", "amount": 1}'
    arrivals = FailingArrivals(0.0, tmp_path / "checkpoints", due_at(place, tmp_path))
    assert arrivals(line)["id"] == "a"
    checkpoint = tmp_path / "checkpoints" / "job" / "chk-1"
    checkpoint.mkdir(parents=True)
    if place is Place.AFTER_CHECKPOINT:
        assert arrivals(line)["id"] == "a"  # it has begun, and is not complete
        (checkpoint / "_metadata").touch()
    with pytest.raises(InjectedFailure, match=place.value):
        arrivals(line)
    assert arrivals(line)["id"] == "a"


def test_a_longer_run_has_more_failures() -> None:
    orders = make_sample_orders(1_000, customers=10)
    assert Plan(orders, 1, 0).failures == 1
    assert Plan(orders, 10, 0).failures == len(Place)  # of the default: a turn of each place
    assert Plan(orders, 170, 0).failures == 100


# ------------------------------------------------------------------------------ the command


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--orders", "0"], "expected a number above 0, not 0"),
        (["--levels", "gated,once"], "expected some of checkpoint, gated, write-ahead"),
        (["--levels", "gated,gated"], "each once"),
    ],
)
def test_a_mistake_in_the_command_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_code:
        main(arguments)
    assert exit_code.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.minicluster
def test_a_short_proof() -> None:
    command = [
        sys.executable,
        "-m",
        "pyflink_durable.demo.proof",
        "--orders",
        "150",
        "--seconds",
        "4",
    ]
    done = subprocess.run(
        [*command, "--levels", "gated", "--seed", "3"],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "gated: every order charged once and answered once, in 2 failures." in done.stdout


@pytest.mark.minicluster
def test_a_proof_that_is_stopped_leaves_nothing_behind(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "pyflink_durable.demo.proof"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as proof:
        assert proof.stdout is not None
        began = [proof.stdout.readline(), proof.stdout.readline()]
        proof.terminate()
        output = "".join(began) + proof.stdout.read()
    assert proof.returncode == 130, output
    assert output.endswith("interrupted\n")
    assert "Traceback" not in output
    assert list(tmp_path.iterdir()) == []
