"""Large payloads in a store; the journal holds where they are."""

from __future__ import annotations

import asyncio
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from handler_bench import HandlerBench

from pyflink_durable import (
    AesGcm,
    ConfigurationError,
    DurableOptions,
    JsonSerializer,
    Offload,
    PayloadRefused,
    PayloadStoreDown,
    RetryPolicy,
    Zstd,
)
from pyflink_durable.payload.frame import peek
from pyflink_durable.payload.offload import Address
from pyflink_durable.payload.store_watch import StoreWatch
from pyflink_durable.runtime.calls import storing
from pyflink_durable.runtime.execution.executors import CallExecutor

MEGABYTE = 2**20


def key_of(key_id: str) -> bytes:
    return b"k" * 32


def report(size: int) -> str:
    return "x" * size


async def report_async(size: int) -> str:
    return report(size)


def fail(size: int) -> None:
    raise ValueError("x" * size)


async def handles(value: str, ctx: Any) -> Any:
    large = [ctx.durable_execute(report, MEGABYTE)]
    large.append(await ctx.durable_execute_async(report, MEGABYTE + 1))
    large.append(await ctx.durable_execute_async(report_async, MEGABYTE + 2))
    large.append(await ctx.durable_execute_async(report, 10))
    try:
        await ctx.durable_execute_async(fail, MEGABYTE)
    except ValueError as error:
        large.append(str(error))
    return large


def blocking(value: str, ctx: Any) -> Any:
    return [ctx.durable_execute(report, MEGABYTE), ctx.durable_execute(report, 10)]


