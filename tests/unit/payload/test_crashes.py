"""Every crash of a handler whose journal is JSON, compressed, encrypted and in a store."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from pyflink_durable import (
    NOT_EXECUTED,
    AesGcm,
    DurableOptions,
    JsonSerializer,
    Offload,
    RunnerContext,
    Zstd,
)
from pyflink_durable.testing import Case, crash_points

charged: list[str] = []
DOCUMENT = random.Random(7).randbytes(2_000).hex()


def document(order: str) -> dict[str, str]:
    return {"order": order, "text": DOCUMENT}


def charge(order: str, document: dict[str, str]) -> dict[str, str]:
    charged.append(order)
    return {"receipt": order, "text": document["text"]}


def find(order: str) -> Any:
    return {"receipt": order, "text": DOCUMENT} if order in charged else NOT_EXECUTED


def refuse(order: str) -> str:
    raise ValueError(f"{order}: {DOCUMENT}")


async def handle(order: str, ctx: RunnerContext) -> str:
    found = await ctx.durable_execute_async(document, order)
    options: dict[str, Any] = {"reconciler": lambda: find(order), "result_type": dict[str, str]}
    receipt = await ctx.durable_execute_async(charge, order, found, **options)
    await ctx.sleep(60)
    try:
        await ctx.durable_execute_async(refuse, order)
    except ValueError as error:
        ctx.state["refused"] = len(str(error))
    return str(receipt["receipt"]) + str(receipt["text"] == DOCUMENT)


def handle_in_thread(order: str, ctx: RunnerContext) -> str:
    found = ctx.durable_execute(document, order)
    options: dict[str, Any] = {"reconciler": lambda: find(order), "result_type": dict[str, str]}
    receipt = ctx.durable_execute(charge, order, found, **options)
    try:
        ctx.durable_execute(refuse, order)
    except ValueError as error:
        ctx.state["refused"] = len(str(error))
    return str(receipt["receipt"]) + str(receipt["text"] == DOCUMENT)


def key_of(key_id: str) -> bytes:
    return key_id.encode().ljust(32)


@pytest.mark.parametrize("level", ["checkpoint", "gated", "write-ahead"])
@pytest.mark.parametrize("handler", [handle, handle_in_thread])
def test_no_crash_loses_or_changes_anything(handler: Any, level: Any, tmp_path: Path) -> None:
    options = DurableOptions(
        serializer=JsonSerializer(),
        codecs=[Zstd(), AesGcm(key_of, "2026-11")],
        offload=Offload(tmp_path.as_uri(), threshold=1024),
        allow_pickle=False,
    )
    runs: list[int] = []

    @crash_points(handler, ["o-1"], options=options, levels=[level], xfail_window=True)
    def check(case: Case) -> None:
        charged.clear()
        run = case.run()
        assert run.outputs == ["o-1True"]
        assert charged == ["o-1"]
        runs.append(1)

    check()
    assert len(runs) > 5
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) >= 3  # the document, the receipt, the exception
    assert not any(DOCUMENT.encode() in path.read_bytes() for path in written)
