"""One operator's settings for what is in its journal: JSON, mixed, refused, limited."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from handler_bench import HandlerBench
from host_bench import Task
from hypothesis import given
from hypothesis import strategies as st

from pyflink_durable import (
    DurableCall,
    DurableOptions,
    JsonSerializer,
    PayloadRefused,
    PayloadTooLarge,
    PickleSerializer,
)
from pyflink_durable.payload.frame import is_pickle
from pyflink_durable.payload.payloads import Payloads
from pyflink_durable.payload.sizes import WARN_FROM
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.journal.bridge import Identity
from pyflink_durable.runtime.journal.call import Call
from pyflink_durable.runtime.journal.call_options import ResolvedOptions
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity
from pyflink_durable.runtime.operator.user_state import MemoryState, UserState
from pyflink_durable.runtime.telemetry.telemetry import LocalTelemetry

OWNER = InvocationIdentity(lambda _: "ann", "orders", 3)
JSON = DurableOptions(serializer=JsonSerializer())
STRICT = DurableOptions(serializer=JsonSerializer(), allow_pickle=False)


@dataclass
class Receipt:
    order: str
    at: datetime


class Declined(Exception):
    pass


def charge(order: str) -> Receipt:
    return Receipt(order, datetime(2026, 11, 30))


async def charge_async(order: str) -> Receipt:
    return charge(order)


def decline(order: str) -> Receipt:
    raise Declined(order)


def call_of(func: Any = charge, result_type: Any = None) -> Call:
    options = ResolvedOptions(result_type=result_type)
    return Call(Identity("charge", "0"), func, (), {}, None, None, options)


# ---------------------------------------------------------------- a handler


async def handler(value: str, ctx: Any) -> Any:
    """One of each kind of slot."""
    receipts = [ctx.durable_execute(charge, value)]
    receipts.append(await ctx.durable_execute_async(charge_async, value))
    receipts.append(await ctx.durable_execute_async(lambda: (1, 2), result_type=tuple[int, int]))
    receipts += [ctx.now(), await asyncio.sleep(0.001, "slept")]
    call = DurableCall(charge, ("b",), result_type=Receipt)
    receipts += (await ctx.durable_execute_all_async([call])).values()
    try:
        await ctx.durable_execute_async(decline, value)
    except Declined as error:
        receipts.append(error.args)
    return receipts


def blocking_handler(value: str, ctx: Any) -> Any:
    outcomes = ctx.durable_execute_all([DurableCall(charge, ("b",))], timeout=100)
    return [ctx.durable_execute(charge, value), *outcomes.values()]


@pytest.mark.one_run  # the replays of all tests read pickles
@pytest.mark.parametrize("handles", [handler, blocking_handler])
def test_every_kind_of_slot_is_json_and_replayed(handles: Any, executor: CallExecutor) -> None:
    options = STRICT.model_copy(update={"errors": (Declined,)})
    bench = HandlerBench(handles, executor, options)
    result = bench.run()
    kept = [one for slot in bench.slots for one in (slot.result, slot.exception) if one]
    assert kept and not any(is_pickle(one) for one in kept)
    again = bench.again()
    assert again.run() == result
    assert again.slots == bench.slots
    assert again.telemetry.counters["executed"] == 0


def test_by_default_the_bytes_are_those_of_release_0_1(executor: CallExecutor) -> None:
    """Bare pickles, which it reads."""

    async def handles(value: str, ctx: Any) -> Any:
        return [ctx.durable_execute(str.upper, value), await ctx.durable_execute_async(charge, "a")]

    for options in (DurableOptions(), DurableOptions(serializer=PickleSerializer())):
        bench = HandlerBench(handles, executor, options)
        result = bench.run()
        assert [pickle.loads(slot.result) for slot in bench.slots] == result  # type: ignore[arg-type]
    assert bench.slots[0].result == pickle.dumps("VALUE", 5)


@pytest.mark.one_run
def test_a_journal_of_pickles_and_json_replays_under_either(executor: CallExecutor) -> None:
    pickled = HandlerBench(handler, executor, DurableOptions())
    result = pickled.run()
    half = pickled.journal.slots[:3]
    mixed = pickled.again(half, JSON.model_copy(update={"errors": (Declined,)}))
    replayed = mixed.run()
    assert replayed[:3] == result[:3]
    assert [is_pickle(slot.result or b"") for slot in mixed.slots[:4]] == [True] * 3 + [False]
    back = mixed.again(options=DurableOptions(errors=[Declined]))
    assert back.run() == replayed


# ---------------------------------------------------------------- pickles that are not read


class Malicious:
    """What whoever can write to a checkpoint would put there."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self._path,)


