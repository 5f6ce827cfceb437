"""MessagePack in the journal: what comes back is what went in, or an error says so."""

from __future__ import annotations

import math
import pickle
import sys
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import pytest
from handler_bench import HandlerBench
from typed_values import Line, Order, Status
from typing_extensions import TypedDict

from pyflink_durable import (
    ConfigurationError,
    DurableOptions,
    JsonSerializer,
    MsgspecSerializer,
    PayloadRefused,
    ResultNotSerializable,
)
from pyflink_durable.payload.frame import peek
from pyflink_durable.payload.payloads import Payloads
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.journal.bridge import Identity
from pyflink_durable.runtime.journal.call import Call
from pyflink_durable.runtime.journal.call_options import ResolvedOptions
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity

OWNER = InvocationIdentity(lambda _: "ann", "orders", 3)
MSGSPEC = DurableOptions(serializer=MsgspecSerializer(), allow_pickle=False)


class Price(TypedDict):
    amount: Decimal
    currency: str


class Point(NamedTuple):
    x: int
    y: int


class Sized(msgspec.Struct):
    size: int
    parts: list[Sized] = []


class Special(Order):
    discount: int = 0


class Client:
    pass


AT = datetime(2026, 11, 30, 16, 5, 1, 123456, timezone(timedelta(hours=2)))
ORDER = Order(id=UUID(int=7), lines=[Line("pen", Decimal("1.10"), frozenset("ab"))], at=AT)
SPECIAL = Special(**ORDER.model_dump(), discount=5)

ROUND_TRIPS: list[tuple[Any, Any]] = [
    (None, {"a": [1, 2.5, None, True, "x"]}),
    (Order, ORDER),
    (Special, SPECIAL),
    (list[Order], [ORDER, ORDER]),
    (Order | None, None),
    (Line, Line("pen", Decimal("1.10"))),
    (Sized, Sized(1, [Sized(2)])),
    (Status, Status.PAID),
    (dict[Status, int], {Status.PAID: 1}),
    (Price, {"amount": Decimal("1.10"), "currency": "EUR"}),
    (Point, Point(1, 2)),
    (datetime, AT),
    (datetime, datetime(2026, 11, 30)),
    (date, date(2026, 11, 30)),
    (timedelta, timedelta(days=1, microseconds=3)),
    (Decimal, Decimal("0.10")),
    (UUID, UUID(int=7)),
    (bytes, bytes(range(256))),
    (tuple[int, str], (1, "a")),
    (tuple[int, ...], (1, 2)),
    (set[int], {1, 2}),
    (frozenset[UUID], frozenset({UUID(int=1)})),
    (dict[int, float], {1: 0.1, 2: -0.0}),
    (int | str, "1"),
    (int, 2**63),
]


def call_of(kind: Any) -> Call:
    options = ResolvedOptions(result_type=kind)
    return Call(Identity("charge", "0"), lambda: None, (), {}, None, None, options)


@pytest.mark.parametrize(("kind", "value"), ROUND_TRIPS)
def test_a_value_of_a_type_comes_back(kind: Any, value: Any) -> None:
    call = call_of(kind)
    passed, payload = Payloads(MSGSPEC).pass_result(value, call, OWNER, 0)
    for read in (passed, Payloads(MSGSPEC).load_result(payload, call, OWNER, 0)):
        assert read == value
        assert type(read) is type(value)


def test_it_is_message_pack_and_says_so() -> None:
    _, payload = Payloads(MSGSPEC).pass_result([1, "a"], call_of(None), OWNER, 0)
    names, body = peek(payload)
    assert names == ("msgspec",)
    assert body == b"\x92\x01\xa1a"


NOT_CARRIED: list[tuple[Any, Any, str]] = [
    (None, (1, 2), "no declared type"),
    (None, [math.nan], "a float that is no number"),
    (None, ORDER, "typed_values.Order"),
    (int, "one", "Expected `int`"),
    (int, 10**40, "can't serialize ints"),
    (Order, SPECIAL, "is read back as typed_values.Order"),
    (list[Order], [SPECIAL], "leaves something out"),
    (list[float], [math.nan], "leaves something out"),
    (list[Any], [Client()], "holds a test_msgspec_payloads.Client"),
    (str, "\ud800", "surrogates"),
]


@pytest.mark.parametrize(("kind", "value", "reason"), NOT_CARRIED)
def test_what_it_would_change_is_an_error(kind: Any, value: Any, reason: str) -> None:
    with pytest.raises(ResultNotSerializable, match=reason):
        Payloads(MSGSPEC).pass_result(value, call_of(kind), OWNER, 0)


@pytest.mark.parametrize("kind", [Client, list[Client], dict[str, Client | None], Order | Line])
def test_a_type_that_it_does_not_know_is_refused_before_the_call(kind: Any) -> None:
    with pytest.raises(ConfigurationError, match="charge declares the result"):
        Payloads(MSGSPEC).check(call_of(kind))


# ---------------------------------------------------------------- a handler


def pay(order: str) -> Line:
    return Line(order, Decimal("1.10"))


async def handler(value: str, ctx: Any) -> Any:
    line = await ctx.durable_execute_async(pay, value)
    at = ctx.now()
    try:
        await ctx.durable_execute_async(int, value)
    except ValueError as error:
        return [line, at, str(error)]


@pytest.mark.one_run  # the replays of all tests read pickles
@pytest.mark.parametrize("other", [DurableOptions(), DurableOptions(serializer=JsonSerializer())])
def test_journals_mixed_with_pickles_and_json_replay(
    other: DurableOptions, executor: CallExecutor
) -> None:
    bench = HandlerBench(handler, executor, other)
    result = bench.run()
    mixed = bench.again(bench.journal.slots[:1], MSGSPEC.model_copy(update={"allow_pickle": True}))
    replayed = mixed.run()
    assert (replayed[0], replayed[2]) == (result[0], result[2])
    kept = [slot.result or slot.exception or b"" for slot in mixed.slots]
    assert [b"\x07msgspec" in one for one in kept] == [False, True, True]
    back = mixed.again(options=other)
    assert back.run() == replayed
    assert back.telemetry.counters["executed"] == 0


@pytest.mark.one_run
def test_a_damaged_slot_fails_the_task(executor: CallExecutor) -> None:
    bench = HandlerBench(handler, executor, MSGSPEC)
    bench.run()
    [slot, *_] = bench.journal.slots
    payload = slot.result or b""
    again = bench.again([slot._replace(result=payload[:-1] + b"x")], MSGSPEC)
    with pytest.raises(PayloadRefused, match="is damaged"):
        again.run()


# ---------------------------------------------------------------- set-up


def test_it_travels_with_the_job() -> None:
    serializer = MsgspecSerializer()
    serializer.dumps(ORDER, Order)
    serializer.loads(serializer.dumps(ORDER, Order), Order)
    sent = pickle.loads(pickle.dumps(serializer))
    assert sent.loads(sent.dumps(ORDER, Order), Order) == ORDER


def test_without_its_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msgspec", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'pyflink-durable\[msgspec\]'"):
        MsgspecSerializer()
