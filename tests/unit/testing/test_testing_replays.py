"""The testing kit: journals that are kept, and handlers that take another path over them."""

from __future__ import annotations

import datetime
import gc
import importlib
import json
import os
import random
import sys
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pyflink_durable import (
    DurableOptions,
    JournalMismatch,
    JsonSerializer,
    OutcomeUnknown,
    RunnerContext,
)
from pyflink_durable.testing import Durable, NotDeterministic, SavedJournal, reads
from pyflink_durable.testing.levels import with_level

NAMES = ["ann", "bob", "cid", "dan", "eve", "fay", "gus"]


def send(*values: Any) -> list[Any]:
    return list(values)


async def handle(names: list[str], ctx: RunnerContext) -> str:
    first = await ctx.durable_execute_async(send, names[0])
    await ctx.sleep(3_600)
    for name in sorted(set(names)):
        await ctx.durable_execute_async(send, name, durable_id=name)
    ctx.state["n"] = ctx.state.get("n", 0) + 1
    return f"{first} {ctx.now()} {ctx.random.random()} {ctx.uuid4()}"


def handle_in_thread(names: list[str], ctx: RunnerContext) -> list[Any]:
    return [ctx.durable_execute(send, name) for name in names]


@pytest.mark.parametrize("handler", [handle, handle_in_thread])
def test_a_handler_that_takes_the_same_path_passes(durable: Durable, handler: Any) -> None:
    run = durable.run(handler, NAMES, key="k", always_replay=True)
    assert run.done


def test_so_does_one_that_crashes(durable: Durable) -> None:
    from pyflink_durable.testing import crash

    plan = crash(send, when="after-effect")
    assert durable.run(handle, NAMES, crash_at=plan, always_replay=True).crashes == 1


@pytest.mark.parametrize("handler", [handle, handle_in_thread])
def test_an_outcome_that_waits_for_the_log_is_none_of_the_handler_s(
    durable: Durable, handler: Any
) -> None:
    options = with_level(None, "write-ahead")
    assert durable.run(handler, NAMES, options=options, always_replay=True).done


async def reads_the_clock(names: list[str], ctx: RunnerContext) -> None:
    await ctx.durable_execute_async(send, time.time())


async def reads_the_day(names: list[str], ctx: RunnerContext) -> None:
    await ctx.durable_execute_async(send, datetime.date.today())


async def reads_the_month(names: list[str], ctx: RunnerContext) -> None:
    await ctx.durable_execute_async(send, datetime.datetime.now().month)


async def reads_a_random_number(names: list[str], ctx: RunnerContext) -> float:
    return random.random()


async def makes_an_id(names: list[str], ctx: RunnerContext) -> None:
    await ctx.durable_execute_async(send, str(uuid.uuid4()))


async def goes_through_a_set(names: list[str], ctx: RunnerContext) -> None:
    for name in set(names):
        await ctx.durable_execute_async(send, name)


async def lists_a_set(names: list[str], ctx: RunnerContext) -> None:
    ours = frozenset(names)
    await ctx.durable_execute_async(send, list(ours))


@pytest.mark.parametrize(
    ("handler", "told"),
    [
        (reads_the_clock, r"in reads_the_clock: the clock, time\.time\(\)"),
        (reads_the_day, r"in reads_the_day: the clock, date\.today\(\)"),
        (reads_the_month, r"in reads_the_month: the clock, datetime\.now\(\)"),
        (reads_a_random_number, r"in reads_a_random_number: a random number"),
        (makes_an_id, r"in makes_an_id: os\.urandom\(\)"),
        (goes_through_a_set, r"in goes_through_a_set: the order of the set set\(names\)"),
        (lists_a_set, r"in lists_a_set: the order of the set ours"),
    ],
)
def test_the_line_is_named_that_reads_what_no_journal_holds(
    durable: Durable, handler: Callable[..., Any], told: str
) -> None:
    with pytest.raises(NotDeterministic, match=told) as raised:
        durable.run(handler, NAMES, always_replay=True)
    assert f"{__file__}:" in str(raised.value)


