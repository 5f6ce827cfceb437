"""JSON in the journal: what comes back is what went in, or there is an error that says so."""

from __future__ import annotations

import enum
import json
import math
import pickle
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Generic, NamedTuple, TypeVar
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from pyflink_durable import (
    ConfigurationError,
    DurableOptions,
    JsonSerializer,
    PayloadNotLoadable,
    ResultNotSerializable,
)
from pyflink_durable.payload.payloads import Payloads
from pyflink_durable.payload.result_types import ResultTypes
from pyflink_durable.runtime.journal.bridge import Identity
from pyflink_durable.runtime.journal.call import Call
from pyflink_durable.runtime.journal.call_options import ResolvedOptions
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity

if TYPE_CHECKING:
    from nowhere import Missing  # type: ignore[import-not-found]

T = TypeVar("T")
OWNER = InvocationIdentity(lambda _: "ann", "orders", 3)


class Status(enum.Enum):
    PAID = "paid"
    DUE = "due"


@dataclass
class Line:
    article: str
    price: Decimal
    tags: frozenset[str] = frozenset()


class Order(BaseModel):
    id: UUID
    lines: list[Line]
    at: datetime
    status: Status = Status.DUE
    parent: Order | None = None


class Special(Order):
    discount: int = 0


class Page(BaseModel, Generic[T]):
    items: list[T]


class Price(TypedDict):
    amount: Decimal
    currency: str


class Point(NamedTuple):
    x: int
    y: int


AT = datetime(2026, 11, 30, 16, 5, 1, 123456, timezone(timedelta(hours=2)))
ORDER = Order(id=UUID(int=7), lines=[Line("pen", Decimal("1.10"), frozenset("ab"))], at=AT)

ROUND_TRIPS: list[tuple[Any, Any]] = [
    (Order, ORDER),
    (Special, Special(**ORDER.model_dump(), discount=5)),
    (list[Order], [ORDER, ORDER]),
    (dict[str, Order], {"a": ORDER}),
    (Order | None, None),
    (Page[Line], Page[Line](items=[Line("x", Decimal("1E+3"))])),
    (Line, Line("pen", Decimal("1.10"))),
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
    (dict[str, bytes], {"a": b"\xff\x00"}),
    (tuple[int, str], (1, "a")),
    (tuple[int, ...], (1, 2)),
    (set[int], {1, 2}),
    (frozenset[UUID], frozenset({UUID(int=1)})),
    (dict[int, float], {1: 0.1, 2: -0.0}),
    (int | str, "1"),
    (Annotated[int, Field(gt=0)], 7),
    (Any, {"a": [1, 2.5, None, True, "x"]}),
    (None, None),
    (int, 10**40),
]


def call_of(func: Any, result_type: Any = None) -> Call:
    options = ResolvedOptions(result_type=result_type)
    return Call(Identity("charge", "0"), func, (), {}, None, None, options)


def returning(kind: Any) -> Call:
    def charge() -> Any: ...

    charge.__annotations__ = {"return": kind}
    return call_of(charge)


def payloads(**options: Any) -> Payloads:
    return Payloads(DurableOptions(serializer=JsonSerializer(), **options))


@pytest.mark.parametrize(("kind", "value"), ROUND_TRIPS)
def test_round_trip(kind: Any, value: Any) -> None:
    call = returning(kind)
    passed, payload = payloads().pass_result(value, call, OWNER, 0)
    for read in (passed, payloads().load_result(payload, call, OWNER, 0)):
        assert read == value
        assert type(read) is type(value)


def test_the_first_run_sees_what_a_replay_sees() -> None:
    call = returning(list[Line])
    lines = [Line("pen", Decimal(1))]
    passed, payload = payloads().pass_result(lines, call, OWNER, 0)
    assert passed is not lines
    assert passed == payloads().load_result(payload, call, OWNER, 0)


def test_everybody_can_read_it() -> None:
    _, payload = payloads().pass_result(ORDER, returning(Order), OWNER, 0)
    opened = payloads().open(payload, "result", OWNER, 0)
    assert opened is not None
    [line] = json.loads(opened)["lines"]
    assert (line["price"], set(line["tags"])) == ("1.10", {"a", "b"})
    assert opened in payload


class Client:
    pass


