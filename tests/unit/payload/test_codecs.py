"""Compression and encryption of what is in the journal."""

from __future__ import annotations

import os
import pickle
import sys
from typing import Any

import pytest
from handler_bench import HandlerBench
from host_bench import Task
from hypothesis import given
from hypothesis import strategies as st

from pyflink_durable import (
    AesGcm,
    ConfigurationError,
    DurableOptions,
    JsonSerializer,
    PayloadNotWritable,
    PayloadRefused,
    PickleSerializer,
    Zstd,
)
from pyflink_durable.payload.payloads import Payloads
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.journal.bridge import Identity
from pyflink_durable.runtime.journal.call import Call
from pyflink_durable.runtime.journal.call_options import ResolvedOptions
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity

OWNER = InvocationIdentity(lambda _: "ann", "orders", 3)
KEYS = {"2026-10": b"o" * 32, "2026-11": b"n" * 16}
CALL = Call(Identity("charge", "0"), lambda: None, (), {}, None, None, ResolvedOptions())


def key_of(key_id: str) -> bytes:
    return KEYS[key_id]


def encrypted(active: str = "2026-11", keys: Any = key_of, **more: Any) -> DurableOptions:
    codecs = [Zstd(), AesGcm(keys, active=active)]
    return DurableOptions(**{"serializer": JsonSerializer(), "codecs": codecs, **more})


class Rot:
    """A codec of a user."""

    name = "rot"

    def encode(self, data: bytes, context: bytes) -> bytes:
        return bytes((one + 1) % 256 for one in data)

    def decode(self, data: bytes, context: bytes) -> bytes:
        return bytes((one - 1) % 256 for one in data)


# ---------------------------------------------------------------- a handler


async def handles(value: str, ctx: Any) -> Any:
    secret = await ctx.durable_execute_async(str.upper, "top secret")
    try:
        await ctx.durable_execute_async(int, "top secret")
    except ValueError as error:
        return [secret, str(error), ctx.now()]


@pytest.mark.one_run
@pytest.mark.parametrize("serializer", [JsonSerializer(), PickleSerializer(), None])
def test_nothing_can_be_read_and_a_replay_reads_it(serializer: Any, executor: CallExecutor) -> None:
    bench = HandlerBench(handles, executor, encrypted(serializer=serializer))
    result = bench.run()
    kept = b"".join(one for slot in bench.slots for one in (slot.result, slot.exception) if one)
    assert b"top secret" not in kept.lower()
    again = bench.again()
    assert again.run() == result
    assert again.slots == bench.slots


@pytest.mark.one_run
def test_keys_rotate(executor: CallExecutor) -> None:
    bench = HandlerBench(handles, executor, encrypted("2026-10"))
    result = bench.run()
    half = bench.journal.slots[:1]
    again = bench.again(half, encrypted("2026-11"))
    assert again.run()[0] == result[0]
    assert [b"2026-10" in (slot.result or slot.exception or b"") for slot in again.slots] == [
        True,
        False,
        False,
    ]


@pytest.mark.one_run
@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({}, r"has no key '2026-11': it raised KeyError"),
        ({"2026-11": b"another key 1234"}, r"key '2026-11' does not fit"),
        ({"2026-11": b"short"}, r"gives 5 bytes for key '2026-11'"),
        ({"2026-11": "text"}, r"gives a str for key '2026-11'"),
    ],
    ids=["missing", "another", "short", "text"],
)
def test_without_its_key_the_task_fails(
    keys: dict[str, Any], reason: str, executor: CallExecutor
) -> None:
    async def catches(value: str, ctx: Any) -> Any:
        try:
            return await ctx.durable_execute_async(str.upper, value)
        except Exception:
            return "caught"

    bench = HandlerBench(catches, executor, encrypted())
    assert bench.run() == "VALUE"
    with pytest.raises(PayloadRefused, match=reason):
        bench.again(options=encrypted(keys=keys.__getitem__)).run()


@pytest.mark.one_run
def test_what_cannot_be_encrypted_fails_the_task_and_is_not_journaled(
    executor: CallExecutor,
) -> None:
    async def catches(value: str, ctx: Any) -> Any:
        try:
            return await ctx.durable_execute_async(str.upper, value)
        except Exception:
            return "caught"

    bench = HandlerBench(catches, executor, encrypted("2027-01"))
    with pytest.raises(PayloadNotWritable, match=r"codec aes-gcm .* has no key '2027-01'"):
        bench.run()
    assert bench.statuses == ["PENDING"]


def test_a_missing_key_is_told_when_the_task_starts() -> None:
    async def handler(value: Any, ctx: Any) -> None: ...

    with pytest.raises(PayloadNotWritable, match="has no key '2027-01'"):
        Task(handler, encrypted("2027-01"))