async def keeps_in_a_default(names: list[str], ctx: RunnerContext, seen: list[Any] = []) -> None:  # noqa: B006
    seen.append(names)
    await ctx.durable_execute_async(send, len(seen))


def test_what_is_not_found_in_a_line_is_hinted_at(durable: Durable) -> None:
    with pytest.raises(NotDeterministic, match="a mutable default"):
        durable.run(keeps_in_a_default, NAMES, always_replay=True)


def test_what_a_collection_of_garbage_reads_is_not_the_handler_s(durable: Durable) -> None:
    """Hypothesis is told of each, and looks at the clock."""

    def told(phase: str, info: dict[str, int]) -> None:
        time.perf_counter()

    thresholds = gc.get_threshold()
    gc.callbacks.append(told)
    gc.set_threshold(1)
    try:
        with pytest.raises(NotDeterministic, match="a mutable default"):
            durable.run(keeps_in_a_default, NAMES, always_replay=True)
    finally:
        gc.set_threshold(*thresholds)
        gc.callbacks.remove(told)
    assert gc.isenabled()


def test_a_handler_that_cannot_be_pickled_is_told(
    durable: Durable, caplog: pytest.LogCaptureFixture
) -> None:
    lock = threading.Lock()

    async def holds_a_lock(names: list[str], ctx: RunnerContext) -> None:
        with lock:
            pass

    durable.run(holds_a_lock, NAMES, always_replay=True)
    assert "cannot be pickled" in caplog.text