NOT_CARRIED: list[tuple[Any, Any, str]] = [
    (None, (1, 2), "no declared type, and JSON does not carry builtins.tuple"),
    (None, {"a": {1}}, "builtins.set"),
    (None, {1: "a"}, "keys that are not str"),
    (None, [math.nan], "a float that is no number"),
    (None, b"x", "builtins.bytes"),
    (None, ORDER, "test_json_payloads.Order"),
    (None, Client(), "Client"),
    (int, "one", "Expected `int`"),
    (list[int], ["one"], "Expected `int`"),
    (int, None, "cannot be read back as int"),
    (Order, Special(**ORDER.model_dump(), discount=5), "is read back as test_json_payloads.Order"),
    (list[Order], [Special(**ORDER.model_dump(), discount=5)], "leaves something out"),
    (list[float], [math.nan], "cannot be read back|leaves something out"),
    (dict[str, Any], {"at": AT}, "leaves something out"),
    (str, "\ud800", "surrogates|utf"),
]


@pytest.mark.parametrize(("kind", "value", "reason"), NOT_CARRIED)
def test_what_json_would_change_is_an_error(kind: Any, value: Any, reason: str) -> None:
    call = call_of(lambda: None) if kind is None else returning(kind)
    with pytest.raises(ResultNotSerializable, match=reason) as caught:
        payloads().pass_result(value, call, OWNER, 0)
    assert str(caught.value).startswith("charge: ")
    assert "result_type=" in str(caught.value)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def exact(value: Any) -> Any:
    """With the types of all that is in it."""
    if isinstance(value, list):
        return [exact(item) for item in value]
    if isinstance(value, dict):
        return [(key, exact(item)) for key, item in value.items()]
    return type(value), repr(value)


@given(JSON)
def test_plain_data_needs_no_type(value: Any) -> None:
    call = call_of(lambda: None)
    passed, payload = payloads().pass_result(value, call, OWNER, 0)
    assert exact(passed) == exact(value)
    assert exact(payloads().load_result(payload, call, OWNER, 0)) == exact(value)


# -------------------------------------------------------------------- where the type comes from


async def pay() -> Order: ...  # type: ignore[empty-body]
def pay_later() -> Coroutine[Any, Any, Order]: ...  # type: ignore[empty-body]
def pay_missing() -> Missing: ...
def pay_anything(): ...  # type: ignore[no-untyped-def]


class Gateway:
    def pay(self) -> Order: ...  # type: ignore[empty-body]

    def __call__(self) -> Line: ...  # type: ignore[empty-body]

    @staticmethod
    def static() -> Line: ...  # type: ignore[empty-body]


@pytest.mark.parametrize(
    ("func", "kind"),
    [
        (pay, Order),
        (pay_later, Order),
        (partial(partial(pay)), Order),
        (Gateway().pay, Order),
        (Gateway(), Line),
        (Gateway.static, Line),
        (Order, Order),
        (pay_anything, None),
        (lambda: 1, None),
        (len, None),
    ],
)
def test_a_function_declares_its_result(func: Any, kind: Any) -> None:
    types = ResultTypes()
    assert types.declared_by(func) is kind
    assert types.declared_by(func) is kind


def test_an_annotation_that_is_not_there_is_refused_before_the_call() -> None:
    with pytest.raises(ConfigurationError, match=r"pay_missing.*result_type="):
        payloads().check(call_of(pay_missing))
    payloads().check(call_of(pay_missing, Order))


def test_a_type_without_json_is_refused_before_the_call() -> None:
    with pytest.raises(ConfigurationError, match=r"charge declares the result .*Client"):
        payloads().check(returning(Client))


def test_the_call_may_say_the_type() -> None:
    call = call_of(lambda: None, tuple[int, ...])
    passed, payload = payloads().pass_result((1, 2), call, OWNER, 0)
    assert passed == payloads().load_result(payload, call, OWNER, 0) == (1, 2)


def test_another_type_than_at_the_call_is_an_error() -> None:
    _, payload = payloads().pass_result("paid", returning(str), OWNER, 0)
    with pytest.raises(PayloadNotLoadable, match="declares the type that it declared"):
        payloads().load_result(payload, returning(Order), OWNER, 0)


def test_a_serializer_travels_with_the_job() -> None:
    serializer = JsonSerializer()
    serializer.dumps(ORDER, Order)
    sent = pickle.loads(pickle.dumps(serializer))
    assert sent.loads(sent.dumps(ORDER, Order), Order) == ORDER
