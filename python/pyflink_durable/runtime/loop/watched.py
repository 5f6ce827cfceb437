"""The threads that others wait for: that of the handlers, and those of the coroutine functions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.loop.invocation_tasks import InvocationTasks, NumberedTask
from pyflink_durable.runtime.loop.loop import DurableLoop
from pyflink_durable.runtime.loop.places import place_of_task
from pyflink_durable.runtime.telemetry.telemetry import Telemetry


class TaskThread:
    """Flink's task thread, while it runs handlers.

    Args:
        loop: Of the handlers.
        describe: Names an invocation by its number in this attempt of the subtask.
    """

    consequence = (
        "the handler holds the task: no other handler goes on, no input is taken and no checkpoint "
        "comes meanwhile. Call what takes long with `await ctx.durable_execute_async(...)`"
    )

    def __init__(self, loop: DurableLoop, describe: Callable[[int], str]) -> None:
        self._loop = loop
        self._describe = describe

    def busy(self) -> tuple[int, int] | None:
        return self._loop.busy()

    def who(self) -> str:
        task = asyncio.current_task(self._loop)
        invocation = task.invocation if isinstance(task, NumberedTask) else None
        return "a callback" if invocation is None else self._describe(invocation)


class CoroutineThread:
    """The asyncio thread of an executor, while functions run there.

    A beat is sent to its loop, and the next one when it has come back: as long as one does not,
    some function does not let go of the thread.

    Args:
        executor: Whose thread it is.
    """

    consequence = (
        "a coroutine function holds the thread of all of them: none goes on meanwhile, and their "
        "timeouts have no effect. Await what takes long there, or give durable_execute_async an "
        "ordinary function, which has a thread for itself"
    )

    def __init__(self, executor: CallExecutor) -> None:
        self._executor = executor
        self._sent = self._returned = 0

    def busy(self) -> tuple[int, int] | None:
        thread = self._executor.awaiting_thread()
        if thread is None:
            return None
        if self._returned == self._sent and thread.call_soon(self._come_back):
            self._sent += 1
        return thread.ident, self._sent

    def _come_back(self) -> None:
        self._returned += 1

    def who(self) -> str:
        thread = self._executor.awaiting_thread()
        return "" if thread is None else f"thread={thread.name}"


def tell_of_spinning(
    telemetry: Telemetry, callback: asyncio.Handle, invocation: InvocationTasks
) -> None:
    """Says which handler goes round without waiting, and where.

    Args:
        telemetry: Where to count and log.
        callback: One that would be called in the next round.
        invocation: Whose callback it is.
    """
    task = getattr(callback._callback, "__self__", None)  # type: ignore[attr-defined]
    place = place_of_task(task) if isinstance(task, asyncio.Task) else "a callback"
    who = "" if invocation.context is None else f"{invocation.context.describe()} "
    telemetry.count("blocked")
    telemetry.warning(
        f"{who}at={place} the handler goes round without waiting for anything, as in `while not "
        "done: await asyncio.sleep(0)`: it is put aside, and goes round some times a second. "
        "Await what it looks for, or sleep in between"
    )
