"""Every serializer with every chain of codecs, and random values of random types."""

from __future__ import annotations

import random
from itertools import product
from typing import Any

import pytest
from handler_bench import HandlerBench
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typed_values import exact, types

from pyflink_durable import (
    AesGcm,
    Codec,
    DurableOptions,
    JsonSerializer,
    MsgspecSerializer,
    Offload,
    PayloadNotLoadable,
    PayloadRefused,
    PickleSerializer,
    Serializer,
    Zstd,
)
from pyflink_durable.payload.frame import pack, peek
from pyflink_durable.payload.leftovers import named_by
from pyflink_durable.payload.payloads import Payloads
from pyflink_durable.payload.seals import Offloaded
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.journal.bridge import Identity
from pyflink_durable.runtime.journal.call import Call
from pyflink_durable.runtime.journal.call_options import ResolvedOptions
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity

OWNER = InvocationIdentity(lambda _: "ann", "orders", 3)
SECONDS_ARE_BOUNDED = settings(
    max_examples=40, deadline=None, suppress_health_check=list(HealthCheck)
)


def key_of(key_id: str) -> bytes:
    return b"0123456789abcdef"


SERIALIZERS: list[Serializer] = [PickleSerializer(), JsonSerializer(), MsgspecSerializer()]
CHAINS: dict[str, list[Codec]] = {
    "none": [],
    "zstd": [Zstd()],
    "aes": [AesGcm(key_of, "a")],
    "zstd-aes": [Zstd(), AesGcm(key_of, "a")],
}
MATRIX = [
    pytest.param(serializer, chain, id=f"{serializer.name}-{name}")
    for serializer, (name, chain) in product(SERIALIZERS, CHAINS.items())
]
WITH_CHECKSUM = [one for one in MATRIX if one.id != "pickle-none"]
"""All but bare pickles, which are as release 0.1 wrote them."""


def call_of(result_type: Any) -> Call:
    options = ResolvedOptions(result_type=result_type)
    return Call(Identity("charge", "0"), lambda: None, (), {}, None, None, options)


@pytest.mark.parametrize(("serializer", "codecs"), MATRIX)
@SECONDS_ARE_BOUNDED
@given(data=st.data())
def test_a_replay_has_the_value_of_the_first_run(
    serializer: Serializer, codecs: list[Codec], data: st.DataObject
) -> None:
    kind, values = data.draw(types)
    value = data.draw(values)
    options = DurableOptions(serializer=serializer, codecs=codecs)
    passed, payload = Payloads(options).pass_result(value, call_of(kind), OWNER, 0)
    replayed = Payloads(options).load_result(payload, call_of(kind), OWNER, 0)
    assert exact(passed) == exact(replayed) == exact(value)
    # and under every other serializer that the operator may have by then
    for other in SERIALIZERS:
        later = DurableOptions(serializer=other, codecs=codecs)
        assert exact(Payloads(later).load_result(payload, call_of(kind), OWNER, 0)) == exact(value)


@pytest.mark.parametrize(("serializer", "codecs"), WITH_CHECKSUM)
@SECONDS_ARE_BOUNDED
@given(data=st.data())
def test_other_bytes_are_never_another_value(
    serializer: Serializer, codecs: list[Codec], data: st.DataObject
) -> None:
    kind, values = data.draw(types)
    payloads = Payloads(DurableOptions(serializer=serializer, codecs=codecs))
    call = call_of(kind)
    _, payload = payloads.pass_result(data.draw(values), call, OWNER, 0)
    place = st.integers(0, len(payload) - 1)
    first, second, bit = data.draw(place), data.draw(place), data.draw(st.integers(0, 7))
    flipped, swapped = bytearray(payload), bytearray(payload)
    flipped[first] ^= 1 << bit
    swapped[first], swapped[second] = payload[second], payload[first]
    for damaged in (payload[:first], bytes(flipped), bytes(swapped), payload + b"\0"):
        if damaged != payload:
            with pytest.raises((PayloadRefused, PayloadNotLoadable)):
                payloads.load_result(damaged, call, OWNER, 0)
    with pytest.raises(PayloadRefused):  # whole, and in another slot
        payloads.load_result(payload, call, OWNER, 1)
    with pytest.raises(PayloadRefused):
        payloads.load_error(payload, OWNER, 0)


# -------------------------------------------------------------------- in a store


def stored(offload: Offload, **options: Any) -> Payloads:
    return Payloads(DurableOptions(offload=offload, **options))


def write(payloads: Payloads, value: str, slot: int, offload: Offload) -> bytes:
    """Writes a large result, and its object."""
    _, payload = payloads.pass_result(value, call_of(str), OWNER, slot)
    assert isinstance(payload, Offloaded)
    payload.upload()
    return bytes(payload)


def random_text(seed: int) -> str:
    """That no compression makes small."""
    return random.Random(seed).randbytes(3000).hex()


