"""A line for each invocation that has ended, and what `inspect` tells of such lines."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import host_bench
import pytest
from bridges import Slot, own_slot
from click.testing import CliRunner
from host_bench import PICKLED, Task

from pyflink_durable import ConfigurationError
from pyflink_durable.commands.main import main
from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.inspection.past import is_history, read_history
from pyflink_durable.payload.results import dump_result
from pyflink_durable.snapshot import SnapshotError

DIGEST = compute_args_digest((), {})
PAID = dump_result("paid")
SLOTS = (
    Slot("charge", DIGEST, "SUCCEEDED", PAID, completion=0, attempt=2, ended_at=5, began=1),
    own_slot("TIMER", status="SUCCEEDED", result=b"", completion=1),
)


async def handle(value: str, ctx: Any) -> str:
    if value == "fails":
        raise LookupError("no such order")
    paid = await ctx.durable_execute_async(lambda: "paid", durable_id="charge")
    await ctx.sleep(60)
    return f"{value} is {paid}"


@pytest.fixture
def task(new_task: Callable[..., Task], monkeypatch: pytest.MonkeyPatch) -> Task:
    sides = ["durable-dead-letter", "durable-history"]
    described = pickle.dumps((PICKLED, sides, [PICKLED, "STRING"]))
    monkeypatch.setattr(host_bench, "DESCRIBED", described)
    return new_task(handle, history=True, on_error="dead-letter")


def line_of(report: tuple[Any, ...]) -> dict[str, Any]:
    (line,) = (json.loads(one[1]) for one in report[-1] if isinstance(one, tuple) and one[0] == 1)
    assert isinstance(line, dict)
    return line


def test_a_line_tells_the_calls_without_their_payloads(task: Task) -> None:
    report = task.start("order", 7, *SLOTS)
    line = line_of(report)

    assert "order is paid" in report[-1]
    assert line.pop("ended") > line["began"]
    assert line == {
        "operator": "orders-1",
        "key": "key-7",
        "id": 5,
        "condition": "ended",
        "began": "1970-01-01T00:00:00.000001+00:00",
        "error": None,
        "slots": [
            {
                "slot": 0,
                "kind": "call",
                "name": "charge",
                "status": "SUCCEEDED",
                "attempt": 2,
                "digest": DIGEST,
                "endedMicros": 5,
                "resultBytes": len(PAID),
                "exceptionBytes": None,
            },
            {
                "slot": 1,
                "kind": "timer",
                "name": "timer",
                "status": "SUCCEEDED",
                "attempt": 1,
                "digest": "",
                "endedMicros": None,
                "resultBytes": 0,
                "exceptionBytes": None,
            },
        ],
    }


def test_a_dead_letter_has_a_line_too(task: Task) -> None:
    line = line_of(task.start("fails"))

    assert (line["condition"], line["error"], line["slots"]) == ("failed", "LookupError", [])


def test_a_history_that_nobody_reads_is_refused(new_task: Callable[..., Task]) -> None:
    with pytest.raises(ConfigurationError, match=r"get_side_output\(HISTORY\)"):
        new_task(handle, history=True)


@pytest.fixture
def history(task: Task, tmp_path: Path) -> Path:
    folder = tmp_path / "history" / "2026-03-01--12"
    folder.mkdir(parents=True)
    lines = [line_of(task.start("order", 7, *SLOTS)), line_of(task.start("fails", 8))]
    for number, line in enumerate(lines):
        (folder / f"part-{number}").write_text(json.dumps(line) + "\n", encoding="utf-8")
    (folder / ".part-2.inprogress").write_text("half a li", encoding="utf-8")
    return folder.parent


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        ([], ["orders-1  2 have ended: 1 failed, 1 ended", "'key-7'", "'key-8'"]),
        (["--key", "key-7"], ["1 have ended", "0 charge ended attempt 2", "1 timer ended"]),
        (["--uid", "orders-1"], ["2 have ended"]),
    ],
)
def test_inspect_reads_it(history: Path, arguments: list[str], texts: list[str]) -> None:
    done = CliRunner().invoke(main, ["inspect", str(history), *arguments])

    assert done.exit_code == 0, done.output
    for text in texts:
        assert text in done.output


def test_inspect_reads_one_file_and_says_what_it_cannot_read(history: Path) -> None:
    (file, _) = sorted(history.rglob("part-*"))
    assert [one.key for one in read_history(str(file))] == ["key-7"]

    file.write_text('{"no": "history"}\n', encoding="utf-8")
    with pytest.raises(SnapshotError, match=r"line 1 of .*part-0 is none of a history"):
        list(read_history(str(file)))
    done = CliRunner().invoke(main, ["inspect", str(file)])
    assert done.exit_code == 2


def test_a_snapshot_is_no_history(tmp_path: Path) -> None:
    (tmp_path / "_metadata").write_bytes(b"")
    assert not is_history(str(tmp_path))
    assert not is_history(str(tmp_path / "_metadata"))
    assert not is_history("s3://bucket/savepoint-1")