def test_no_part_of_the_shifted_time_is_the_same_on_any_day() -> None:
    def parts(at: datetime.datetime) -> tuple[int, ...]:
        week = at.isocalendar()[1]
        day = (at.year, (at.month - 1) // 3, at.month, week, at.day, at.weekday())
        return (*day, at.hour, at.minute, at.second)

    shift = datetime.timedelta(seconds=reads._SHIFT)
    for day in range(4 * 366 + 1):
        for hour in (0, 6, 12, 18):
            at = datetime.datetime(2026, 1, 1, hour, 59, 59) + datetime.timedelta(days=day)
            same = [one == other for one, other in zip(parts(at), parts(at + shift), strict=True)]
            assert not any(same), at


def test_the_second_python_finds_modules_where_the_test_does_by_now(
    durable: Durable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    durable.run(handle, NAMES, always_replay=True)  # it has been started
    module = "handlers_of_a_later_folder"
    source = "async def handle(names, ctx):\n    await ctx.durable_execute_async(len, {})\n"
    (tmp_path / f"{module}.py").write_text(source.format("list(set(names))"))
    monkeypatch.syspath_prepend(str(tmp_path))
    late = importlib.import_module(module)
    with pytest.raises(NotDeterministic, match="the order of the set"):
        durable.run(late.handle, NAMES, always_replay=True)

    monkeypatch.setattr(sys, "path", [path for path in sys.path if path != str(tmp_path)])
    late.__name__ = late.handle.__module__ = "handlers_that_are_gone"
    monkeypatch.setitem(sys.modules, "handlers_that_are_gone", late)
    durable.run(late.handle, NAMES, always_replay=True)
    assert "it cannot be loaded there: ModuleNotFoundError" in caplog.text


class EndsItsProcess:
    def __reduce__(self) -> Any:
        return os._exit, (3,)


def test_a_second_python_that_ends_is_told_and_started_again(durable: Durable) -> None:
    ends = EndsItsProcess()

    async def ends_it(names: list[str], ctx: RunnerContext) -> None:
        assert ends

    with pytest.raises(RuntimeError, match=r"the second Python.* has ended with 3: the handler"):
        durable.run(ends_it, NAMES, always_replay=True)
    durable.run(handle, NAMES, always_replay=True)


def test_a_call_under_way_is_not_in_doubt_in_a_replay(durable: Durable) -> None:
    async def decides(names: list[str], ctx: RunnerContext) -> None:
        try:
            await ctx.durable_execute_async(send, 1, in_doubt="raise")
        except OutcomeUnknown:
            await ctx.durable_execute_async(send, 2)

    durable.run(decides, NAMES, always_replay=True)


def test_a_clock_that_only_a_log_line_sees_is_nobody_s_business(durable: Durable) -> None:
    async def times_itself(names: list[str], ctx: RunnerContext) -> None:
        started = time.monotonic()
        await ctx.durable_execute_async(send, 1)
        print(time.monotonic() - started)

    durable.run(times_itself, NAMES, always_replay=True)


def test_the_clocks_are_given_back(durable: Durable) -> None:
    before = time.time()
    durable.run(handle, NAMES, always_replay=True)
    assert 0 <= time.time() - before < 300
    assert datetime.datetime is type(datetime.datetime.now())


# -------------------------------------------------------------------- files


def test_a_journal_is_saved_and_read(durable: Durable, tmp_path: Path) -> None:
    run = durable.run(handle, NAMES, key=("k", 1), state={"n": 1})
    run.journal.save(tmp_path / "deep" / "one.json")
    loaded = SavedJournal.load(tmp_path / "deep" / "one.json")
    assert loaded.slots == run.journal.slots
    assert loaded.ended
    assert loaded.statuses == ["SUCCEEDED"] * len(loaded)
    assert durable.replay(handle, loaded).ended
    text = json.loads((tmp_path / "deep" / "one.json").read_text())
    assert text["slots"][0]["shown"] == "['ann']"


def test_a_journal_in_flight_is_replayed_to_where_it_stood(durable: Durable) -> None:
    with durable.start(handle, NAMES) as run:
        journal = run.journal
    assert not journal.ended
    replayed = durable.replay(handle, journal)
    assert (replayed.used, replayed.ended, replayed.more) == (len(journal), False, ())


def test_a_changed_handler_is_told_with_file_slot_and_line(
    durable: Durable, tmp_path: Path
) -> None:
    durable.run(handle, NAMES).journal.save(tmp_path / "one.json")

    async def handle_changed(names: list[str], ctx: RunnerContext) -> None:
        await ctx.durable_execute_async(send, names[1])

    told = r"one\.json: .*slot 0 of the journal holds .*send.* SUCCEEDED.* at .*in handle_changed"
    with pytest.raises(JournalMismatch, match=told):
        durable.replay_all(handle_changed, tmp_path / "*.json")


def test_a_handler_that_ends_earlier_or_goes_on_longer_is_told(durable: Durable) -> None:
    journal = durable.run(handle_in_thread, NAMES).journal

    def shorter(names: list[str], ctx: RunnerContext) -> None:
        ctx.durable_execute(send, names[0])

    def longer(names: list[str], ctx: RunnerContext) -> None:
        for name in [*names, "more"]:
            ctx.durable_execute(send, name)

    async def stuck(names: list[str], ctx: RunnerContext) -> None:
        await ctx.sleep(1)

    with pytest.raises(JournalMismatch, match=r"slot 1 .* has ended"):
        durable.replay(shorter, journal)
    with pytest.raises(JournalMismatch, match="nothing: the handler had ended"):
        durable.replay(longer, journal)
    with pytest.raises(JournalMismatch, match="slot 0"):
        durable.replay(stuck, journal)


def test_no_journals_are_no_success(durable: Durable, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no journal"):
        durable.replay_all(handle, tmp_path / "*.json")
    (tmp_path / "new.json").write_text('{"format": 99}')
    with pytest.raises(ValueError, match="newer release"):
        durable.replay_all(handle, tmp_path / "*.json")


def test_a_json_journal_is_one_too(durable: Durable, tmp_path: Path) -> None:
    options = DurableOptions(serializer=JsonSerializer())
    run = durable.run(handle_in_thread, ["ann"], options=options, state={"n": 1})
    assert run.calls[send].result == ["ann"]
    assert run.state == {"n": 1}
    run.journal.save(tmp_path / "json.json")
    assert durable.replay_all(handle_in_thread, tmp_path / "*.json", options=options) == 1