@pytest.mark.one_run
@pytest.mark.parametrize("field", ["result", "exception"])
def test_nothing_of_a_malicious_pickle_is_run(
    field: str, executor: CallExecutor, tmp_path: Path
) -> None:
    touched = tmp_path / "touched"

    async def handles(value: str, ctx: Any) -> Any:
        try:
            return await ctx.durable_execute_async(charge, value)
        except Exception:  # does not help: the task fails
            return "caught"

    bench = HandlerBench(handles, executor, STRICT)
    bench.run()
    payload = {"result": None, field: pickle.dumps(Malicious(touched))}
    evil = bench.journal.slots[0]._replace(**payload)  # type: ignore[arg-type]
    with pytest.raises(PayloadRefused, match="restore the job once with allow_pickle=True"):
        bench.again([evil]).run()
    assert not touched.exists()
    bench.again([evil], JSON).start()
    assert touched.exists()  # so it would have run


def test_nor_of_one_in_a_frame_or_in_the_state(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    evil = pickle.dumps(Malicious(touched))
    framed = Payloads(JSON)._seals
    framed._names = ("pickle",)
    payload = framed.seal(evil, OWNER.digest("payload result 0"))
    with pytest.raises(PayloadRefused, match="allow_pickle=False"):
        Payloads(STRICT).load_result(payload, call_of(), OWNER, 0)
    backend = MemoryState()
    backend.values["last"] = evil
    broken: list[BaseException] = []
    state = UserState(backend, lambda: None, Payloads(STRICT), OWNER, broken.append)
    with pytest.raises(PayloadRefused, match="allow_pickle=False"):
        state["last"]
    assert len(broken) == 1
    assert not touched.exists()


def test_no_pickles_need_a_serializer() -> None:
    for serializer in (None, PickleSerializer()):
        with pytest.raises(ValueError, match=r"serializer=JsonSerializer\(\)"):
            DurableOptions(serializer=serializer, allow_pickle=False)


# ---------------------------------------------------------------- bytes that are not as written


@given(st.data())
def test_damaged_bytes_are_refused(data: st.DataObject) -> None:
    payloads = Payloads(JSON)
    value = data.draw(st.lists(st.text()), "value")
    _, payload = payloads.pass_result(value, call_of(list), OWNER, 0)
    place = data.draw(st.integers(0, len(payload) - 1), "place")
    if data.draw(st.booleans(), "truncated"):
        damaged = payload[:place]
    else:
        flipped = payload[place] ^ data.draw(st.integers(1, 255), "flip")
        damaged = payload[:place] + bytes([flipped]) + payload[place + 1 :]
    if not is_pickle(damaged):
        with pytest.raises(PayloadRefused):
            payloads.load_result(damaged, call_of(list), OWNER, 0)
    with pytest.raises(PayloadRefused):
        Payloads(STRICT).load_result(damaged, call_of(list), OWNER, 0)


@pytest.mark.parametrize(
    ("owner", "slot"),
    [
        (OWNER, 1),
        (InvocationIdentity(lambda _: "bob", "orders", 3), 0),
        (InvocationIdentity(lambda _: "ann", "orders", 4), 0),
        (InvocationIdentity(lambda _: "ann", "refunds", 3), 0),
    ],
    ids=["slot", "key", "invocation", "operator"],
)
def test_bytes_of_another_place_are_refused(owner: InvocationIdentity, slot: int) -> None:
    payloads = Payloads(JSON)
    _, payload = payloads.pass_result("paid", call_of(str), OWNER, 0)
    with pytest.raises(PayloadRefused, match="another slot, key, invocation or operator"):
        payloads.load_result(payload, call_of(str), owner, slot)
    with pytest.raises(PayloadRefused):
        payloads.load_error(payload, OWNER, 0)


# ---------------------------------------------------------------- ctx.state


def test_state_is_written_by_its_declared_types() -> None:
    backend = MemoryState()
    payloads = Payloads(STRICT.model_copy(update={"state_types": {"last": Receipt}}))
    state = UserState(backend, lambda: None, payloads, OWNER)
    receipt = charge("o-1")
    state["last"], state["count"] = receipt, 7
    assert state["last"] == receipt and state["last"] is not receipt
    backend.values.update(state.take_writes())  # type: ignore[arg-type]
    # another invocation of the key
    later = UserState(
        backend, lambda: None, payloads, InvocationIdentity(lambda _: "ann", "orders", 9)
    )
    assert dict(later) == {"last": receipt, "count": 7}
    with pytest.raises(TypeError, match=r"state_types=\{'other': ...\}"):
        state["other"] = receipt
    # nor can a value be moved
    backend.values["count"] = backend.values["last"]
    with pytest.raises(PayloadRefused):
        UserState(backend, lambda: None, payloads, OWNER)["count"]


# ---------------------------------------------------------------- dead letters


def test_dead_letters_have_the_serializers_bytes(new_task: Callable[..., Task]) -> None:
    def fails(value: str, ctx: Any) -> None:
        ctx.durable_execute(charge, value)
        ctx.durable_execute(decline, value)

    task = new_task(fails, on_error="dead-letter", serializer=JsonSerializer())
    task.start("o-1")
    [letter] = task.resume_until_it_reports()[-1]
    assert letter.calls[0].result == b'{"order":"o-1","at":"2026-11-30T00:00:00"}'
    assert b'"message":"o-1"' in letter.calls[1].exception


# ---------------------------------------------------------------- sizes


def test_a_payload_over_the_limit_is_the_calls_error(executor: CallExecutor) -> None:
    async def handles(value: str, ctx: Any) -> Any:
        try:
            return await ctx.durable_execute_async(bytes, 5_000)
        except PayloadTooLarge as error:
            return error.name, error.limit, error.size > 5_000

    bench = HandlerBench(handles, executor, DurableOptions(max_payload=4_000))
    assert bench.run() == ("builtins.bytes", 4_000, True)
    assert bench.again().run() == ("builtins.bytes", 4_000, True)


def test_an_error_over_the_limit_is_replaced_and_state_is_limited() -> None:
    payloads = Payloads(DurableOptions(max_payload=900))
    error, payload = payloads.pass_error(ValueError("x" * 9_000), call_of(), OWNER, 0)
    assert isinstance(error, PayloadTooLarge) and len(payload) < 900
    state = UserState(MemoryState(), lambda: None, payloads, OWNER)
    with pytest.raises(PayloadTooLarge, match="'chat'"):
        state["chat"] = "x" * 1_000
    assert state.take_writes() == {}


def test_large_payloads_are_counted_and_named_once() -> None:
    telemetry = LocalTelemetry()
    lines: list[str] = []
    telemetry.warning = lines.append  # type: ignore[method-assign]
    payloads = Payloads(notes=telemetry)
    for size in (10, 2_000, WARN_FROM, WARN_FROM):
        payloads.pass_result(b"x" * size, call_of(), OWNER, 0)
    assert [size // 1_000 for size in telemetry.values["payloadBytes"]] == [2, 262, 262]
    assert telemetry.counters["largePayloads"] == 2
    assert len(lines) == 1 and "payload=charge bytes=262" in lines[0]
