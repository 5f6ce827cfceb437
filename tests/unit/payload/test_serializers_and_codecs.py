"""Every serializer with every chain of codecs, and random values of random types."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typed_values import exact, types

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
from pyflink_durable.payload.payloads import Payloads
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
