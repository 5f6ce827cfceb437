"""What release 0.1 has written is compared by its rule, and idempotency keys are its for good."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import Any
from uuid import UUID

import numpy as np
import pydantic
import pytest
from bridges import Slot, SlotsInMemory, slot_journal

from pyflink_durable import DurableCall
from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.identity.digest_rule_1 import RULE_1
from pyflink_durable.identity.versions import older_rule_of
from pyflink_durable.payload.results import dump_result
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext
from pyflink_durable.runtime.operator.subtask import Subtask
from pyflink_durable.runtime.telemetry.telemetry import LocalTelemetry


class Color(Enum):
    RED = 1


@dataclass
class Order:
    number: int
    lines: list[str]

    def charge(self) -> str:
        return "charged"


class Model(pydantic.BaseModel):
    number: int
    _token: str = pydantic.PrivateAttr(default="a")


def charging(order: Any, also: Any = None) -> Callable[..., Any]:
    def charge(*args: Any, limit: Any = also) -> str:
        return f"charged {order} {also}"

    return charge


def charge(*args: Any) -> str:
    return "charged"


VALUES: dict[str, Any] = {
    "text": "é",
    "bytes": b"\x00\xff",
    "many bytes": b"x" * 1_000,
    "bytearray": bytearray(b"\x00\xff"),
    "list": [1, 2.5, None, (True,)],
    "dict": {"b": 1, "a": [2]},
    "ordered": OrderedDict(b=1, a=[2]),
    "defaultdict": defaultdict(list, b=1, a=[2]),
    "set": {1, 2},
    "frozenset": frozenset({1, 2}),
    "decimal": Decimal("1.50"),
    "date": dt.date(2024, 2, 29),
    "instant": dt.datetime(2024, 2, 29, tzinfo=dt.timezone.utc),
    "uuid": UUID(int=7),
    "enum": Color.RED,
    "dataclass": Order(1, ["a"]),
    "model": Model(number=1),
    "function": charge,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "plain": charge,
    "closure": charging("o-1", 2),
    "closure of a list": charging([1]),
    "method": Order(1, []).charge,
    "partial": partial(charge, {"a": 1}),
}
DIGESTS = {
    "text": "7430d0c9345fb1ac",
    "bytes": "acba0981ed544250",
    "many bytes": "895188984ff57655",
    "bytearray": "acba0981ed544250",
    "list": "a3c79bd39b6e4d60",
    "dict": "d71c22e4d864d40e",
    "ordered": "d71c22e4d864d40e",
    "defaultdict": "d71c22e4d864d40e",
    "set": "c3d0e82a6687ab1d",
    "frozenset": "c3d0e82a6687ab1d",
    "decimal": "a628ecbcc4a34633",
    "date": "44c16826fbeb104a",
    "instant": "cd950bb787a064db",
    "uuid": "2e25875adffba7bc",
    "enum": "015845edbaa7ede3",
    "dataclass": "ed310db90e1b3f12",
    "model": "f353be063f88b4d1",
    "function": "51711a0637ee4379",
}
IDS = {
    "plain": "charge",
    "closure": "charging.<locals>.charge#6e2ca70920f2a400",
    "closure of a list": "charging.<locals>.charge#79d2db6b53a2338b",
    "method": "Order.charge#7496304cece5974f",
    "partial": "charge#546e2f65b5db4656",
}


@pytest.mark.parametrize("name", VALUES)
def test_the_digests_of_release_0_1_are_pinned(name: str) -> None:
    assert RULE_1.args_digest((VALUES[name],), {}) == DIGESTS[name]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_function_ids_of_release_0_1_are_pinned(name: str) -> None:
    assert RULE_1.function_id(FUNCTIONS[name]) == f"{__name__}.{IDS[name]}"


def test_a_digest_tells_which_rule_has_made_it() -> None:
    assert older_rule_of("02fd921ea842fea2") is RULE_1
    assert older_rule_of(compute_args_digest((1,), {})) is None
    assert older_rule_of("3:02fd921ea842fea2") is None


def test_idempotency_keys_do_not_change_with_the_rule() -> None:
    keys = {
        (frozenset({1}), b"x" * 1_000): "7f3804372fe3ece4a66de4f115608f4d",
        "o-1": "58c4b18933537655bcaa27e140f57ecc",
    }
    for key, expected in keys.items():
        identity = InvocationIdentity(lambda number, key=key: key, "orders", 3)  # type: ignore[misc]
        assert identity.idempotency_key(0, None) == expected


class Runs:
    """A context over slots that release 0.1 has written."""

    def __init__(self, executor: CallExecutor, *slots: Slot) -> None:
        self.telemetry = LocalTelemetry()
        self.journal = SlotsInMemory(slots)
        access = slot_journal(self.journal, size=len(slots))
        self.ctx = FlinkRunnerContext(access, subtask=Subtask(executor, telemetry=self.telemetry))

    def call(self, func: Any, *args: Any, **options: Any) -> Any:
        async def handle() -> Any:
            return await self.ctx.durable_execute_async(func, *args, **options)

        return asyncio.run(handle())


def slot_of(func: Any, *args: Any, durable_id: str | None = None, **fields: Any) -> Slot:
    function_id = durable_id or RULE_1.function_id(func)
    slot = Slot(function_id, RULE_1.args_digest(args, {}), "SUCCEEDED", dump_result("was"), None, 0)
    return slot._replace(**fields)


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("durable_id", [None, "charge"])
def test_what_has_ended_is_replayed(
    executor: CallExecutor, name: str, durable_id: str | None
) -> None:
    runs = Runs(executor, slot_of(charge, VALUES[name], durable_id=durable_id))
    assert runs.call(charge, VALUES[name], durable_id=durable_id) == "was"
    assert runs.telemetry.counters == {"replayed": 1}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_every_kind(executor: CallExecutor, name: str) -> None:
    runs = Runs(executor, slot_of(FUNCTIONS[name], np.arange(2)))
    assert runs.call(FUNCTIONS[name], np.arange(2)) == "was"


def test_what_is_in_doubt_goes_on_under_the_name_that_it_has(executor: CallExecutor) -> None:
    pending = slot_of(charge, {1}, status="PENDING", result=None, completion=-1)
    runs = Runs(executor, pending)
    assert runs.call(charge, {1}, reconciler=lambda: "found") == "found"
    [slot] = runs.journal.slots
    assert slot[:3] == (*pending[:2], "SUCCEEDED")


@pytest.mark.parametrize("by_id", [False, True])
def test_the_calls_of_a_batch(executor: CallExecutor, by_id: bool) -> None:
    ids = ["a", "b"] if by_id else [None, None]
    pending = {"status": "PENDING", "result": None, "completion": -1}
    runs = Runs(
        executor,
        slot_of(charge, {1}, durable_id=ids[0]),
        slot_of(charge, {2}, durable_id=ids[1], **pending),
    )
    calls = [DurableCall(charge, ({n + 1},), durable_id=ids[n]) for n in range(2)]
    assert runs.ctx.durable_execute_all(calls).values() == ["was", "charged"]
    assert runs.telemetry.counters["mismatched"] == 0


def test_another_call_is_another_one_by_the_older_rule_too(executor: CallExecutor) -> None:
    for other in (slot_of(charge, {2}), slot_of(charging(1), {1})):
        runs = Runs(executor, other._replace(repeatable=1))
        assert runs.call(charge, {1}) == "charged"
        assert runs.telemetry.counters["mismatched"] == 1
