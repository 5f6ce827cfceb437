"""The testing kit: all crashes of a handler, and what a failure says of the simplest one."""

from __future__ import annotations

from typing import Any

import pytest

from pyflink_durable import NOT_EXECUTED, RunnerContext
from pyflink_durable.testing import Case, crash_points

charges: list[str] = []


def quote(order: str) -> int:
    return 5


def charge(order: str, amount: int) -> str:
    charges.append(order)
    return f"charge-{order}"


def find(order: str) -> Any:
    return f"charge-{order}" if order in charges else NOT_EXECUTED


def receipt(order: str) -> str:
    return f"receipt-{order}"


async def handle(order: str, ctx: RunnerContext) -> str:
    amount = await ctx.durable_execute_async(quote, order)
    await ctx.durable_execute_async(charge, order, amount, reconciler=lambda: find(order))
    return await ctx.durable_execute_async(receipt, order)


def handle_in_thread(order: str, ctx: RunnerContext) -> str:
    amount = ctx.durable_execute(quote, order)
    ctx.durable_execute(charge, order, amount, reconciler=lambda: find(order))
    return ctx.durable_execute(receipt, order)


seen: list[str] = []


def check(case: Case) -> None:
    charges.clear()
    run = case.run()
    seen.append(case.id)
    assert run.outputs == ["receipt-o-1"]
    assert charges == ["o-1"]


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    seen.clear()


@pytest.mark.parametrize("handler", [handle, handle_in_thread])
def test_no_crash_repeats_a_call_at_the_gate_or_with_a_log(handler: Any) -> None:
    crash_points(handler, ["o-1"], levels=["gated", "write-ahead"])(check)()
    assert len(seen) == len(set(seen))
    levels = {name.partition("/")[0] for name in seen}
    assert levels == {"gated", "write-ahead"}
    assert "gated/" in seen  # the run without a crash
    assert len([name for name in seen if name.startswith("gated")]) > 10


def test_two_crashes_are_all_pairs() -> None:
    crash_points(handle, ["o-1"], levels=["gated"], crashes=2)(check)()
    once = [name for name in seen if name.count(",") == 0]
    twice = [name for name in seen if name.count(",") == 1]
    assert len(twice) > 5 * len(once)


def test_the_window_of_the_checkpoint_level_is_shown() -> None:
    with pytest.raises(AssertionError) as raised:
        crash_points(handle, ["o-1"])(check)()
    [note] = getattr(raised.value, "__notes__", [str(raised.value)])
    assert "cases fail; the simplest of them" in note
    assert "after the last checkpoint ran: " in note
    assert 'the level "checkpoint" it runs again' in note
    assert 'run it alone: pytest "' in note


def test_the_window_may_be_accepted_and_nothing_else() -> None:
    crash_points(handle, ["o-1"], xfail_window=True)(check)()
    outside_of_it = len(seen)

    def reconciler_lies(case: Case) -> None:
        charges.clear()
        case.run()
        assert charges == ["o-1"]

    async def handle_with_a_liar(order: str, ctx: RunnerContext) -> None:
        liar = lambda: NOT_EXECUTED  # noqa: E731
        await ctx.durable_execute_async(charge, order, 5, reconciler=liar)

    with pytest.raises(AssertionError):
        crash_points(handle_with_a_liar, ["o-1"], xfail_window=True)(reconciler_lies)()
    assert outside_of_it > 5


def test_a_case_is_run_alone_by_its_name(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from pyflink_durable.testing import crash_points

        charges = []

        def charge(order):
            charges.append(order)

        async def handle(order, ctx):
            await ctx.durable_execute_async(charge, order)

        @crash_points(handle, ["o-1"])
        def test_once(case, tmp_path):
            charges.clear()
            case.run()
            print("ran", case.id)
            assert charges == ["o-1"], case
        """
    )
    failed = pytester.runpytest("-p", "no:cacheprovider")
    failed.assert_outcomes(failed=1)
    # pytest repeats the message in its summary, whole where the variable CI is set
    line = next(line for line in failed.outlines if "run it alone" in line)
    name = line.split("--durable-case ")[1].strip('" ')
    alone = pytester.runpytest("-p", "no:cacheprovider", "--durable-case", name)
    alone.assert_outcomes(failed=1)
    assert [line for line in alone.outlines if line.startswith("ran")] == [f"ran {name}"]
    passed = pytester.runpytest("-p", "no:cacheprovider", "--durable-case", "checkpoint/")
    passed.assert_outcomes(passed=1)
    unknown = pytester.runpytest("-p", "no:cacheprovider", "--durable-case", "what/1")
    unknown.stdout.fnmatch_lines(["*'what/1' is no case*"])


def test_mistakes_are_told() -> None:
    def without_case() -> None: ...

    def without_run(case: Case) -> None: ...

    with pytest.raises(TypeError, match="must take an argument `case`"):
        crash_points(handle, ["o-1"])(without_case)
    with pytest.raises(AssertionError, match=r"not called case\.run"):
        crash_points(handle, ["o-1"])(without_run)()
    with pytest.raises(ValueError, match="from 1"):
        crash_points(handle, ["o-1"], crashes=0)


def test_a_case_has_stubs_of_its_own() -> None:
    def check_stubs(case: Case) -> None:
        stub = case.stub(charge, returns="charged")
        case.allow_only(quote, receipt)
        charges.clear()
        case.run()
        assert charges == []
        assert len(stub.calls) <= 2

    crash_points(handle, ["o-1"])(check_stubs)()


def test_several_inputs_crash_together() -> None:
    def check_all(case: Case) -> None:
        charges.clear()
        run = case.run()
        assert sorted(run.outputs) == ["receipt-a1", "receipt-a2", "receipt-b1"]
        assert sorted(charges) == ["a1", "a2", "b1"]

    inputs = ["a1", "a2", "b1"]
    crash_points(handle, inputs, key=lambda one: one[0], levels=["gated"])(check_all)()


def test_the_plugin_is_found_by_pytest(request: pytest.FixtureRequest) -> None:
    assert request.config.pluginmanager.has_plugin("pyflink_durable")