@pytest.fixture(scope="module")
def offload() -> Offload:
    return Offload("memory://fuzz", threshold=1024)


@pytest.mark.parametrize(("serializer", "codecs"), MATRIX)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_an_address_is_never_another_value(
    serializer: Serializer, codecs: list[Codec], data: st.DataObject, offload: Offload
) -> None:
    value = random_text(data.draw(st.integers()))
    payloads = stored(offload, serializer=serializer, codecs=codecs)
    payload = write(payloads, value, 0, offload)
    assert payloads.load_result(payload, call_of(str), OWNER, 0) == value
    place = st.integers(0, len(payload) - 1)
    first, second, bit = data.draw(place), data.draw(place), data.draw(st.integers(0, 7))
    flipped, swapped = bytearray(payload), bytearray(payload)
    flipped[first] ^= 1 << bit
    swapped[first], swapped[second] = payload[second], payload[first]
    for damaged in (payload[:first], bytes(flipped), bytes(swapped), payload + b"\0"):
        if damaged != payload:
            with pytest.raises((PayloadRefused, PayloadNotLoadable)):
                payloads.load_result(damaged, call_of(str), OWNER, 0)
    other = write(payloads, value[::-1], 1, offload)  # the address of another slot's object
    with pytest.raises(PayloadRefused):
        payloads.load_result(other, call_of(str), OWNER, 0)


@pytest.mark.parametrize(("serializer", "codecs"), MATRIX)
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_an_object_is_never_another_value(
    serializer: Serializer, codecs: list[Codec], data: st.DataObject, offload: Offload
) -> None:
    value = random_text(data.draw(st.integers()))
    payloads = stored(offload, serializer=serializer, codecs=codecs)
    payload = write(payloads, value, 0, offload)
    name = named_by(payload)
    assert name is not None
    store, root = offload.open()
    path = f"{root}/{name[:2]}/{name}"
    written = store.cat_file(path)
    at, bit = data.draw(st.integers(0, len(written) - 1)), data.draw(st.integers(0, 7))
    flipped = bytearray(written)
    flipped[at] ^= 1 << bit
    for damaged in (written[:at], bytes(flipped), written + b"\0", b""):
        store.pipe_file(path, damaged)
        with pytest.raises(PayloadRefused, match="damaged"):
            payloads.load_result(payload, call_of(str), OWNER, 0)
    store.pipe_file(path, written)
    assert payloads.load_result(payload, call_of(str), OWNER, 0) == value


@pytest.mark.parametrize("codecs", [CHAINS["aes"], CHAINS["zstd-aes"]], ids=["aes", "zstd-aes"])
def test_who_makes_a_checksum_still_has_no_key(codecs: list[Codec], offload: Offload) -> None:
    payloads = stored(offload, serializer=JsonSerializer(), codecs=codecs)
    payload = write(payloads, random_text(1), 0, offload)
    other = peek(write(payloads, random_text(2), 1, offload))
    forged = pack(other.names, other.body, OWNER.digest("payload result 0"))
    assert len(forged) == len(payload)
    with pytest.raises(PayloadRefused, match="aes-gcm cannot decode"):
        payloads.load_result(forged, call_of(str), OWNER, 0)


# -------------------------------------------------------------------- journals of several settings


async def six_calls(value: str, ctx: Any) -> Any:
    seen: list[Any] = []
    for number in range(4):
        seen.append(await ctx.durable_execute_async(describe, number))
    try:
        await ctx.durable_execute_async(refuse, "ann")
    except ValueError as error:
        seen.append(repr(error))
    seen.append(ctx.now().isoformat())
    return seen


def describe(number: int) -> dict[str, list[int]]:
    return {"n": [number]}


def refuse(who: str) -> None:
    raise ValueError(who)


@pytest.mark.one_run
@pytest.mark.parametrize("last", SERIALIZERS, ids=lambda one: one.name)
def test_a_journal_of_mixed_settings_replays(last: Serializer, executor: CallExecutor) -> None:
    later = DurableOptions(serializer=last, codecs=CHAINS["aes"])  # who has no key reads nothing
    settings = [
        DurableOptions(serializer=one.values[0], codecs=one.values[1])  # type: ignore[arg-type]
        for one in MATRIX
    ]
    benches = [HandlerBench(six_calls, executor, options) for options in settings]
    results = [bench.run() for bench in benches]
    written = [bench.journal.slots for bench in benches]
    for shift in range(len(settings)):
        mixed = [written[(shift + slot) % len(written)][slot] for slot in range(6)]
        replayed = HandlerBench(six_calls, executor, later, mixed)
        moment = results[(shift + 5) % len(results)][5]
        assert replayed.run() == [*results[0][:5], moment]
        assert replayed.journal.slots == mixed
        assert replayed.telemetry.counters["executed"] == 0