def objects(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return [path for path in found if path.stat().st_size > 100]  # without that of the look


OPTIONS: dict[str, dict[str, Any]] = {
    "pickle": {},
    "json": {"serializer": JsonSerializer()},
    "encrypted": {"serializer": JsonSerializer(), "codecs": [AesGcm(key_of, "1")]},
}


@pytest.mark.one_run
@pytest.mark.parametrize("handler", [handles, blocking])
@pytest.mark.parametrize("options", list(OPTIONS.values()), ids=list(OPTIONS))
def test_the_journal_holds_addresses(
    handler: Any, options: Any, executor: CallExecutor, tmp_path: Path
) -> None:
    offload = Offload(tmp_path.as_uri(), threshold=100_000)
    bench = HandlerBench(handler, executor, DurableOptions(offload=offload, **options))
    result = bench.run()
    payloads = [slot.result or slot.exception or b"" for slot in bench.slots]
    assert all(len(payload) < 200 and type(payload) is bytes for payload in payloads)
    large = [payload for payload in payloads if peek(payload).names[-1] == "offload"]
    assert len(large) == len(payloads) - 1 == len(objects(tmp_path))
    assert all(path.stat().st_size >= MEGABYTE for path in objects(tmp_path))
    again = bench.again(options=DurableOptions(offload=Offload(tmp_path.as_uri()), **options))
    assert again.run() == result
    assert again.slots == bench.slots


@pytest.mark.one_run
def test_what_gets_small_stays(executor: CallExecutor, tmp_path: Path) -> None:
    options = DurableOptions(offload=Offload(tmp_path.as_uri()), codecs=[Zstd()])
    bench = HandlerBench(blocking, executor, options)
    bench.run()
    assert objects(tmp_path) == []


class Store(MemoryFileSystem):  # type: ignore[misc]
    """A store that is down for some attempts to write a result, or for all."""

    failures = 0
    down = False
    writes = 0
    cachable = False

    def pipe_file(self, path: str, value: bytes, **more: Any) -> None:
        Store.writes += 1
        if Store.down:
            raise ConnectionError("the store is down")
        if Store.failures > 0 and len(value) >= MEGABYTE:
            Store.failures -= 1
            raise ConnectionError("the store is down")
        super().pipe_file(path, value, **more)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Offload:
    monkeypatch.setattr(storing, "PAUSES", (0.001,))
    offload = Offload("memory://journal", threshold=100_000)
    offload._opened = (Store(), "/journal")
    Store.store.clear()
    Store.failures, Store.down, Store.writes = 0, False, 0
    return offload


async def one_call(value: str, ctx: Any) -> Any:
    return len(await ctx.durable_execute_async(report, MEGABYTE))


def one_blocking_call(value: str, ctx: Any) -> Any:
    return len(ctx.durable_execute(report, MEGABYTE))


@pytest.mark.one_run
@pytest.mark.parametrize("handler", [one_call, one_blocking_call])
def test_a_store_that_is_down_holds_the_call_up(
    handler: Any, store: Offload, executor: CallExecutor
) -> None:
    Store.failures = 2
    bench = HandlerBench(handler, executor, DurableOptions(offload=store))
    lines: list[str] = []
    bench.telemetry.warning = lines.append  # type: ignore[method-assign]
    assert bench.run() == MEGABYTE
    counted = bench.telemetry.counters
    assert (counted["offloadErrors"], counted["offloaded"]) == (2, 1)
    told = [line for line in lines if "store" in line]
    assert len(told) == 2 and "report" in told[0] and "ConnectionError" in told[0]
    assert bench.statuses == ["SUCCEEDED"]


@pytest.mark.one_run
def test_a_sync_call_on_the_loop_fails_the_task_and_is_not_journaled(
    store: Offload, executor: CallExecutor
) -> None:
    async def sync(value: str, ctx: Any) -> Any:
        try:
            return len(ctx.durable_execute(report, MEGABYTE))
        except Exception:
            return "caught"

    Store.failures = 2
    bench = HandlerBench(sync, executor, DurableOptions(offload=store))
    with pytest.raises(Exception, match="cannot be written to the store") as caught:
        bench.run()
    assert type(caught.value).__name__ == "PayloadNotWritable"
    assert bench.statuses == []


class TestBeforeACall:
    """A store that is down is known before anything has happened."""

    @pytest.fixture(autouse=True)
    def charges(self) -> list[str]:
        """What was done outside."""
        return []

    @pytest.fixture(params=["coroutine", "thread", "sync on the loop", "def"])
    def handler(self, request: pytest.FixtureRequest, charges: list[str]) -> Any:
        def charge() -> str:
            charges.append("charged")
            return "x" * MEGABYTE

        async def charge_async() -> str:
            return charge()

        async def on_the_loop(value: str, ctx: Any) -> Any:
            function = charge if request.param == "thread" else charge_async
            return len(await ctx.durable_execute_async(function))

        async def sync(value: str, ctx: Any) -> Any:
            return len(ctx.durable_execute(charge))

        def blocking(value: str, ctx: Any) -> Any:
            return len(ctx.durable_execute(charge))

        return {"sync on the loop": sync, "def": blocking}.get(request.param, on_the_loop)

    @pytest.mark.one_run
    def test_it_is_the_calls_error_and_nothing_has_happened(
        self, handler: Any, charges: list[str], store: Offload, executor: CallExecutor
    ) -> None:
        Store.down = True
        bench = HandlerBench(handler, executor, DurableOptions(offload=store))
        with pytest.raises(PayloadStoreDown, match=r"was not made: the store .* cannot be written"):
            bench.run()
        assert charges == [] and bench.statuses == ["FAILED"]
        assert bench.telemetry.counters["offloadErrors"] == 1
        Store.down = False  # a replay gives what the handler has seen
        with pytest.raises(PayloadStoreDown, match="was not made"):
            bench.again().run()
        assert charges == []

    @pytest.mark.one_run
    def test_that_it_is_down_is_not_told_by_way_of_it(
        self, handler: Any, store: Offload, executor: CallExecutor
    ) -> None:
        Store.down = True
        store.threshold = 10  # smaller than the exception
        bench = HandlerBench(handler, executor, DurableOptions(offload=store))
        with pytest.raises(PayloadStoreDown):
            bench.run()
        assert bench.statuses == ["FAILED"]
        assert Store.writes == 1

    @pytest.mark.one_run
    def test_a_retry_policy_waits_for_it(
        self, store: Offload, charges: list[str], executor: CallExecutor
    ) -> None:
        def charge() -> str:
            charges.append("charged")
            return "x" * MEGABYTE

        def allows(error: Exception) -> bool:
            assert isinstance(error, PayloadStoreDown)
            Store.down = False
            return True

        async def handle(value: str, ctx: Any) -> Any:
            retry = RetryPolicy(max_attempts=9, initial_interval=0.001, retry_on=allows)
            return len(await ctx.durable_execute_async(charge, retry=retry))

        Store.down = True
        options = DurableOptions(offload=store)
        bench = HandlerBench(handle, executor, options)
        bench.payloads.store._clock = iter(range(0, 1000, 2)).__next__  # type: ignore[union-attr]
        assert bench.run() == MEGABYTE
        assert charges == ["charged"] and bench.statuses == ["SUCCEEDED"]

    @pytest.mark.one_run
    def test_calls_that_start_together_ask_once(
        self, store: Offload, executor: CallExecutor
    ) -> None:
        async def handle(value: str, ctx: Any) -> Any:
            calls = [ctx.durable_execute_async(report, 10) for _ in range(50)]
            return len(await asyncio.gather(*calls))

        bench = HandlerBench(handle, executor, DurableOptions(offload=store))
        assert bench.run() == 50
        assert Store.writes == 1

    def test_while_a_result_waits_for_it_no_other_call_is_made(self, store: Offload) -> None:
        watch = StoreWatch(store)
        watch.check()
        assert watch.is_trusted
        watch.failed(ConnectionError("down"))
        with pytest.raises(PayloadStoreDown, match="ConnectionError: down"):
            watch.check()
        assert Store.writes == 1
        watch.written()
        watch.check()
        assert Store.writes == 1

    def test_trust_ends(self, store: Offload) -> None:
        times = [0.0]
        watch = StoreWatch(store, lambda: times[0])
        watch.check()
        times[0] = 9.9
        assert watch.is_trusted
        times[0] = 10.0
        assert not watch.is_trusted
        Store.down = True
        for now, writes in ((10.0, 2), (10.9, 2), (11.0, 3)):
            times[0] = now
            with pytest.raises(PayloadStoreDown):
                watch.check()
            assert Store.writes == writes
        Store.down = False
        times[0] = 12.0
        watch.check()
        assert watch.is_trusted

    def test_it_fails_a_task_that_starts(self, store: Offload, new_task: Any) -> None:
        Store.down = True
        with pytest.raises(PayloadStoreDown, match="memory://journal, cannot be written to"):
            new_task(one_call, offload=store)
        Store.down = False
        new_task(one_call, offload=store)

    @pytest.mark.one_run
    def test_a_crash_while_a_result_waits_leaves_the_call_in_doubt(
        self, store: Offload, charges: list[str], executor: CallExecutor
    ) -> None:
        def charge() -> str:
            charges.append("charged")
            Store.down = True
            return "x" * MEGABYTE

        def found() -> str:
            charges.append("asked")
            return "x" * MEGABYTE

        async def handle(value: str, ctx: Any) -> Any:
            return len(await ctx.durable_execute_async(charge, reconciler=found))

        bench = HandlerBench(handle, executor, DurableOptions(offload=store)).start()
        bench.operator.drain_until(lambda: bench.telemetry.counters["offloadErrors"] > 0)
        assert bench.statuses == ["PENDING"]
        left = list(bench.journal.slots)
        Store.down = False
        again = bench.again(left)
        assert again.run() == MEGABYTE
        assert charges == ["charged", "asked"] and again.statuses == ["SUCCEEDED"]
        bench.result()  # the attempt that was given up comes to its end, too


@pytest.mark.one_run
@pytest.mark.parametrize("damage", ["gone", "changed", "cut"])
def test_an_object_that_is_not_what_was_written_fails_the_task(
    damage: str, executor: CallExecutor, tmp_path: Path
) -> None:
    options = DurableOptions(offload=Offload(tmp_path.as_uri()))
    bench = HandlerBench(one_call, executor, options)
    bench.run()
    [path] = objects(tmp_path)
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(data[:-1] if damage == "cut" else data.replace(b"x", b"y", 1))
    with pytest.raises(PayloadRefused, match="cannot be read from file://"):
        bench.again().run()
    with pytest.raises(PayloadRefused, match=r"keep offload=\.\.\. until"):
        bench.again(options=DurableOptions()).run()


def test_folders_are_made_where_there_are_any(store: Offload, tmp_path: Path) -> None:
    class WithFolders(Store):
        """A file system that wants its folders made, as that of SFTP does."""

        def pipe_file(self, path: str, value: bytes, **more: Any) -> None:
            if not self.isdir(self._parent(path)):
                raise FileNotFoundError(path)
            super().pipe_file(path, value, **more)

    store._opened = (WithFolders(), "/journal")
    WithFolders().mkdir("/journal")
    address = Address.of(b"data")
    store.put(address, b"data")
    assert store.get(address) == b"data"


def test_it_travels_with_the_job(tmp_path: Path) -> None:
    offload = Offload(tmp_path.as_uri())
    offload.open()
    assert pickle.loads(pickle.dumps(offload)).open()[1] == str(tmp_path)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: Offload("/mnt/journal"), "takes a url"),
        (lambda: Offload("memory://x", threshold=10), "1024 bytes at least"),
    ],
)
def test_bad_settings(make: Any, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        make()


def test_a_package_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'pyflink-durable\[offload\]'"):
        Offload("memory://x")
