"""What a slot holds is told by its kind, never by a name that a call may have, too."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from bridges import SixMethods, Slot, own_slot
from handler_bench import HandlerBench

from pyflink_durable import DurableCall, DurableOptions, JournalMismatch
from pyflink_durable.payload.results import dump_result
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.journal.bridge import Identity
from pyflink_durable.runtime.journal.slot_kind import IN_PLACE_OF_A_KIND, SlotKind
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext
from pyflink_durable.snapshot import Slot as ReadSlot

OLD_NAMES = [name for name, _ in IN_PLACE_OF_A_KIND.values()]
OLD_NAMES += ["pyflink_durable.signal", "pyflink_durable.pending_signals"]
DIGEST = "2:0123456789abcdef"
SOURCES = Path(__file__).parents[3] / "java-bridge/core/src/main/java/pyflink/durable"


def test_java_has_the_same_kinds() -> None:
    source = (SOURCES / "journal/SlotKind.java").read_text(encoding="utf-8")
    names = re.findall(r"^    ([A-Z_]+)[,;]$", source, re.MULTILINE)
    assert names == [kind.value for kind in SlotKind] == [kind.name for kind in SlotKind]


@pytest.mark.parametrize("name", OLD_NAMES)
class TestACallIsOneWhateverItsDurableId:
    def test_its_outcome_is_not_dropped(self, executor: CallExecutor, name: str) -> None:
        async def handler(value: Any, ctx: Any) -> Any:
            return await ctx.durable_execute_async(str, 1)

        for slot in (Slot(name, DIGEST), Slot(name, DIGEST, "SUCCEEDED", dump_result(1))):
            with pytest.raises(JournalMismatch, match=f"slot 0, {re.escape(name)}: "):
                HandlerBench(handler, executor, slots=[slot]).run()

    def test_it_is_replayed(self, executor: CallExecutor, name: str) -> None:
        async def handler(value: Any, ctx: Any) -> Any:
            alone = await ctx.durable_execute_async(str, 1, durable_id=name)
            call = DurableCall(str, (2,), durable_id=name)
            return alone, (await ctx.durable_execute_all_async([call])).values()

        bench = HandlerBench(handler, executor)
        assert bench.run() == ("1", ["2"])
        assert [slot.kind for slot in bench.slots] == ["CALL", "CALL"]
        again = bench.again(bench.slots)
        assert again.run() == ("1", ["2"])
        assert again.telemetry.counters["executed"] == 0

    def test_it_is_shown_as_one(self, name: str) -> None:
        fields: list[Any] = [0, name, DIGEST, "PENDING", 1, None, None, None, False, None, None]
        read = ReadSlot(*fields)
        assert (read.kind, read.name, read.condition) == (SlotKind.CALL, name, "in doubt")


# a patch is passed over, see test_patches
@pytest.mark.parametrize("kind", sorted(set(SlotKind) - {SlotKind.CALL, SlotKind.PATCH}))
class TestWhatIsNoCall:
    @pytest.mark.parametrize("identity", ["arguments", "durable_id"])
    def test_it_answers_none(self, executor: CallExecutor, kind: SlotKind, identity: Any) -> None:
        async def handler(value: Any, ctx: Any) -> Any:
            calls = [DurableCall(str, (value,), durable_id=name) for name in ("a", "b")]
            together = (await ctx.durable_execute_all_async(calls)).values()
            return together, await ctx.durable_execute_async(str, value, durable_id="c")

        no = dump_result("no")
        others = [
            own_slot(kind.value, name, status="SUCCEEDED", result=no, completion=place)
            for place, name in enumerate("bac")
        ]
        options = DurableOptions(identity=identity)
        bench = HandlerBench(handler, executor, options, others)
        assert bench.run() == (["value", "value"], "value")
        assert [slot.function_id for slot in bench.slots] == ["a", "b", "c"]
        assert {slot.kind for slot in bench.slots} == {"CALL"}

    @pytest.mark.one_run("it begins with the journal of another handler")
    def test_it_answers_no_other_kind(self, executor: CallExecutor, kind: SlotKind) -> None:
        def handler(value: Any, ctx: Any) -> Any:
            return ctx.now()

        seen = datetime(2020, 1, 1, tzinfo=timezone.utc)
        slot = own_slot(kind.value, status="SUCCEEDED", result=dump_result(seen), completion=0)
        bench = HandlerBench(handler, executor, slots=[slot])
        assert (bench.run() == seen) == (kind is SlotKind.MOMENT)
        assert [slot.kind for slot in bench.slots] == ["MOMENT"]


def test_what_is_no_call_is_told_in_words() -> None:
    told = [str(Identity("", "", kind)) for kind in SlotKind if kind is not SlotKind.CALL]
    first = ["timer", "batch timer", "moment", "signal", "pending signals", "patch"]
    assert told == [*first, "ticket", "cancellation"]
    assert str(Identity("yes", "", SlotKind.SIGNAL)) == "signal yes"
    assert str(Identity("charge", "2:ab")) == "charge(2:ab)"


class TestOverTheSixMethods:
    """They have no room for a kind: a function stands for it, as in all of release 0.1."""

    @staticmethod
    def run(bridge: SixMethods, executor: CallExecutor) -> Any:
        async def handler(ctx: FlinkRunnerContext) -> Any:
            before = await ctx.durable_execute_async(str, 1)
            return before, ctx.now(), await ctx.durable_execute_async(str, 2)

        return asyncio.run(handler(FlinkRunnerContext(bridge, executor)))

    def test_a_moment_is_written_and_replayed(self, executor: CallExecutor) -> None:
        bridge = SixMethods()
        first = self.run(bridge, executor)
        slots = bridge._journal.slots
        assert slots[1][:3] == ("pyflink_durable.now", "0" * 16, "SUCCEEDED")
        again = SixMethods(slots)
        assert self.run(again, executor) == first
        assert again._journal.slots == slots

    def test_one_that_a_failure_caught_is_taken_anew(self, executor: CallExecutor) -> None:
        bridge = SixMethods()
        first = self.run(bridge, executor)
        slots = [bridge._journal.slots[0], Slot("pyflink_durable.now", "0" * 16)]
        again = SixMethods(slots)
        assert self.run(again, executor)[1] > first[1]
        assert [slot[2] for slot in again._journal.slots] == ["SUCCEEDED"] * 3
