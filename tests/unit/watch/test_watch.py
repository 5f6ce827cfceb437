"""``pyflink-durable watch`` on what a real cluster has answered."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from html import escape
from pathlib import Path
from typing import Any

import pytest
from made_up_invocations import ALL, NOW, OPERATOR
from recorded_cluster import RecordedCluster
from rich.console import Console

import pyflink_durable.watch.in_flight as in_flight
from pyflink_durable.inspection.findings import Findings
from pyflink_durable.snapshot import SnapshotError
from pyflink_durable.watch.in_flight import InFlightReader, read_in_flight
from pyflink_durable.watch.metrics import OperatorMetrics
from pyflink_durable.watch.pages import render_page
from pyflink_durable.watch.picture import InFlightPicture, OperatorPicture, Picture
from pyflink_durable.watch.rest import Checkpoint, FlinkRest, RestError
from pyflink_durable.watch.sections import MOST_SUBTASKS, sections_of
from pyflink_durable.watch.terminal import render_picture
from pyflink_durable.watch.watcher import Watcher, find_job

GOLDEN = Path(__file__).parent / "golden.txt"
RUNNING = "orders.durable.running"
STARTED = "orders.durable.call.shop_reserve.started"


@pytest.fixture
def cluster() -> RecordedCluster:
    return RecordedCluster()


@pytest.fixture
def rest(cluster: RecordedCluster) -> Iterator[FlinkRest]:
    with cluster.rest() as rest:
        yield rest


def watcher_of(cluster: RecordedCluster, rest: FlinkRest) -> Watcher:
    return Watcher(rest, find_job(rest, None), InFlightReader(lambda: None))


def seen(picture: Picture) -> str:
    out = io.StringIO()
    Console(file=out, width=160, highlight=False).print(render_picture(picture))
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def found() -> InFlightPicture:
    findings = Findings(20, oldest_first=True)
    findings.add_operators([OPERATOR])
    for one in ALL:
        findings.add(one)
    return InFlightPicture(findings, 42, NOW)


def of_recording(picture: Picture) -> Picture:
    """The picture at a moment of its own, with invocations that were made up."""
    taken = picture.checkpoints.newest
    assert taken is not None
    moment = datetime.fromtimestamp(taken.taken / 1e3, tz=timezone.utc) + timedelta(seconds=30)
    shown = InFlightPicture(found().findings, 42, moment - timedelta(minutes=2))
    return Picture(moment, picture.job, picture.checkpoints, picture.operators, shown)


def test_the_picture(cluster: RecordedCluster, rest: FlinkRest) -> None:
    picture = of_recording(watcher_of(cluster, rest).look())

    assert seen(picture) == GOLDEN.read_text()


def test_what_is_shown_in_a_browser_is_the_same(cluster: RecordedCluster, rest: FlinkRest) -> None:
    picture = of_recording(watcher_of(cluster, rest).look())
    page = render_page(picture, 2.4)

    assert '<meta http-equiv="refresh" content="2">' in page
    assert "<script" not in page
    assert "&lt;script&gt;alert" in page  # a key of one of them
    for section in sections_of(picture):
        for row in section.rows:
            assert all(escape(cell.text) in page for cell in row)
    assert "<td class='figure'><span class='in-doubt'>▲ 4,000</span></td>" in page


# ------------------------------------------------------------------------------ metrics


def test_names_are_asked_for_in_parts_that_flink_takes(
    cluster: RecordedCluster, rest: FlinkRest
) -> None:
    OperatorMetrics(rest, cluster.job["jid"]).operators()

    assert len([line for line in cluster.asked if "agg=sum,max" in line]) > 1


def test_rates_are_what_counters_have_grown_by(cluster: RecordedCluster, rest: FlinkRest) -> None:
    now = [100.0]
    metrics = OperatorMetrics(rest, cluster.job["jid"], lambda: now[0])
    rates = []
    for growth in (0, 50, 50, -3_000, 20):
        cluster.grow(STARTED, growth)
        (operator,) = metrics.operators()
        rates.append({call.name: call for call in operator.calls}["shop_reserve"])
        now[0] += 10

    assert [call.counts["started"].rate for call in rates] == [
        None,
        5.0,
        5.0,
        None,  # a subtask has started again, and counts from 0
        2.0,
    ]


def test_rates_are_of_the_last_minute(cluster: RecordedCluster, rest: FlinkRest) -> None:
    now = [100.0]
    metrics = OperatorMetrics(rest, cluster.job["jid"], lambda: now[0])
    for growth in (0, *[600] * 10, *[0] * 7):
        cluster.grow(STARTED, growth)
        (operator,) = metrics.operators()
        now[0] += 10

    assert {one.name: one for one in operator.calls}["shop_reserve"].counts["started"].rate == 0


def test_a_subtask_without_latencies_does_not_hide_those_of_others(
    cluster: RecordedCluster, rest: FlinkRest
) -> None:
    """Flink says NaN of them, and its maximum of NaN and a number is NaN."""
    name = "orders.durable.call.shop_charge.latencyMillis_p99"
    cluster.metric(name)["max"] = "NaN"
    cluster.metric(f"0.{name}")["value"] = "NaN"
    (operator,) = OperatorMetrics(rest, cluster.job["jid"]).operators()
    p99 = {call.name: call.p99 for call in operator.calls}

    assert p99["shop_charge"] == 101
    assert p99["shop_reserve"] is None  # no call has ended


def test_calls_that_come_later_are_seen(cluster: RecordedCluster, rest: FlinkRest) -> None:
    now = [100.0]
    metrics = OperatorMetrics(rest, cluster.job["jid"], lambda: now[0])
    metrics.operators()
    metric = cluster.metric(STARTED)
    metric["id"] = metric["id"].replace("shop_reserve", "shop_new")
    now[0] += 30
    (operator,) = metrics.operators()

    assert "shop_new" in {call.name for call in operator.calls}


def test_of_many_subtasks_those_with_the_oldest_work_are_shown() -> None:
    gauges = {number: {"running": 1.0, "oldestRunningMillis": number * 1e3} for number in range(99)}
    operator = OperatorPicture("orders", gauges, {}, ())
    (_, subtasks, *_) = sections_of(picture_of(operator))

    assert len(subtasks.rows) == MOST_SUBTASKS + 1
    assert [row[0].text for row in subtasks.rows[:2]] == ["98", "97"]
    everything = [cell.text for cell in subtasks.rows[-1]]
    assert everything[:2] == ["all", "99"]
    assert everything[6] == "1m 38s"


def test_an_operator_without_uid_has_the_name_that_the_rest_api_tells() -> None:
    """Flink keeps uids in checkpoints since 2.1."""
    findings = Findings(20)
    findings.add_operators([replace(OPERATOR, id="bc41", uid=None)])
    shown = InFlightPicture(findings, 42, NOW)
    operator = OperatorPicture("orders", {}, {}, (), vertex="bc41")

    assert "orders: nothing" in seen(picture_of(operator, in_flight=shown))
    assert "bc41: nothing" in seen(picture_of(in_flight=shown))


def picture_of(*operators: OperatorPicture, in_flight: Any = None) -> Picture:
    cluster = RecordedCluster()
    with cluster.rest() as rest:
        return Picture(
            NOW,
            rest.jobs()[0],
            rest.checkpoints(cluster.job["jid"]),
            operators,
            in_flight or InFlightPicture(trouble="none was read"),
        )


# ------------------------------------------------------------------------------ the job


@pytest.mark.parametrize("wanted", [None, "under test", "ID"])
def test_the_job_is_found(cluster: RecordedCluster, rest: FlinkRest, wanted: str | None) -> None:
    id = cluster.job["jid"]

    assert find_job(rest, id if wanted == "ID" else wanted).id == id


@pytest.mark.parametrize(
    ("jobs", "wanted", "message"),
    [
        ([], None, "no job runs"),
        ([{"jid": "1", "name": "a", "state": "FINISHED"}], None, "no job runs"),
        ([{"jid": "1", "name": "a", "state": "RUNNING"}], "b", "there is no job b .*running: 1 a"),
        (
            [{"jid": id, "name": "a", "state": "RUNNING"} for id in ("1", "2")],
            "a",
            "several jobs .*--job.*1 a; 2 a",
        ),
    ],
)
def test_no_job_is_found(
    cluster: RecordedCluster, rest: FlinkRest, jobs: list[Any], wanted: str | None, message: str
) -> None:
    cluster.answers["/jobs/overview"] = {"jobs": jobs}

    with pytest.raises(RestError, match=message):
        find_job(rest, wanted)


def test_a_jobmanager_that_does_not_answer_is_said_with_what_was_known(
    cluster: RecordedCluster, rest: FlinkRest
) -> None:
    watcher = watcher_of(cluster, rest)
    before = watcher.look()
    cluster.is_down = True
    picture = watcher.look()

    assert picture.operators == before.operators
    assert "nobody listens" in seen(picture)
    cluster.is_down = False
    assert watcher.look().trouble is None


def test_a_jobmanager_that_has_lost_the_job_is_said(
    cluster: RecordedCluster, rest: FlinkRest
) -> None:
    watcher = watcher_of(cluster, rest)
    watcher.look()
    cluster.answers["/jobs/overview"] = {"jobs": []}

    assert "does not know the job" in seen(watcher.look())


# ------------------------------------------------------------------------------ checkpoints


def checkpoint(number: int, path: str | None = "file:/chk") -> Checkpoint:
    return Checkpoint(number, path, round(NOW.timestamp() * 1e3), 20, 9_000, False)


@pytest.fixture
def damaged(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Paths that cannot be read; of all others the invocations are made up."""
    paths: set[str] = set()

    class Snapshot:
        operators = (OPERATOR,)

        def invocations(self) -> Iterator[Any]:
            return iter(ALL)

    @contextmanager
    def read(path: str) -> Iterator[Snapshot]:
        if path in paths:
            raise SnapshotError(f"{path} is gone")
        yield Snapshot()

    monkeypatch.setattr(in_flight, "read_snapshot", read)
    return paths


