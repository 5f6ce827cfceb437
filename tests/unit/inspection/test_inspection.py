"""What `pyflink-durable inspect` tells of invocations in flight."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from made_up_invocations import (
    ALL,
    IN_DOUBT,
    LAST,
    NOW,
    OPERATOR,
    RETRYING,
    SLEEPING,
    findings_of,
    invocation,
    slot,
)
from rich.console import Console

import pyflink_durable.commands.inspect as command
from pyflink_durable.commands.main import main
from pyflink_durable.inspection.records import record_of
from pyflink_durable.inspection.selection import Selection, duration, shown_duration
from pyflink_durable.inspection.table import render
from pyflink_durable.snapshot import SlotKind, SnapshotError

TABLE = """\
orders  6 in flight: 2 in doubt, 1 retrying, 1 waiting, 1 running, 1 in line; oldest 2d 2h
          1 in doubt  charge
          1 retry  charge
          1 in doubt  ship
          1 waiting  timer

key                              id  condition           age    slots
'ann'                            0   in doubt            3h     1 ended
                                                                1 charge in doubt
"<script>alert('eve')</script>"  0   in doubt            36s    0 ship in doubt
'ben'                            0   retrying            30m    0 charge retry attempt 3 due in 5m
'cid'                            0   waiting 1h, parked  2d 2h  2 ended
                                                                2 timer waiting due in 1d 2h
'dan'                            0   running             -
'ann'                            1   in line             -
"""
ALL_OF_ONE = """\
orders  1 in flight: 1 waiting; oldest 2d 2h
          1 waiting  timer

key    id  condition           age    slots
'cid'  0   waiting 1h, parked  2d 2h  input {'order': 'cid'}
                                      0 reserve ended 'reserved'
                                      1 charge failed builtins.ValueError('refused')
                                      2 timer waiting due in 1d 2h
"""


def printed(renderable: Any) -> str:
    out = io.StringIO()
    Console(file=out, width=100, highlight=False).print(renderable)
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def test_the_most_serious_come_first() -> None:
    assert printed(render(findings_of(ALL), NOW)) == TABLE


def test_all_of_one_invocation() -> None:
    shown = render(findings_of([SLEEPING]), NOW, all_slots=True, payloads=True)

    assert printed(shown) == ALL_OF_ONE


def test_more_than_the_limit_is_counted() -> None:
    text = printed(render(findings_of(ALL, limit=2), NOW))

    assert "6 in flight" in text
    assert "'ann'" in text
    assert "'ben'" not in text
    assert "... and 4 more" in text


def test_versions_of_the_handler_are_counted_where_there_are_any() -> None:
    of_two = [replace(RETRYING, version="2"), replace(IN_DOUBT, version="2"), SLEEPING]
    text = printed(render(findings_of(of_two), NOW))

    assert "  by version of the handler: None 1, '2' 2\n" in text
    assert record_of(of_two[0])["version"] == "2"
    assert "by version" not in printed(render(findings_of(ALL), NOW))


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"key": "ben"}, [RETRYING]),
        ({"key": "'ben'"}, [RETRYING]),
        ({"in_doubt": True}, [LAST, IN_DOUBT]),
        ({"older_than": timedelta(hours=1)}, [SLEEPING, IN_DOUBT]),
        ({"name": "charge"}, [RETRYING, IN_DOUBT]),  # not where it has ended
        ({"name": "shop.charge"}, [RETRYING, IN_DOUBT]),
        ({"name": "charge", "in_doubt": True}, [IN_DOUBT]),
        ({"key": "nobody"}, []),
    ],
)
def test_a_selection(wanted: dict[str, Any], found: list[Any]) -> None:
    assert list(Selection(NOW, **wanted).among(ALL)) == found


@pytest.mark.parametrize("name", ["signal", "approval"])
def test_waits_for_a_signal_are_found_and_told_by_its_name(name: str) -> None:
    waits = slot(0, "approval", kind=SlotKind.SIGNAL)
    waiting = invocation("fay", waits, hours=30, parked=True)
    (found,) = Selection(NOW, name=name).among([*ALL, waiting])
    text = printed(render(findings_of([found]), NOW))

    assert found is waiting
    assert "waiting 1d 6h, parked" in text
    assert "approval" in text


@pytest.mark.parametrize(
    ("text", "seconds", "shown"),
    [("90s", 90, "1m 30s"), ("1.5h", 5400, "1h 30m"), ("2d", 172_800, "2d"), ("5 m", 300, "5m")],
)
def test_durations(text: str, seconds: float, shown: str) -> None:
    assert duration(text) == timedelta(seconds=seconds)
    assert shown_duration(duration(text)) == shown


def test_a_record_has_payloads_only_if_they_were_read() -> None:
    record = json.loads(json.dumps(record_of(SLEEPING)))

    assert record["input"] == {"order": "cid"}
    assert [slot["condition"] for slot in record["slots"]] == ["ended", "failed", "waiting"]
    assert record["slots"][0]["result"] == "reserved"
    assert record["slots"][1]["exception"] == "builtins.ValueError('refused')"
    assert record["began"] == "2026-02-27T10:00:00+00:00"
    assert (record["parked"], record["waitsSince"]) == (True, "2026-03-01T11:00:00+00:00")


# ------------------------------------------------------------------------------ the command


class FakeSnapshot:
    operators = (OPERATOR,)

    def invocations(self) -> Iterator[Any]:
        return iter(ALL)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the command asks the reader for."""
    asked: dict[str, Any] = {}

    @contextmanager
    def read(path: str, **options: Any) -> Iterator[FakeSnapshot]:
        if path == "damaged":
            raise SnapshotError("the snapshot damaged cannot be read: it is damaged")
        asked.update(options, path=path)
        yield FakeSnapshot()

    monkeypatch.setattr(command, "read_snapshot", read)
    monkeypatch.setattr(command, "time_of", lambda path: NOW)
    return asked


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["chk"], 1, "6 in flight"),
        (["chk", "--key", "ben"], 0, "'ben'"),
        (["chk", "--in-doubt"], 1, "2 in flight"),
        (["chk", "--name", "timer"], 0, "'cid'"),
        (["chk", "--older-than", "49h"], 0, "'cid'"),
        (["chk", "--older-than", "soon"], 2, "is no duration"),
        (["damaged"], 2, "it is damaged"),
    ],
)
def test_the_exit_code(asked: dict[str, Any], arguments: list[str], code: int, text: str) -> None:
    done = CliRunner().invoke(main, ["inspect", *arguments])

    assert (done.exit_code, text in done.output) == (code, True), done.output


