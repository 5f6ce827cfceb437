"""The fixture `flink_minicluster`, as a user's test takes it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pyflink.common import Types
from pyflink.datastream import DataStream

from pyflink_durable import RunnerContext, durable_process
from pyflink_durable.testing import FlinkMiniCluster

pytestmark = pytest.mark.minicluster


def note(folder: str, order: str) -> str:
    with (Path(folder) / "charges").open("a") as file:
        file.write(f"{order}\n")
    return f"charge-{order}"


async def wait_for_goods(folder: str, order: str) -> None:
    with (Path(folder) / "waits").open("a") as file:
        file.write(f"{order}\n")
    deadline = time.monotonic() + 120
    while not (Path(folder) / f"goods-{order}").exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"no goods for {order}")
        await asyncio.sleep(0.02)


def charging(folder: Path) -> Callable[[DataStream], DataStream]:
    async def handle(order: str, ctx: RunnerContext) -> str:
        charge = await ctx.durable_execute_async(note, str(folder), order)
        await ctx.durable_execute_async(wait_for_goods, str(folder), order)
        return f"{order}: {charge}"

    def build(orders: DataStream) -> DataStream:
        keyed = orders.key_by(lambda order: order, Types.STRING())
        return durable_process(keyed, handle, output_type=Types.STRING(), uid="orders")

    return build


def test_a_task_fails_and_a_job_starts_again_between_two_calls(
    flink_minicluster: FlinkMiniCluster, tmp_path: Path
) -> None:
    charges, waits = tmp_path / "charges", tmp_path / "waits"
    charges.touch()
    waits.touch()
    with flink_minicluster.start(charging(tmp_path)) as job:
        job.send("o-1")
        job.wait_until(lambda: waits.read_text() == "o-1\n", "the second call of o-1")
        job.take_checkpoint()
        job.fail_task()
        (tmp_path / "goods-o-1").touch()
        assert job.wait_for_outputs(1) == ["o-1: charge-o-1"]

        job.send("o-2")
        job.wait_until(lambda: waits.read_text().endswith("o-2\n"), "the second call of o-2")
        (tmp_path / "goods-o-2").touch()
        job.restart()
        job.send("o-3")
        (tmp_path / "goods-o-3").touch()
        job.wait_for_outputs(3)
        job.stop()
    assert sorted(job.outputs) == [f"o-{n}: charge-o-{n}" for n in (1, 2, 3)]
    assert waits.read_text().split()[:2] == ["o-1", "o-1"], "the call in doubt ran again"
    assert charges.read_text().split() == ["o-1", "o-2", "o-3"]
