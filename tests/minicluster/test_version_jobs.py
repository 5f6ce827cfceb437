"""A job goes on with another version of its handler: what is in flight ends as it began."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pyflink.common import Types
from pyflink.datastream import DataStream

from pyflink_durable import DurableOptions, RunnerContext, Signal, durable_process
from pyflink_durable.testing import FlinkMiniCluster, MiniClusterJob, check_upgrade

pytestmark = pytest.mark.minicluster

Build = Callable[[DataStream], DataStream]


def note(folder: str, file: str, line: str) -> str:
    with (Path(folder) / file).open("a") as opened:
        opened.write(f"{line}\n")
    return line


async def wait_for_goods(folder: str) -> str:
    note(folder, "under-way", "ben")
    deadline = time.monotonic() + 120
    while not (Path(folder) / "goods").exists():
        if time.monotonic() > deadline:
            raise TimeoutError("no goods came")
        await asyncio.sleep(0.02)
    return "goods"


def handler_of(folder: Path, release: str) -> Any:
    """Ann waits for an approval, and is parked; ben for a call that is under way."""
    place = str(folder)

    async def handle(order: str, ctx: RunnerContext) -> str:
        note(place, "runs", f"{release} {order}")
        await ctx.durable_execute_async(note, place, "charges", f"{release} {order}")
        assert ctx.patched("approval"), "all have come here by this code"
        if ctx.key == "ben":
            await ctx.durable_execute_async(wait_for_goods, place)
        else:
            try:
                await ctx.wait_for_signal("approval")
            finally:
                note(place, "left", order)
        if release == "1":
            await ctx.durable_execute_async(note, place, "letters", order)
        return f"{order} by {release}"

    return handle


def releasing(folder: Path, release: str, *previous: str | None) -> Build:
    def build(lines: DataStream) -> DataStream:
        orders = lines.filter(lambda line: not line.startswith("signal"))
        signals = lines.filter(lambda line: line.startswith("signal"))
        approvals = signals.map(lambda line: Signal("approval", line.split()[1], id=line))
        return durable_process(
            orders.key_by(lambda order: order.split()[0], Types.STRING()),
            handler_of(folder, release),
            signals=approvals.key_by(lambda signal: signal.value, Types.STRING()),
            output_type=Types.STRING(),
            options=DurableOptions(park_after=0.1),
            uid="orders",
            version=release,
            previous={one: handler_of(folder, one or "none") for one in previous},
        )

    return build


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


@contextmanager
def in_flight(flink: FlinkMiniCluster, folder: Path) -> Iterator[MiniClusterJob]:
    """A job of release 1: one of ann is parked, one is behind it; ben's is awake."""
    settings = {"state.backend.type": "rocksdb", "restart-strategy.type": "none"}
    with flink.start(releasing(folder, "1"), settings=settings) as job:
        job.send("ann 1", "ann 2", "ben 1")
        job.wait_until(lambda: lines(folder / "left") == ["ann 1"], "ann's order to be parked")
        job.wait_until(lambda: lines(folder / "under-way") == ["ben"], "ben's call")
        yield job


def test_what_is_in_flight_ends_on_the_code_it_began_with(
    flink_minicluster: FlinkMiniCluster, tmp_path: Path
) -> None:
    with in_flight(flink_minicluster, tmp_path) as job:
        savepoint = job.restart(releasing(tmp_path, "2", "1"))
        first, second = (handler_of(tmp_path, release) for release in ("1", "2"))
        checked = check_upgrade(savepoint, second, version="2", previous={"1": first})
        assert checked.passed
        assert (checked.replayed, checked.in_line) == (2, 1)
        assert check_upgrade(savepoint, second, version="2").unknown_versions == {"1": 3}

        (tmp_path / "goods").touch()
        job.send("signal ann 1", "signal ann 2", "cid 1", "ben 2", "signal cid")
        assert sorted(job.wait_for_outputs(5)) == [
            "ann 1 by 1",
            "ann 2 by 1",
            "ben 1 by 1",
            "ben 2 by 2",
            "cid 1 by 2",
        ]
        job.stop()
    charges = ["1 ann 1", "1 ann 2", "1 ben 1", "2 ben 2", "2 cid 1"]
    assert sorted(lines(tmp_path / "charges")) == charges
    assert sorted(lines(tmp_path / "letters")) == ["ann 1", "ann 2", "ben 1"]


def test_a_version_that_nobody_names_fails_before_a_handler_runs(
    flink_minicluster: FlinkMiniCluster, tmp_path: Path
) -> None:
    with in_flight(flink_minicluster, tmp_path) as job:
        ran = lines(tmp_path / "runs")
        job.restart(releasing(tmp_path, "2", None))
        with pytest.raises(Exception, match=r"in this subtask: .1.: 3") as failure:
            job.wait_until(lambda: bool(job.outputs))
        assert 'The job names None, "2".' in str(failure.value)
        assert lines(tmp_path / "runs") == ran
