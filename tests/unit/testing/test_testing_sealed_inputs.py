"""Inputs of snapshots that stand there as payloads are read with the operator's options."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from pyflink_durable import AesGcm, DurableOptions, JsonSerializer, PayloadNotLoadable, Zstd
from pyflink_durable.payload.payloads import Payloads
from pyflink_durable.runtime.operator.input_seals import InputSeals
from pyflink_durable.snapshot import Invocation, OperatorInfo, Payload
from pyflink_durable.testing.sealed_inputs import input_of

KEY = pickle.dumps("ann")
OPERATOR = OperatorInfo("0", "orders", "orders", 1, 128, 0)


async def handle(value: Any, ctx: Any) -> None: ...


def key_of(key_id: str) -> bytes:
    return b"k" * 32


def invocation(data: bytes | None, key: bytes | None = KEY) -> Invocation:
    payload = None if data is None else Payload(len(data), data)
    return Invocation(OPERATOR, key, 3, None, 0, payload, {}, (), None, 0)


def sealed(options: DurableOptions, pickled: bool) -> bytes:
    seals = InputSeals("orders", Payloads(options).inputs(), pickle.loads, handle, {})
    return seals.seal(KEY, 3, None, pickle.dumps({"id": 1}), pickled)


@pytest.mark.parametrize(
    "options",
    [
        DurableOptions(serializer=JsonSerializer()),
        DurableOptions(codecs=[Zstd(), AesGcm(key_of, "1")]),
        DurableOptions(serializer=JsonSerializer(), codecs=[AesGcm(key_of, "1")]),
    ],
)
def test_pickled_inputs_are_read(options: DurableOptions) -> None:
    data = input_of(invocation(sealed(options, pickled=True)), handle, options)
    assert data is not None and pickle.loads(data) == {"id": 1}
    assert input_of(invocation(pickle.dumps(7)), handle, options) == pickle.dumps(7)


def test_without_the_key_they_are_not() -> None:
    data = sealed(DurableOptions(codecs=[AesGcm(key_of, "1")]), pickled=True)
    with pytest.raises(PayloadNotLoadable, match="aes-gcm"):
        input_of(invocation(data), handle, None)


def test_what_only_flink_reads_is_not_read() -> None:
    options = DurableOptions(codecs=[Zstd()])
    assert input_of(invocation(sealed(options, pickled=False)), handle, options) is None
    assert input_of(invocation(None), handle, options) is None
    assert input_of(invocation(pickle.dumps(1), key=None), handle, options) == pickle.dumps(1)
