"""Inputs in flight as payloads: what the state holds is what a handler that is run again gets."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import Any

import pytest
from host_bench import Task

from pyflink_durable import (
    AesGcm,
    Codec,
    DurableOptions,
    JsonSerializer,
    MsgspecSerializer,
    PayloadNotLoadable,
    PayloadRefused,
    PickleSerializer,
    Serializer,
    Zstd,
)
from pyflink_durable.payload.frame import is_pickle, peek
from pyflink_durable.payload.payloads import Payloads
from pyflink_durable.runtime.operator.input_seals import InputSeals
from pyflink_durable.runtime.telemetry.telemetry import LocalTelemetry
from pyflink_durable.snapshot.plain import plain_value

ANN, BOB = pickle.dumps("ann"), pickle.dumps("bob")


@dataclass
class Order:
    id: str
    day: date


ORDER = Order("o-1", date(2026, 11, 30))


def key_of(key_id: str) -> bytes:
    return key_id.encode().ljust(32)


SERIALIZERS: list[Serializer] = [PickleSerializer(), JsonSerializer(), MsgspecSerializer()]
CHAINS: list[list[Codec]] = [[], [Zstd()], [AesGcm(key_of, "a")], [Zstd(), AesGcm(key_of, "a")]]


def seals_of(kind: Any = None, uid: str = "orders", **options: Any) -> InputSeals:
    return seals_over(Payloads(DurableOptions(**options)), kind, uid)


def seals_over(payloads: Payloads, kind: Any, uid: str = "orders") -> InputSeals:
    return InputSeals(uid, payloads.inputs(), pickle.loads, handler_of(kind), {})


def handler_of(kind: Any) -> Any:
    """A handler that declares the type of its value."""

    async def handle(value: Any, ctx: Any) -> None: ...

    handle.__annotations__["value"] = Any if kind is None else kind
    return handle


def is_default(serializer: Serializer, codecs: list[Codec]) -> bool:
    return serializer.name == "pickle" and not codecs


def test_by_default_they_are_as_flink_writes_them() -> None:
    for options in ({}, {"serializer": PickleSerializer()}):
        assert not seals_of(**options).is_needed(pickled=True)
        assert not seals_of(**options).is_needed(pickled=False)


@pytest.mark.parametrize(("serializer", "codecs"), product(SERIALIZERS, CHAINS))
def test_what_goes_in_comes_out(serializer: Serializer, codecs: list[Codec]) -> None:
    seals = seals_of(Order, serializer=serializer, codecs=codecs)
    assert seals.is_needed(pickled=True) == (not is_default(serializer, codecs))
    assert seals.is_needed(pickled=False) == bool(codecs)
    if is_default(serializer, codecs):
        return
    sealed = seals.seal(ANN, 7, None, pickle.dumps(ORDER), pickled=True)
    names = (serializer.name, *(codec.name for codec in codecs))
    assert type(sealed) is bytes and peek(sealed).names == names
    assert pickle.loads(seals.open(ANN, 7, None, sealed, pickled=True)) == ORDER
    typed = seals.seal(ANN, 7, None, b"as Flink writes it", pickled=False)
    assert peek(typed).names == ("flink", *names[1:])
    assert seals.open(ANN, 7, None, typed, pickled=False) == b"as Flink writes it"


@pytest.mark.parametrize("codecs", CHAINS[2:])
def test_encrypted_inputs_cannot_be_read(codecs: list[Codec]) -> None:
    value = pickle.dumps("ann@example.org")
    sealed = seals_of(codecs=codecs).seal(ANN, 0, None, value, pickled=True)
    assert b"example" not in sealed
    assert "encoded" in repr(plain_value(sealed))


@pytest.mark.parametrize(("serializer", "codecs"), product(SERIALIZERS, CHAINS[1:]))
@pytest.mark.parametrize("pickled", [True, False])
def test_they_belong_to_their_key_number_and_operator(
    serializer: Serializer, codecs: list[Codec], pickled: bool
) -> None:
    options: dict[str, Any] = {"serializer": serializer, "codecs": codecs}
    seals, other = seals_of(**options), seals_of(uid="others", **options)
    sealed = seals.seal(ANN, 7, None, pickle.dumps("value"), pickled)
    for key, number, opening in ((BOB, 7, seals), (ANN, 8, seals), (ANN, 7, other)):
        with pytest.raises(PayloadRefused, match="another slot, key, invocation or operator"):
            opening.open(key, number, None, sealed, pickled)
    flipped = bytes([*sealed[:-1], sealed[-1] ^ 1])
    for damaged in (sealed[:-1], sealed + b"\0", flipped):
        with pytest.raises(PayloadRefused):
            seals.open(ANN, 7, None, damaged, pickled)


def test_json_is_read_by_everybody() -> None:
    seals = seals_of(dict, serializer=JsonSerializer())
    sealed = seals.seal(ANN, 0, None, pickle.dumps({"id": "o-1", "amount": 3}), pickled=True)
    assert plain_value(sealed) == {"id": "o-1", "amount": 3}


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (None, ORDER),
        (None, (1, 2)),
        (dict[str, float], {"amount": 1}),  # 1.0 would be another digest of the calls' arguments
        (list[float], [True]),
        (str, 7),
    ],
    ids=repr,
)
def test_what_would_not_be_the_same_stays_a_pickle(kind: Any, value: Any) -> None:
    telemetry = LocalTelemetry()
    lines: list[str] = []
    telemetry.warning = lines.append  # type: ignore[method-assign]
    payloads = Payloads(DurableOptions(serializer=JsonSerializer()), notes=telemetry)
    seals = seals_over(payloads, kind)
    for number in range(2):
        sealed = seals.seal(ANN, number, None, pickle.dumps(value), pickled=True)
        assert peek(sealed).names == ("pickle",)
        read = pickle.loads(seals.open(ANN, number, None, sealed, pickled=True))
        assert read == value and type(read) is type(value)
    assert telemetry.counters["pickledInputs"] == 2
    [line] = lines
    assert "stay pickles" in line and "Declare the type of the handler's value" in line


def test_other_settings_read_what_was_written() -> None:
    sealed = seals_of(Order, serializer=JsonSerializer()).seal(
        ANN, 0, None, pickle.dumps(ORDER), pickled=True
    )
    for serializer in SERIALIZERS:
        later = seals_of(Order, serializer=serializer)
        assert pickle.loads(later.open(ANN, 0, None, sealed, pickled=True)) == ORDER


def test_a_pickle_is_not_read_where_it_must_not_be() -> None:
    sealed = seals_of(codecs=[Zstd()]).seal(ANN, 0, None, pickle.dumps(ORDER), pickled=True)
    strict = seals_of(serializer=JsonSerializer(), codecs=[Zstd()], allow_pickle=False)
    with pytest.raises(PayloadRefused, match="allow_pickle=False"):
        strict.open(ANN, 0, None, sealed, pickled=True)


def test_another_type_of_the_input_is_told() -> None:
    seals = seals_of(codecs=[Zstd()])
    pickled = seals.seal(ANN, 0, None, pickle.dumps(1), pickled=True)
    with pytest.raises(PayloadRefused, match="type that the operator's input has now"):
        seals.open(ANN, 0, None, pickled, pickled=False)
    typed = seals.seal(ANN, 0, None, b"1", pickled=False)
    with pytest.raises(PayloadRefused, match="'flink'"):
        seals.open(ANN, 0, None, typed, pickled=True)


def test_another_declared_type_is_told() -> None:
    sealed = seals_of(Order, serializer=JsonSerializer()).seal(
        ANN, 0, None, pickle.dumps(ORDER), pickled=True
    )
    with pytest.raises(PayloadNotLoadable, match="what the handler declares for its value"):
        seals_of(int, serializer=JsonSerializer()).open(ANN, 0, None, sealed, pickled=True)


def test_an_input_is_of_the_type_that_its_version_of_the_handler_declares() -> None:
    payloads = Payloads(DurableOptions(serializer=JsonSerializer()))
    previous: dict[str | None, Any] = {None: handler_of(Order)}
    sealed = seals_over(payloads, Order).seal(ANN, 0, None, pickle.dumps(ORDER), pickled=True)
    later = InputSeals("orders", payloads.inputs(), pickle.loads, handler_of(int), previous)
    assert pickle.loads(later.open(ANN, 0, None, sealed, pickled=True)) == ORDER
    with pytest.raises(PayloadNotLoadable):
        later.open(ANN, 0, "2", sealed, pickled=True)
    assert peek(later.seal(ANN, 1, None, pickle.dumps(ORDER), True)).names == ("json",)


class TestInTheHost:
    def test_the_handler_declares_the_type(self, new_task: Callable[..., Task]) -> None:
        async def handle(order: Order, ctx: Any) -> str:
            return order.id

        handle.__annotations__["order"] = Order
        task = new_task(handle, serializer=JsonSerializer())
        host = task.host
        assert host.seals_inputs(True) and not host.seals_inputs(False)
        sealed = host.seal_input(ANN, 3, None, pickle.dumps(ORDER), True)
        assert not is_pickle(sealed) and plain_value(sealed) == {"id": "o-1", "day": "2026-11-30"}
        assert pickle.loads(host.open_input(ANN, 3, None, sealed, True)) == ORDER