def test_payloads_are_read_only_if_they_are_asked_for(asked: dict[str, Any]) -> None:
    CliRunner().invoke(main, ["inspect", "chk", "--uid", "orders"])
    assert (asked["uid"], asked["payloads"]) == ("orders", False)

    CliRunner().invoke(main, ["inspect", "chk", "--payloads"])
    assert (asked["uid"], asked["payloads"]) == (None, True)


def test_a_store_is_for_payloads(asked: dict[str, Any], tmp_path: Path) -> None:
    store = ["--store", tmp_path.as_uri()]
    assert "--payloads" in CliRunner().invoke(main, ["inspect", "chk", *store]).output
    done = CliRunner().invoke(main, ["inspect", "chk", "--payloads", *store])
    assert done.exit_code == 1, done.output
    done = CliRunner().invoke(main, ["inspect", "chk", "--payloads", "--store", "folder"])
    assert (done.exit_code, "takes a url" in done.output) == (2, True)


def test_json_is_a_line_for_each(asked: dict[str, Any]) -> None:
    done = CliRunner().invoke(main, ["inspect", "chk", "--json", "--limit", "1"])

    assert [json.loads(line)["condition"] for line in done.stdout.splitlines()] == [
        one.condition for one in ALL
    ]


def test_ages_refer_to_when_the_snapshot_was_taken(tmp_path: Path) -> None:
    metadata = tmp_path / "_metadata"
    metadata.write_bytes(b"")
    os.utime(metadata, (1000, 1000))
    taken = datetime.fromtimestamp(1000, tz=timezone.utc)

    assert command.time_of(str(tmp_path)) == command.time_of(f"file:{metadata}") == taken
    assert command.time_of("s3://bucket/chk-1") > taken


# ------------------------------------------------------------------------------ the page


@pytest.fixture
def page(asked: dict[str, Any], tmp_path: Path) -> Path:
    page = tmp_path / "page.html"
    CliRunner().invoke(main, ["inspect", "chk", "--html", str(page)])
    return page


def test_the_page_needs_no_network_and_escapes_what_it_shows(page: Path) -> None:
    text = page.read_text(encoding="utf-8")

    assert "http:" not in text
    assert "https:" not in text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
    assert text.index(">&#x27;ann&#x27;<") < text.index(">&#x27;ben&#x27;<")
