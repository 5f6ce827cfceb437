"""The host between the operator and its handlers, over a bridge in Python."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bridges import Slot
from crowd import Crowd
from host_bench import Task
from loops import wait_until

from pyflink_durable import DeadLetter, FileCallLog, HandlerFailed, OutcomeUnknown
from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.payload import results
from pyflink_durable.runtime.journal.writes import WRITE_FIELDS
from pyflink_durable.runtime.loop import spinning


async def tells_its_key(value: Any, ctx: Any) -> Any:
    from pyflink_durable import current_call

    return ctx.durable_execute(lambda: current_call().idempotency_key)


def keys(report: tuple[Any, ...]) -> Any:
    return report[4]


class TestInvocationId:
    def test_by_default_it_is_the_inputs_number(self, new_task: Callable[..., Task]) -> None:
        task, other = new_task(tells_its_key), new_task(tells_its_key)
        assert keys(task.start("a")) == keys(other.start("b"))

    def test_what_the_user_gives_takes_its_place(self, new_task: Callable[..., Task]) -> None:
        task = new_task(tells_its_key, invocation_id=lambda value: value["id"])
        first = keys(task.start({"id": "e-1"}))
        assert keys(task.start({"id": "e-2"})) != first
        assert keys(task.start({"id": "e-1", "more": 1})) == first

    @pytest.mark.parametrize(
        ("gives", "message"),
        [
            (lambda value: value["missing"], "KeyError: 'missing'"),
            (lambda value: None, "invocation_id must give a str or an int, not NoneType"),
            (lambda value: True, "invocation_id must give a str or an int, not bool"),
            (lambda value: 1.5, "invocation_id must give a str or an int, not float"),
        ],
        ids=["raises", "None", "bool", "float"],
    )
    def test_its_error_is_the_handlers(
        self, new_task: Callable[..., Task], gives: Any, message: str
    ) -> None:
        task = new_task(tells_its_key, invocation_id=gives)
        with pytest.raises(HandlerFailed, match=message):
            task.start({"id": 1})

    def test_its_error_may_go_to_the_dead_letters(self, new_task: Callable[..., Task]) -> None:
        log = FileCallLog(directory=Path("/log"))
        task = new_task(
            tells_its_key,
            on_error="dead-letter",
            call_log=log,
            invocation_id=lambda value: value["missing"],
        )
        [letter] = keys(task.start({"id": 1}))
        assert isinstance(letter, DeadLetter)
        assert (letter.key, letter.error_type) == ("key-1", "KeyError")
        assert task.bridge.identified == []


class TestCallLog:
    def test_what_it_holds_of_the_invocation_is_replayed(
        self, new_task: Callable[..., Task]
    ) -> None:
        async def handler(value: Any, ctx: Any) -> Any:
            return await ctx.durable_execute_async(str, 1, durable_id="charge")

        log = FileCallLog(directory=Path("/log"))
        task = new_task(
            handler,
            durability="write-ahead",
            in_doubt="raise",
            call_log=log,
            invocation_id=lambda value: value["id"],
        )
        task.bridge.logged = [Slot("charge", compute_args_digest((1,), {}))]
        task.start({"id": "e-1"})  # the outcome waits for the log
        with pytest.raises(HandlerFailed) as caught:
            task.host.resume([1, 0, None])
        assert isinstance(caught.value.__cause__, OutcomeUnknown)
        assert task.bridge.identified == [(1, "e-1", compute_args_digest(({"id": "e-1"},), {}))]

    def test_without_one_nobody_is_asked(self, new_task: Callable[..., Task]) -> None:
        task = new_task(tells_its_key)
        task.start("a")
        assert task.bridge.identified == []


def test_the_users_invocation_id_runs_outside_the_loop(new_task: Callable[..., Task]) -> None:
    async def look_up(value: Any) -> str:
        return f"id of {value}"

    def invocation_id(value: Any) -> str:
        return asyncio.run(look_up(value))

    task = new_task(tells_its_key, invocation_id=invocation_id)
    assert keys(task.start_together("a", "a", "b")) == keys(task.start_together("a", "a", "b"))


class TestHandlersStartTogether:
    def test_each_has_its_own_end_and_outputs(self, new_task: Callable[..., Task]) -> None:
        async def handler(value: int, ctx: Any) -> int | None:
            for _ in range(value):
                ctx.collect("more")
            return value or None

        started, executed, writes, ended, outputs = new_task(handler).start_together(2, 0, 1)
        assert (started, executed, writes) == (3, 0, ())
        assert outputs == ("more", "more", 2, "more", 1)
        assert ended == (0, 0, None, None, 1, 3, None, None, 2, 3, None, None)

    def test_what_goes_on_is_written_and_what_has_ended_is_not(
        self, new_task: Callable[..., Task]
    ) -> None:
        async def handler(value: str, ctx: Any) -> None:
            ctx.durable_execute(str, value)
            if value == "goes on":
                await ctx.durable_execute_async(int, durability="gated")

        _, executed, writes, ended, _ = new_task(handler).start_together("ends", "goes on", "ends")
        assert executed == 4
        assert writes[0::WRITE_FIELDS] == (1, 1)  # the invocation
        assert writes[4::WRITE_FIELDS] == ("RECORDED", "PENDING")
        assert ended[0::4] == (0, 2)

    def test_a_step_that_takes_long_leaves_the_others_to_the_next(
        self, new_task: Callable[..., Task]
    ) -> None:
        seen = []

        async def handler(value: str, ctx: Any) -> None:
            seen.append(value)

        started, *_ = new_task(handler).start_together("a", "b", "c", millis=0)
        assert started == 1
        assert seen == ["a"]

    def test_one_that_fails_to_start_takes_no_other_along(
        self, new_task: Callable[..., Task]
    ) -> None:
        async def handler(value: Any, ctx: Any) -> Any:
            return value["id"]

        task = new_task(handler, on_error="dead-letter", invocation_id=lambda value: value["id"])
        _, _, _, ended, outputs = task.start_together({"id": "a"}, {}, {"id": "c"})
        assert [output for output in outputs if isinstance(output, str)] == ["a", "c"]
        assert sorted(ended[0::4]) == [0, 1, 2]

    def test_each_knows_its_key_and_timestamp(self, new_task: Callable[..., Task]) -> None:
        async def handler(value: Any, ctx: Any) -> Any:
            return f"{ctx.key} {ctx.timestamp}"

        task = new_task(handler)
        assert keys(task.start_together("a", "b")) == ("key-0 1000", "key-1 1001")
        assert keys(task.start("a", 7)) == ("key-7 None",)


class Value:
    """An input that can be waited for."""


class TestMemory:
    def test_a_failed_handler_leaves_no_cycle(self, new_task: Callable[..., Task]) -> None:
        seen: list[weakref.ref[Value]] = []

        async def handler(value: Value, ctx: Any) -> None:
            seen.append(weakref.ref(value))
            raise ValueError("unknown order")

        task = new_task(handler, on_error="dead-letter")
        gc.collect()
        gc.disable()
        try:
            task.start(Value())
            assert seen[0]() is None
        finally:
            gc.enable()


class TestReleases:
    def test_each_is_taken_in_before_the_next(self, new_task: Callable[..., Task]) -> None:
        seen: list[str] = []

        async def handler(value: Any, ctx: Any) -> None:
            await ctx.durable_execute_async(int, durability="gated")

        task = new_task(handler)
        for invocation in (1, 2):
            _, _, writes, _, _ = task.start("a", invocation)
            assert writes[4] == "PENDING"
            assert writes[WRITE_FIELDS - 1] == "CHECKPOINT"
        expect = task.host._steps._subtask.holds.expect  # type: ignore[union-attr]
        loop = task.host._steps._loop  # type: ignore[union-attr]
        for name, invocation in (("first", 3), ("second", 4)):
            hold = expect(invocation, 0)
            hold.on_release(
                lambda error, name=name: (
                    seen.append(f"{name} {error}"),
                    loop.call_soon(seen.append, f"after {name}"),
                )
            )
        task.host.resume([3, 0, None, 4, 0, "disk full", 9, 9, None])
        assert seen == ["first None", "after first", "second disk full", "after second"]

    def test_what_a_checkpoint_lets_through_meets_the_outside_in_portions(
        self, new_task: Callable[..., Task]
    ) -> None:
        """All handlers go on, but only `max_in_flight` of their calls start at a time."""
        crowd = Crowd(2)

        async def handler(value: Any, ctx: Any) -> Any:
            return await ctx.durable_execute_async(crowd.visit_async, 0.01, durability="gated")

        task = new_task(handler, max_in_flight=2)
        numbers = range(1, 8)
        for number in numbers:
            task.start("a", number)
        task.host.resume([field for number in numbers for field in (number, 0, None)])
        wait_until(lambda: crowd.visits == len(numbers))
        assert crowd.most == 2

    def test_calls_that_did_not_wait_start_all(self, new_task: Callable[..., Task]) -> None:
        crowd = Crowd(7)

        async def handler(value: Any, ctx: Any) -> None:
            await ctx.durable_execute_async(crowd.visit_async)

        task = new_task(handler, max_in_flight=2)
        for number in range(1, 8):
            task.start("a", number)
        wait_until(lambda: crowd.most == 7)


class TestOutputsThatWait:
    """The operators behind take no more, and a checkpoint may come before the outputs are out."""

    @staticmethod
    def writes_of(flat: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        starts = range(0, len(flat), WRITE_FIELDS)
        return [(flat[at], flat[at + 1], flat[at + 4], flat[at + 5]) for at in starts]

    def test_what_was_left_out_can_be_kept(self, new_task: Callable[..., Task]) -> None:
        async def handler(value: Any, ctx: Any) -> Any:
            return [ctx.durable_execute(str.upper, value), ctx.durable_execute(str.lower, value)]

        task = new_task(handler)
        _, _, writes, ended, _ = task.start_together("a", "b", "c")
        assert (writes, ended[::4]) == ((), (0, 1, 2))
        kept = self.writes_of(task.host.keep([1, 2]))
        assert [write[:3] for write in kept] == [
            (number, slot, "RECORDED") for number in (1, 2) for slot in (0, 1)
        ]
        assert [results.load_result(write[3]) for write in kept] == ["B", "b", "C", "c"]

    def test_it_is_there_until_the_next_report(self, new_task: Callable[..., Task]) -> None:
        async def handler(value: Any, ctx: Any) -> Any:
            return ctx.durable_execute(str.upper, value)

        task = new_task(handler)
        task.start("a", 1)
        task.start("b", 2)
        assert task.host.keep([1]) == ()
        assert len(task.host.keep([2])) == WRITE_FIELDS

    def test_nothing_is_lost_to_a_dead_letter_of_the_same_step(
        self, new_task: Callable[..., Task]
    ) -> None:
        """All that is not left out by then is written, so that the letter has it."""

        async def handler(value: Any, ctx: Any) -> Any:
            done = ctx.durable_execute(str.upper, value)
            if value == "b":
                raise ValueError(value)
            return done

        task = new_task(handler, on_error="dead-letter")
        written: list[Any] = []
        task.bridge.applyJournalWrites = lambda executed, flat: written.extend(flat)  # type: ignore[method-assign]
        task.start_together("a", "b", "c")
        kept = self.writes_of(task.host.keep([0, 2]))
        assert [write[0] for write in kept] == [0]
        assert [write[0] for write in self.writes_of(tuple(written))] == [1, 2]


def test_a_watchdog_looks_after_the_task_until_it_closes(new_task: Callable[..., Task]) -> None:
    def watchdogs() -> list[str]:
        names = [thread.name for thread in threading.enumerate()]
        return [name for name in names if name == "durable-orders-watchdog"]

    before = watchdogs()
    task = new_task(tells_its_key)
    assert len(watchdogs()) == len(before) + 1
    task.host.close()
    assert watchdogs() == before


def test_a_handler_that_goes_round_is_told_of_with_its_key_and_line(
    new_task: Callable[..., Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spinning, "SPIN_SECONDS", 0.0)

    async def goes_round(value: Any, ctx: Any) -> None:
        while True:
            await asyncio.sleep(0)

    task = new_task(goes_round)
    task.start("a")
    assert task.bridge.counters["blocked"] == 1
    [line] = [line for line in task.bridge.lines if "goes round" in line]
    assert line.startswith("operator=orders key='key-1' invocation=5 at=goes_round (")
