"""Handlers that make one batch, and the slots that a failure may have left of it."""

from __future__ import annotations

from typing import Any

import pytest
from bridges import Slot

from pyflink_durable import (
    DurableCall,
)
from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.payload.results import dump_result
from pyflink_durable.runtime.journal.times import AT_ONCE


def act(name: str) -> str:
    return f"ran {name}"


def call(name: str, durable_id: str | None = None, **options: Any) -> DurableCall:
    return DurableCall(act, (name,), durable_id=durable_id or None, **options)


def by_id(*names: str, **options: Any) -> list[DurableCall]:
    return [call(name, f"id-{name}", **options) for name in names]


def ended(name: str, completion: int, durable_id: str | None = None) -> Slot:
    digest = compute_args_digest((name,), {})
    identity = durable_id or f"id-{name}"
    return Slot(identity, digest, "SUCCEEDED", dump_result(f"was {name}"), None, completion)


def in_doubt(name: str) -> Slot:
    return ended(name, -1)._replace(status="PENDING", result=None)


def in_line(name: str) -> Slot:
    return in_doubt(name)._replace(due=AT_ONCE)


def batch_of(calls: list[DurableCall], **limits: Any) -> Any:
    async def handler(value: Any, ctx: Any) -> Any:
        return await ctx.durable_execute_all_async(calls, **limits)

    return handler


def blocking(calls: list[DurableCall], **limits: Any) -> Any:
    def handler(value: Any, ctx: Any) -> Any:
        return ctx.durable_execute_all(calls, **limits)

    return handler


def on_the_loop(calls: list[DurableCall]) -> Any:
    async def handler(value: Any, ctx: Any) -> Any:
        return ctx.durable_execute_all(calls)

    return handler


ways = pytest.mark.parametrize("way", [batch_of, blocking, on_the_loop])


def statuses(outcomes: Any) -> list[str]:
    return [outcome.status.value for outcome in outcomes]
