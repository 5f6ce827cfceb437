"""``pyflink-durable doctor`` tells whether checkpoints can be read from here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyflink_durable.doctor.checkpoints import check_checkpoints
from pyflink_durable.doctor.finding import Finding, Severity

SAVEPOINT = Path(__file__).parents[2] / "minicluster" / "savepoints" / "0.1.0" / "canonical"
IN_MEMORY = "<checkpoint-not-externally-addressable>"


def found_with(path: str | None, state: str = "RUNNING") -> Finding:
    newest = None if path is None else {"external_path": path}
    answers: dict[str, Any] = {
        "/jobs/overview": {"jobs": [{"jid": "1f", "name": "orders", "state": state}]},
        "/jobs/1f/checkpoints": {"latest": {"completed": newest}},
    }
    (finding,) = check_checkpoints(answers.__getitem__)
    return finding


@pytest.mark.parametrize(
    ("path", "state", "message"),
    [
        (str(SAVEPOINT), "RUNNING", "is read; durable operators: dab8"),
        (None, "RUNNING", "no completed checkpoint yet"),
        ("file:/nowhere/chk-1", "FINISHED", "no job runs"),
    ],
)
def test_nothing_is_wrong(path: str | None, state: str, message: str) -> None:
    finding = found_with(path, state)

    assert finding.severity is Severity.OK
    assert message in finding.message


@pytest.mark.parametrize(
    ("path", "message", "remedy"),
    [
        (IN_MEMORY, "JobManager's memory", "execution.checkpointing.storage"),
        ("file:/nowhere/chk-1", "/nowhere/chk-1", "FLINK_CONF_DIR"),
    ],
)
def test_checkpoints_that_are_not_reached(path: str, message: str, remedy: str) -> None:
    finding = found_with(path)

    assert finding.severity is Severity.WARNING
    assert message in finding.message
    assert remedy in finding.remedy
