"""The durable calls of a context."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from pyflink_durable.batch import DurableCall, Outcomes, check_batch
from pyflink_durable.call_options import GivenOptions
from pyflink_durable.checks.arguments import check_reconciler, without_infinity
from pyflink_durable.checks.keywords import check_keywords
from pyflink_durable.current_call import running_call
from pyflink_durable.errors import DurableExecutionError, NestedDurableCall
from pyflink_durable.identity.digest import compute_function_id
from pyflink_durable.runtime.batches.async_batch import gather, run_batch
from pyflink_durable.runtime.batches.blocking_batch import (
    run_batch_blocking,
    run_batch_holding_the_loop,
)
from pyflink_durable.runtime.calls.async_call import AsyncCall
from pyflink_durable.runtime.calls.blocking_call import (
    check_ordinary,
    may_be_interrupted,
    run_blocking,
    run_holding_the_loop,
)
from pyflink_durable.runtime.calls.life import live
from pyflink_durable.runtime.journal.call import Call
from pyflink_durable.runtime.journal.call_options import without_waiting
from pyflink_durable.runtime.operator.invocation_context import InvocationContext

T = TypeVar("T")


class CallingContext(InvocationContext):
    """Makes each call over the journal of its invocation."""

    def _execute(
        self,
        func: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        given: GivenOptions,
        by_options: bool,
    ) -> T:
        reconciler, durable_id, durability, in_doubt, retry, timeout, result_type, identity = given
        self._check_call(func, reconciler)
        check_ordinary(func, reconciler)
        loop = self._running_loop("durable_execute")
        options = self._subtask.call_options.resolve(
            reconciler is not None,
            durability,
            in_doubt,
            retry,
            timeout,
            None if by_options else func,
            result_type,
            identity,
        )
        if kwargs:
            check_keywords(func, kwargs)
        if loop is not None:
            options = without_waiting(options, func, retry, timeout)
        call = Call.of(func, args, kwargs, reconciler, durable_id, options)
        planned = self._calls.plan(call)
        if loop is None:
            executor = self._subtask.executors["calls"]
            outcome = run_blocking(live(self._calls, planned), executor)
        else:
            life = live(self._calls, planned, announced=may_be_interrupted(loop))
            outcome = run_holding_the_loop(life, loop)
        if outcome.error is not None:
            try:
                raise outcome.error
            finally:
                del outcome  # the error's traceback holds this frame
        return outcome.value  # type: ignore[no-any-return]

    def _execute_async(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        given: GivenOptions,
        by_options: bool,
    ) -> Awaitable[Any]:
        reconciler, durable_id, durability, in_doubt, retry, timeout, result_type, identity = given
        self._check_call(func, reconciler)
        loop = self._running_loop("durable_execute_async")
        if loop is None:
            raise DurableExecutionError(
                "ctx.durable_execute_async needs an event loop, that is an `async def` handler; in "
                "a `def` handler call ctx.durable_execute(...), which blocks nothing but its thread"
            )
        options = self._subtask.call_options.resolve(
            reconciler is not None,
            durability,
            in_doubt,
            retry,
            timeout,
            None if by_options else func,
            result_type,
            identity,
        )
        if kwargs:
            check_keywords(func, kwargs)
        call = Call.of(func, args, kwargs, reconciler, durable_id, options)
        self._calls.unmade[id(call)] = call
        return AsyncCall(self._calls, self._subtask.executors, call, loop, self._line)

    def durable_execute_all_async(
        self,
        calls: Iterable[DurableCall],
        max_parallelism: int | None = None,
        timeout: float | None = None,
    ) -> Awaitable[Outcomes]:
        loop = self._check_place("durable_execute_all_async")
        batch = self._batch_of(check_batch(calls, max_parallelism, timeout))
        timeout = without_infinity(timeout)
        if loop is None:
            raise DurableExecutionError(
                "ctx.durable_execute_all_async needs an event loop, that is an `async def` "
                "handler; in a `def` handler call ctx.durable_execute_all(...)"
            )
        executors = self._subtask.executors
        return self.to_be_awaited(
            "ctx.durable_execute_all_async",
            partial(run_batch, self._calls, executors, self._line, batch, max_parallelism, timeout),
        )

    def durable_execute_all(
        self,
        calls: Iterable[DurableCall],
        max_parallelism: int | None = None,
        timeout: float | None = None,
    ) -> Outcomes:
        loop = self._check_place("durable_execute_all")
        batch = self._batch_of(check_batch(calls, max_parallelism, timeout))
        timeout = without_infinity(timeout)
        if loop is None:
            return run_batch_blocking(
                self._calls, batch, self._subtask.executors, max_parallelism, timeout
            )
        return run_batch_holding_the_loop(self._calls, batch, timeout, loop)

    def gather(self, *awaitables: Awaitable[Any]) -> Awaitable[Outcomes]:
        return self.to_be_awaited("ctx.gather", partial(gather, awaitables))

    def _batch_of(self, calls: Iterable[DurableCall]) -> list[Call]:
        batch = []
        for call in calls:
            self._check_call(call.func, call.reconciler)
            options = self._subtask.call_options.resolve(
                call.reconciler is not None,
                call.durability,
                call.in_doubt,
                call.retry,
                call.timeout,
                result_type=call.result_type,
                identity=call.identity,
            )
            batch.append(
                Call.of(
                    call.func,
                    call.args,
                    call.keywords,
                    call.reconciler,
                    call.durable_id,
                    options,
                    call.pool,
                )
            )
        return batch

    def _check_call(self, func: Any, reconciler: Any) -> None:
        if not callable(func):
            raise TypeError(f"a durable call takes a function first, not {type(func).__name__}")
        if reconciler is not None:
            check_reconciler(reconciler)
        if running_call.get() is not None:
            raise NestedDurableCall(
                f"{compute_function_id(func)} was called durably from inside another durable call; "
                "make both calls from the handler, one after the other"
            )
        if self._calls.closed:
            self._calls.check_open()