def test_the_slowest_come_first_and_behind_them_what_only_waits(damaged: set[str]) -> None:
    read = read_in_flight(lambda: checkpoint(7))

    assert read.findings is not None
    assert [str(one.key)[:5] for one in read.findings.invocations()] == [
        *("ann", "ben", "<scri", "dan"),
        *("cid", "ann"),
    ]
    assert (read.checkpoint, read.taken, read.trouble) == (7, NOW, None)


def test_a_newer_one_is_read_if_flink_has_deleted_the_first(damaged: set[str]) -> None:
    damaged.add("old")
    newest = iter([checkpoint(1, "old"), checkpoint(2, "new")])
    read = read_in_flight(lambda: next(newest))

    assert (read.checkpoint, read.trouble) == (2, None)


@pytest.mark.parametrize(
    ("newest", "trouble"),
    [
        (None, "no completed checkpoint yet"),
        (checkpoint(1, None), "JobManager's memory"),
        (checkpoint(1, "gone"), "gone is gone"),
    ],
)
def test_what_cannot_be_read_is_said(
    damaged: set[str], newest: Checkpoint | None, trouble: str
) -> None:
    damaged.add("gone")
    read = read_in_flight(lambda: newest)

    assert read.findings is None
    assert trouble in str(read.trouble)


def test_what_was_read_before_stays_with_its_age(damaged: set[str]) -> None:
    newest = [checkpoint(1)]
    reader = InFlightReader(lambda: newest[0])
    reader.read()
    newest[0] = checkpoint(2, "gone")
    damaged.add("gone")
    reader.read()

    assert (reader.last.checkpoint, reader.last.taken) == (1, NOW)
    text = seen(picture_of(in_flight=reader.last))
    assert "read from checkpoint 1, which is 0s old" in text
    assert "gone is gone" in text
