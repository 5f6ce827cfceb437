"""What a function knows of its call, and the idempotency key it sends along."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from bridges import Slot
from handler_bench import HandlerBench

from pyflink_durable import (
    CurrentCall,
    LocalRunnerContext,
    NotInInvocation,
    RetryPolicy,
    current_call,
)
from pyflink_durable.identity.digest import compute_args_digest, compute_function_id
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity

FORMS = ["sync", "pool", "coroutine", "def", "timed"]


class Asks:
    """A function, and a reconciler, that ask which call runs them."""

    def __init__(self) -> None:
        self.seen: list[CurrentCall] = []
        self.fail = 0

    def ask(self, *args: Any) -> str:
        self.seen.append(current_call())
        if self.fail:
            self.fail -= 1
            raise OSError
        return current_call().idempotency_key

    async def ask_remotely(self, *args: Any) -> str:
        await asyncio.sleep(0)
        return self.ask()

    def handler(self, form: str, **options: Any) -> Callable[..., Any]:
        """Makes two calls and gives their keys."""
        if form == "def":
            return lambda value, ctx: [ctx.durable_execute(self.ask, n, **options) for n in (1, 2)]
        func = self.ask_remotely if form == "coroutine" else self.ask
        timeout = 30 if form == "timed" else None

        async def handle(value: Any, ctx: Any) -> list[str]:
            if form == "sync":
                return [ctx.durable_execute(func, n, **options) for n in (1, 2)]
            return [
                await ctx.durable_execute_async(func, n, timeout=timeout, **options) for n in (1, 2)
            ]

        return handle


@pytest.mark.parametrize("form", FORMS)
def test_a_function_knows_its_call(form: str, executor: CallExecutor) -> None:
    asks = Asks()
    keys = HandlerBench(asks.handler(form), executor).run()
    assert [(call.attempt, call.slot, call.durable_id) for call in asks.seen] == [
        (1, 0, None),
        (1, 1, None),
    ]
    assert keys == [call.idempotency_key for call in asks.seen]
    assert repr(asks.seen[1]) == "CurrentCall(attempt=1, slot=1, durable_id=None)"


@pytest.mark.parametrize("form", FORMS)
def test_a_reconciler_knows_the_call_it_is_asked_about(form: str, executor: CallExecutor) -> None:
    asks = Asks()
    func = asks.ask_remotely if form == "coroutine" else asks.ask
    slots = [
        Slot(compute_function_id(func), compute_args_digest((n,), {}), attempt=n + 3)
        for n in (1, 2)
    ]
    bench = HandlerBench(asks.handler(form, reconciler=asks.ask), executor, slots=slots)
    assert bench.run() == HandlerBench(asks.handler(form), executor).run()
    assert [(call.attempt, call.slot) for call in asks.seen[:2]] == [(4, 0), (5, 1)]


@pytest.mark.parametrize("form", ["pool", "coroutine", "def"])
def test_the_key_is_the_same_in_every_attempt(form: str, executor: CallExecutor) -> None:
    asks = Asks()
    asks.fail = 2
    retry = RetryPolicy(initial_interval=0)
    HandlerBench(asks.handler(form, retry=retry), executor).run()
    assert [call.attempt for call in asks.seen] == [1, 2, 3, 1]
    assert len({call.idempotency_key for call in asks.seen[:3]}) == 1


def test_the_key_is_the_same_after_a_crash_that_lost_the_journal(executor: CallExecutor) -> None:
    bench = HandlerBench(Asks().handler("pool"), executor)
    assert bench.run() == bench.again(slots=()).run()


def test_other_calls_have_other_keys(executor: CallExecutor) -> None:
    def keys(*identity: Any, **options: Any) -> list[str]:
        handler = Asks().handler("pool", **options)
        result: list[str] = HandlerBench(handler, executor, identity=identity).run()
        return result

    of_all = [
        *keys("orders", "k", 3),
        *keys("refunds", "k", 3),
        *keys("orders", "l", 3),
        *keys("orders", "k", 4),
        *keys("orders", "k", "3"),
        *keys("orders", 1, 3),
        *keys("orders", "1", 3),
        *keys("orders", ("k", 3), 3),
        keys("orders", "k", 3, durable_id="0")[0],
        keys("orders", "k", 3, durable_id="slot 0")[0],
    ]
    assert len(set(of_all)) == len(of_all)


def test_a_durable_id_takes_the_place_of_the_slot(executor: CallExecutor) -> None:
    def ask() -> tuple[str, str | None]:
        return current_call().idempotency_key, current_call().durable_id

    async def before(value: Any, ctx: Any) -> Any:
        return await ctx.durable_execute_async(ask, durable_id="charge")

    async def after_a_new_release(value: Any, ctx: Any) -> Any:
        await ctx.durable_execute_async(int)
        return await ctx.durable_execute_async(ask, durable_id="charge")

    key, durable_id = HandlerBench(before, executor).run()
    assert durable_id == "charge"
    assert HandlerBench(after_a_new_release, executor).run()[0] == key


def test_keys_never_change_their_form() -> None:
    # a release that made others would have the outside take repetitions for new calls
    identity = InvocationIdentity(lambda _: ("customer", 7), "orders-1", 42)
    assert identity.idempotency_key(3, None) == "ac065cb6691ced3bc3523b7954cb35ee"
    assert identity.idempotency_key(3, "charge") == "3d4d096d8102e373ba5ed666ade0b4ab"


def test_the_second_call_of_a_durable_id_is_no_other_durable_id() -> None:
    identity = InvocationIdentity(lambda _: "k", "orders", 3)
    second = identity.idempotency_key(1, "charge", 2)
    assert second != identity.idempotency_key(1, "2 charge", 1)
    assert second != identity.idempotency_key(1, "next 2 charge", 1)


def test_calls_with_one_durable_id_have_a_key_each(executor: CallExecutor) -> None:
    async def charge_twice(value: Any, ctx: Any) -> list[str]:
        def key(amount: int) -> str:
            return current_call().idempotency_key

        return [
            await ctx.durable_execute_async(key, amount, durable_id="charge") for amount in (7, 7)
        ]

    first = HandlerBench(charge_twice, executor).run()
    assert len(set(first)) == 2
    assert HandlerBench(charge_twice, executor).run() == first


def test_a_key_says_more_than_the_digest_of_a_call() -> None:
    # two keys whose digests of 64 bits are equal turn up among some billions
    seeds = {InvocationIdentity(lambda _: "k", "orders", 1).digest("x")}
    assert {len(seed) for seed in seeds} == {16}
    identity = InvocationIdentity(lambda _: "k", "orders", 1)
    identity.digest("x")
    assert identity._seed is not None
    assert len(identity._seed) == 32


class TestOutside:
    def test_of_a_call_there_is_none(self) -> None:
        with pytest.raises(NotInInvocation, match="inside the function or the reconciler"):
            current_call()

    def test_in_the_handler_itself_there_is_none(self, executor: CallExecutor) -> None:
        async def handler(value: Any, ctx: Any) -> None:
            await ctx.durable_execute_async(int)
            ctx.durable_execute(int)
            current_call()

        with pytest.raises(NotInInvocation):
            HandlerBench(handler, executor).run()

    def test_a_thread_of_the_functions_own_has_none(self, executor: CallExecutor) -> None:
        def ask() -> str:
            caught: list[str] = []

            def inner() -> None:
                try:
                    current_call()
                except NotInInvocation as error:
                    caught.append(str(error))

            thread = threading.Thread(target=inner)
            thread.start()
            thread.join()
            return caught[0]

        async def handler(value: Any, ctx: Any) -> Any:
            return await ctx.durable_execute_async(ask)

        assert "has to be handed" in HandlerBench(handler, executor).run()

    def test_a_task_of_a_coroutine_function_has_it(self, executor: CallExecutor) -> None:
        async def ask() -> int:
            async def inner() -> int:
                return current_call().slot

            return await asyncio.create_task(inner())

        async def handler(value: Any, ctx: Any) -> Any:
            return [await ctx.durable_execute_async(ask) for _ in range(3)]

        assert HandlerBench(handler, executor).run() == [0, 1, 2]


class TestLocal:
    @pytest.mark.parametrize("form", ["sync", "pool", "coroutine"])
    def test_functions_know_their_call(self, form: str) -> None:
        asks = Asks()
        ctx = LocalRunnerContext(key="k")
        keys = asyncio.run(asks.handler(form)("value", ctx))
        assert [(call.attempt, call.slot) for call in asks.seen] == [(1, 0), (1, 1)]
        assert len(set(keys)) == 2
        assert asyncio.run(asks.handler(form)("value", LocalRunnerContext(key="k"))) == keys
        assert asyncio.run(asks.handler(form)("value", LocalRunnerContext(key="l"))) != keys
        with pytest.raises(NotInInvocation):
            current_call()
