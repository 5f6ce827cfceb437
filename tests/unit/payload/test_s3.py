"""The store of large payloads in S3: a server of moto's on this machine, by s3fs."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from handler_bench import HandlerBench

from pyflink_durable import (
    AesGcm,
    DurableOptions,
    JsonSerializer,
    Offload,
    PayloadRefused,
    PayloadStoreDown,
)
from pyflink_durable.payload.frame import peek
from pyflink_durable.payload.leftovers import delete, leftovers, named_by
from pyflink_durable.runtime.execution.executors import CallExecutor

moto = pytest.importorskip("moto.server", reason="moto and flask-cors are not installed")
pytest.importorskip("s3fs", reason="s3fs is not installed")

TEXT = random.Random(3).randbytes(50_000).hex()


def key_of(key_id: str) -> bytes:
    return b"k" * 32


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = moto.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def store(server: str, monkeypatch: pytest.MonkeyPatch) -> Offload:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    store = Offload("s3://journals/orders", threshold=1024, **at(server))
    filesystem, _ = store.open()
    if not filesystem.exists("journals"):
        filesystem.mkdir("journals")
    objects_of(store, remove=True)
    return store


def at(server: str) -> dict[str, Any]:
    config = {"retries": {"max_attempts": 0}, "connect_timeout": 5, "read_timeout": 30}
    return {
        "client_kwargs": {"endpoint_url": server},
        "config_kwargs": config,
        "skip_instance_cache": True,
    }


def objects_of(store: Offload, remove: bool = False) -> dict[str, int]:
    """The sizes of the results that are there, by their names."""
    filesystem, root = store.open()
    filesystem.invalidate_cache()
    found = filesystem.find(root, detail=True)
    if remove:
        for path in found:
            filesystem.rm_file(path)
    return {path.rsplit("/", 1)[-1]: one["size"] for path, one in found.items() if one["size"] > 99}


def report() -> str:
    return TEXT


async def handle(value: str, ctx: Any) -> Any:
    return [await ctx.durable_execute_async(report), ctx.durable_execute(report)]


@pytest.mark.one_run
def test_results_are_there_and_a_replay_reads_them(store: Offload, executor: CallExecutor) -> None:
    options = DurableOptions(
        offload=store, serializer=JsonSerializer(), codecs=[AesGcm(key_of, "1")]
    )
    bench = HandlerBench(handle, executor, options)
    assert bench.run() == [TEXT, TEXT]
    payloads = [slot.result or b"" for slot in bench.slots]
    assert [peek(payload).names[-1] for payload in payloads] == ["offload", "offload"]
    objects = objects_of(store)
    assert set(objects) == {named_by(payload) for payload in payloads}
    again = bench.again()
    assert again.run() == [TEXT, TEXT]
    assert again.telemetry.counters["executed"] == 0


@pytest.mark.one_run
def test_an_object_that_is_gone_fails_the_task(store: Offload, executor: CallExecutor) -> None:
    bench = HandlerBench(handle, executor, DurableOptions(offload=store))
    bench.run()
    objects_of(store, remove=True)
    with pytest.raises(PayloadRefused, match="cannot be read from s3://journals/orders"):
        bench.again().run()


@pytest.mark.one_run
def test_a_bucket_that_is_not_there_is_the_calls_error(
    store: Offload, server: str, executor: CallExecutor
) -> None:
    nowhere = Offload("s3://nowhere/orders", threshold=1024, **at(server))
    bench = HandlerBench(handle, executor, DurableOptions(offload=nowhere))
    with pytest.raises(PayloadStoreDown, match="s3://nowhere/orders, cannot be written to"):
        bench.run()
    assert not store.open()[0].exists("nowhere")  # a bucket is nobody's to make here


@pytest.mark.one_run
def test_old_objects_go_and_those_that_are_named_stay(
    store: Offload, executor: CallExecutor
) -> None:
    bench = HandlerBench(handle, executor, DurableOptions(offload=store))
    bench.run()
    nobodys = HandlerBench(handle, executor, DurableOptions(offload=store), identity=("o", "k", 9))
    nobodys.run()
    named = {named_by(slot.result) or "" for slot in bench.slots}
    later = datetime.now(timezone.utc) + timedelta(hours=1)
    assert list(leftovers(store, named, later - timedelta(hours=2))) == []
    for stored in list(leftovers(store, named, later)):
        delete(store, stored)
    assert set(objects_of(store)) == named
    assert bench.again().run() == [TEXT, TEXT]
