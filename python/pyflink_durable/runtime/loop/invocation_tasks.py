"""What an invocation has started on the loop: tasks and futures that are the same in each run."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar
from typing import Any, Protocol

from pyflink_durable.current_call import running_call
from pyflink_durable.errors import NestedDurableCall
from pyflink_durable.runtime.journal.clock import InvocationClock
from pyflink_durable.runtime.journal.timers import DurableTimers
from pyflink_durable.runtime.loop.async_generators import InvocationGenerators
from pyflink_durable.runtime.loop.invocation_waits import InvocationWaits

_INVOCATION_BITS = 32
"""Of a number, above those that count what an invocation has started."""

_NUMBERS = (1 << _INVOCATION_BITS) - 1


class HasTime(Protocol):
    """The context of an invocation, as far as the loop knows it."""

    def describe(self) -> str:
        """Names the invocation in log lines."""

    @property
    def clock(self) -> InvocationClock:
        """The invocation's clock."""

    def timers(self) -> DurableTimers:
        """What journals the handler's timers."""


class InvocationTasks:
    """What the running handler has started, numbered in order.

    asyncio keeps tasks in sets (`as_completed`, `wait`, `TaskGroup`), and so do libraries. Their
    order follows the members' hash: the address in memory, unless the number is the hash. With it,
    a set of tasks, calls or futures has the same order in each run of a handler.

    Args:
        invocation: The invocation's id. It goes into the high bits, which leave the order within
            one handler alone but keep the tasks of thousands apart in asyncio's set of all tasks.

        context: The invocation's context, whose timers and clock are in the journal; None if they
            are those of the process.

    Attributes:
        running: Tasks that have not ended; what a handler starts must end with it. None if it
            has started none.
        generators: Asynchronous generators that it has begun; None if it has begun none.
        spins: Whether it goes round without waiting for anything, see `Spinners`.
        waits: The times that it waits for; None if it has waited for none.
        first_number: That of the handler's own task.
    """

    __slots__ = (
        "_next_number",
        "_timers",
        "context",
        "first_number",
        "generators",
        "running",
        "spins",
        "waits",
    )

    def __init__(self, invocation: int, context: HasTime | None = None) -> None:
        self.running: set[asyncio.Task[Any]] | None = None
        self.generators: InvocationGenerators | None = None
        self.spins = False
        self.waits: InvocationWaits | None = None
        self.context = context
        self.first_number = self._next_number = invocation << _INVOCATION_BITS
        self._timers: DurableTimers | None = None

    def add(self, task: NumberedTask) -> None:
        """Takes a task in that the handler has started."""
        if self.running is None:
            self.running = set()
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    def wait(self, due: int, handle: asyncio.TimerHandle, unless: asyncio.TimerHandle) -> None:
        """Takes a wait in, see `InvocationWaits.add`."""
        if self.waits is None:
            self.waits = InvocationWaits()
        self.waits.add(due, handle, unless)

    def next_number(self) -> int:
        """The number of the next task, call or future of the invocation."""
        self._next_number += 1
        return self._next_number

    @property
    def timers(self) -> DurableTimers | None:
        """What journals the handler's timers, None if nothing does."""
        if self._timers is None and self.context is not None:
            self._timers = self.context.timers()
        return self._timers


invocation_tasks: ContextVar[InvocationTasks | None] = ContextVar(
    "pyflink_durable_tasks", default=None
)
"""The tasks of the invocation that is running; inherited by the tasks it starts."""


def timers_of_handler() -> DurableTimers | None:
    """What journals the timers of the handler that asks, None if nothing does.

    Raises:
        NestedDurableCall: The function of a call asks, which a replay does not run.
    """
    if running_call.get() is not None:
        raise NestedDurableCall(
            "a timer of the handler's loop was started inside a durable call; wait in the "
            "handler, or in the call with its own means"
        )
    tasks = invocation_tasks.get()
    timers = None if tasks is None else tasks.timers
    return timers if timers is not None and timers.open else None


def number_of(future: asyncio.Future[Any]) -> int:
    """A number for what is kept in a set: the invocation's next one; a negative one outside."""
    tasks = invocation_tasks.get()
    return -id(future) if tasks is None else tasks.next_number()


class NumberedTask(asyncio.Task):  # type: ignore[type-arg]
    """A task whose place in a set is the same in each run of its handler.

    Args:
        coro: What it runs.
        number: Its number; by default the invocation's next one.
        **options: Of `asyncio.Task`.
    """

    def __init__(
        self, coro: Coroutine[Any, Any, Any], *, number: int | None = None, **options: Any
    ) -> None:
        # first: asyncio puts it into its set of all tasks, which keeps the hash that it had there
        self.number = number_of(self) if number is None else number
        if self.number >= 0 and options.get("name") is None:  # asyncio's counts in the process
            options["name"] = f"Task-{self.number & _NUMBERS}"
        super().__init__(coro, **options)

    @property
    def invocation(self) -> int | None:
        """The id of the invocation that it belongs to, None if it is of none."""
        return self.number >> _INVOCATION_BITS if self.number >= 0 else None

    def __hash__(self) -> int:
        return self.number


class NumberedFuture(asyncio.Future):  # type: ignore[type-arg]
    """A future whose place in a set is the same; few are put into one, which gives the number."""

    number: int | None = None

    def __hash__(self) -> int:
        if self.number is None:
            self.number = number_of(self)
        return self.number
