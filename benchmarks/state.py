"""Bytes that checkpoints write while batches are under way: linear in the calls, or not.

100 keys have a batch each. Its calls end one after another over some seconds, so that some twenty
checkpoints meet it in the middle. What one of them wrote on average, divided by the calls, does not
grow with the batch if a checkpoint writes what has changed; it does if a call that ends has its
whole batch written again. The average, since a busy machine takes more or fewer checkpoints.
"""

from __future__ import annotations

import asyncio
import json
import socket
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from cases import discard, environment, keyed_numbers
from pyflink.common import Types

from pyflink_durable import DurableCall, durable_process

KEYS = 100
BATCHES = (25, 100, 400)
SPREAD_SECONDS = 4.0
CHECKPOINT_SECONDS = 0.2
RESULT = b"x" * 100


async def take_a_while(number: int, of: int) -> bytes:
    await asyncio.sleep(SPREAD_SECONDS * number / of)
    return RESULT


def bytes_written(backend: str, batch: int) -> list[int]:
    """What each checkpoint of a run wrote, as Flink tells it; incremental ones on RocksDB."""

    async def handle(value: Any, ctx: Any) -> int:
        calls = [DurableCall(take_a_while, (number, batch)) for number in range(batch)]
        outcomes = await ctx.durable_execute_all_async(calls)
        await asyncio.sleep(10 * CHECKPOINT_SECONDS)  # so that all is written, and asked for
        return len(outcomes.values())

    with tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        env = environment(
            backend,
            f"{CHECKPOINT_SECONDS * 1000:.0f} ms",
            {
                "execution.checkpointing.storage": "filesystem",
                "execution.checkpointing.dir": Path(folder).as_uri(),
                "execution.checkpointing.incremental": "true",
                "execution.checkpointing.unaligned.enabled": "true",
                "web.checkpoints.history": "1000",
                "rest.bind-port": str(port),
            },
        )
        keyed = keyed_numbers(env, KEYS, KEYS)
        discard(durable_process(keyed, handle, output_type=Types.LONG(), name="batches"))
        job = env.execute_async(f"state of batches of {batch}")
        result = job.get_job_execution_result()
        url = f"http://127.0.0.1:{port}/jobs/{job.get_job_id()}/checkpoints"
        history: list[dict[str, Any]] = []
        while not result.done():
            history = _ask(url) or history
            time.sleep(CHECKPOINT_SECONDS)
        result.result()
    completed = sorted((one for one in history if one["status"] == "COMPLETED"), key=_number)
    return [int(one["checkpointed_size"]) for one in completed]


def _number(checkpoint: dict[str, Any]) -> int:
    return int(checkpoint["id"])


def _ask(url: str) -> list[dict[str, Any]]:
    """The checkpoints of a job; none while it is not there, or no longer."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=10) as answer:
            history: list[dict[str, Any]] = json.load(answer)["history"]
            return history
    except OSError:
        return []


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