def test_keys_are_not_in_the_job_graph() -> None:
    codec = AesGcm(key_of, active="2026-11")
    data = codec.encode(b"data", b"context")
    sent = pickle.dumps(codec)
    assert KEYS["2026-11"] not in sent
    assert pickle.loads(sent).decode(data, b"context") == b"data"
    with pytest.raises(ConfigurationError, match="would be in the job graph"):
        AesGcm(KEYS, active="2026-11")  # type: ignore[arg-type]


# ---------------------------------------------------------------- any bytes

CHAINS = [[Zstd()], [AesGcm(key_of, "2026-10")], [Rot(), Zstd(), AesGcm(key_of, "2026-10")]]


@pytest.mark.parametrize("codecs", CHAINS, ids=["zstd", "aes", "three"])
@given(data=st.data(), value=st.binary(max_size=3_000) | st.text("ab", min_size=100))
def test_other_bytes_are_refused(codecs: Any, data: st.DataObject, value: Any) -> None:
    payloads = Payloads(DurableOptions(codecs=codecs))
    passed, payload = payloads.pass_result(value, CALL, OWNER, 0)
    assert passed == value == payloads.load_result(payload, CALL, OWNER, 0)
    place = data.draw(st.integers(0, len(payload) - 1))
    flipped = payload[place] ^ data.draw(st.integers(1, 255))
    for damaged in (payload[:place], payload[:place] + bytes([flipped]) + payload[place + 1 :]):
        if damaged[:1] != b"\x80":
            with pytest.raises(PayloadRefused):
                payloads.load_result(damaged, CALL, OWNER, 0)
    with pytest.raises(PayloadRefused):
        payloads.load_result(payload, CALL, OWNER, 1)


@given(data=st.data(), value=st.binary(min_size=1, max_size=200))
def test_encryption_alone_refuses_other_bytes(data: st.DataObject, value: bytes) -> None:
    """Also those of somebody who makes the checksum anew."""
    codec = AesGcm(key_of, "2026-10")
    encoded = codec.encode(value, b"slot 1")
    place = data.draw(st.integers(0, len(encoded) - 1))
    flipped = encoded[place] ^ data.draw(st.integers(1, 255))
    for damaged in (encoded[:place], encoded[:place] + bytes([flipped]) + encoded[place + 1 :]):
        with pytest.raises((ValueError, LookupError)):
            codec.decode(damaged, b"slot 1")
    with pytest.raises(ValueError, match="does not fit"):
        codec.decode(encoded, b"slot 2")


def test_two_encryptions_of_one_value_differ() -> None:
    codec = AesGcm(key_of, "2026-10")
    assert codec.encode(b"x", b"") != codec.encode(b"x", b"")


def test_only_what_gets_smaller_is_compressed() -> None:
    codec = Zstd()
    for data in (b"", b"x", os.urandom(5_000)):
        assert codec.encode(data, b"") == b"\0" + data
        assert codec.decode(codec.encode(data, b""), b"") == data
    assert len(codec.encode(b"x" * 5_000, b"")) < 100
    with pytest.raises(ValueError, match="not compressed"):
        codec.decode(b"\7x", b"")


# ---------------------------------------------------------------- set-up


def test_a_codec_that_is_gone_is_named() -> None:
    _, payload = Payloads(DurableOptions(codecs=[Rot()])).pass_result("x", CALL, OWNER, 0)
    with pytest.raises(PayloadRefused, match="codec 'rot', which this operator does not have"):
        Payloads().load_result(payload, CALL, OWNER, 0)


def test_zstd_may_be_taken_out() -> None:
    """What needs no settings can be read without it being named."""
    _, payload = Payloads(DurableOptions(codecs=[Zstd()])).pass_result("x" * 999, CALL, OWNER, 0)
    assert Payloads().load_result(payload, CALL, OWNER, 0) == "x" * 999


@pytest.mark.parametrize(
    ("codecs", "reason"),
    [
        ([Zstd(), Zstd()], "two codecs have one name"),
        ([AesGcm(key_of, "a"), Zstd()], "encrypted bytes do not get smaller"),
    ],
)
def test_bad_chains_are_refused(codecs: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        DurableOptions(codecs=codecs)


@pytest.mark.parametrize(
    ("module", "make", "extra"),
    [("zstandard", Zstd, "zstd"), ("cryptography", lambda: AesGcm(key_of, "a"), "crypto")],
)
def test_a_package_that_is_not_there_is_named(
    module: str, make: Any, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=rf"pip install 'pyflink-durable\[{extra}\]'"):
        make()
