"""The deterministic event loop on which handlers run.

It only runs callbacks that are ready, in the order in which they became ready, when Flink's task
thread tells it to. It makes no system call and starts no thread. The same handler over the same
journal therefore takes the same steps, whatever the threads around it do. The model is the workflow
loop of Temporal's Python SDK (``temporalio/worker/_workflow_instance.py``).

Over 300 lines: asyncio asks a loop for many small things in one class.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import sys
import time
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import Any, TypeVar

from pyflink_durable.runtime.loop.generator_hooks import GeneratorHooks
from pyflink_durable.runtime.loop.invocation_tasks import (
    InvocationTasks,
    NumberedFuture,
    NumberedTask,
    invocation_tasks,
    timers_of_handler,
)
from pyflink_durable.runtime.loop.leftovers import end_tasks
from pyflink_durable.runtime.loop.own_thread import KeepsToItsThread
from pyflink_durable.runtime.loop.spinning import Spinners
from pyflink_durable.runtime.loop.wake_ups import WakeUps

T = TypeVar("T")


class DurableLoop(KeepsToItsThread):
    """One per subtask, shared by the handlers of all its keys.

    Args:
        wake: Asks the task thread to call `drain` soon; called from any thread.
        wake_at: Asks the task thread to call `drain` at a time (milliseconds since the epoch).
        on_problem: Gets one line for an exception that no handler will see.
        on_spinning: Told of a handler that goes round without waiting, with one of its callbacks.
    """

    def __init__(
        self,
        wake: Callable[[], None],
        wake_at: Callable[[int], None],
        on_problem: Callable[[str], None],
        on_spinning: Callable[[asyncio.Handle, InvocationTasks], None] = lambda callback, of: None,
    ) -> None:
        super().__init__(on_problem)
        self._wake = wake
        self._ready: deque[asyncio.Handle] = deque()
        self._inbox: deque[tuple[Callable[..., Any], tuple[Any, ...]]] = deque()
        self._wake_asked = False
        self._wake_ups = WakeUps(wake_at)
        self._replays: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = itertools.count()  # equal entries of a heap keep their order
        self._epoch = time.time() - time.monotonic()
        self._runs_on: int | None = None
        self._turns = 0
        self._generators = GeneratorHooks(self, self.runs_here)
        self._spinners = Spinners(on_spinning, self._look_at)
        self._closed = False

    # ---------------------------------------------------------------- driven by the task thread

    def run_until_idle(self) -> None:
        """Runs callbacks until none is ready, replaying calls one at a time in between.

        Where a handler goes round without rest it ends before that, and asks to be driven on.
        """
        with self._running():
            self._settle()

    def drain(self) -> None:
        """Takes in what was handed over, one at a time in order, and due timers."""
        self._wake_asked = False
        with self._running():
            rests = self._settle()
            while rests and self._inbox:
                callback, args = self._inbox.popleft()
                callback(*args)
                del callback, args  # an error's traceback may hold this frame
                rests = self._settle()
            if rests:
                self._run_due_timers()

    def take_in(self, callback: Callable[..., Any], *args: Any) -> None:
        """Has the next `drain` call something, in its turn; on the task thread."""
        self._inbox.append((callback, args))

    def run_out(self) -> None:
        """As `run_until_idle`, and handlers that were put aside go on."""
        self._spinners.look(self._ready)
        self.run_until_idle()

    @contextmanager
    def _running(self) -> Iterator[None]:
        """Makes this the running loop, for many callbacks: asyncio asks for the process's id."""
        outer, outer_thread = events._get_running_loop(), self._runs_on
        outer_hooks = sys.get_asyncgen_hooks()
        events._set_running_loop(self)
        self._runs_on = self.thread = get_ident()
        self._turns += 1
        sys.set_asyncgen_hooks(self._generators.begin, self._generators.leave)
        try:
            yield
        finally:
            sys.set_asyncgen_hooks(*outer_hooks)
            self._runs_on = outer_thread
            events._set_running_loop(outer)

    def busy(self) -> tuple[int, int] | None:
        """The thread that it runs on, and how far it has come; None while it does not run."""
        thread = self._runs_on
        return None if thread is None else (thread, self._turns)

    def runs_here(self) -> bool:
        """Whether this is the loop that runs the code that asks."""
        return self._runs_on == get_ident()

    def _settle(self) -> bool:
        """Runs the ready callbacks, and replays, until there are none.

        Returns:
            False if they do not come to rest: the step is to end, and nothing is given to handlers.
        """
        spinners = self._spinners
        while True:
            if spinners.active:
                spinners.rejoin(self._ready)
            if not self._run_ready() and not spinners.put_aside(self._ready):
                self._ask_to_wake()
                return False
            if spinners.active:
                spinners.came_to_rest()
            if not self._replays:
                return True
            heapq.heappop(self._replays)[2]()

    def _run_ready(self) -> bool:
        """Goes through the callbacks that are ready, again and again; False if that has no end."""
        ready, spinners, rounds = self._ready, self._spinners, 0
        while ready:
            self._turns += 1
            for _ in range(len(ready)):
                handle = ready.popleft()
                if not handle._cancelled:
                    handle._run()
                del handle  # an error's traceback may hold this frame, as asyncio's own loop says
            rounds += 1
            if rounds >= spinners.rounds:
                return not ready
        return True

    def replay_in_turn(self, completion: int, replay: Callable[[], None]) -> None:
        """Calls `replay` when it is the turn of a call that is answered from the journal.

        Calls that were awaited together resolve in the order in which they first completed, with
        the loop run to quiescence between them, as `drain` did it then. Calls that are still to
        run complete after all of these.

        Args:
            completion: The call's place in the journal's order of completion.
            replay: Resolves the call.
        """
        heapq.heappush(self._replays, (completion, next(self._numbers), replay))

    def _run_due_timers(self) -> None:
        now, wake_ups = time.monotonic(), self._wake_ups
        while (handle := wake_ups.pop(now)) is not None:
            self._ready.append(handle)
            del handle  # an error's traceback may hold this frame
            if not self._settle():
                break
        wake_ups.ask()

    # ---------------------------------------------------------------- scheduling

    def call_soon(
        self, callback: Callable[..., Any], *args: Any, context: Any = None
    ) -> asyncio.Handle:
        if get_ident() != self.thread:
            self.refuse("loop.call_soon")
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def hand_over(self, callback: Callable[..., Any], *args: Any) -> None:
        """Hands a callback over from another thread; the task is woken once for many.

        After `close` it is forgotten: a call that outlives its attempt reports here, too.
        """
        if not self._closed:
            self._inbox.append((callback, args))
            self._ask_to_wake()

    def _ask_to_wake(self) -> None:
        if not self._wake_asked:
            self._wake_asked = True
            self._wake()

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        timers = timers_of_handler()
        if get_ident() != self.thread:
            self.refuse("loop.call_at")
        if timers is not None:
            return timers.start(self, when, callback, args, context)
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._wake_ups.add(time.monotonic() + when - self.time(), handle, handle)
        return handle

    def wake_up_at(
        self,
        due: int,
        callback: Callable[[], None],
        unless: asyncio.TimerHandle | None = None,
        of: InvocationTasks | None = None,
    ) -> None:
        """Calls back at a time; nothing is journaled of it.

        Args:
            due: The time in milliseconds since the epoch.
            callback: What to call.
            unless: It is not called if this handle has been cancelled by then.
            of: What waits for it; by default what runs.
        """
        when = time.monotonic() + due / 1000 - time.time()
        handle = asyncio.TimerHandle(when, callback, (), self)
        self._wake_ups.add(when, handle, unless or handle)
        if (tasks := of or invocation_tasks.get()) is not None:
            tasks.wait(due, handle, unless or handle)

    def _look_at(self, when: float) -> None:
        """Looks after handlers that were put aside, at a time of the monotonic clock."""
        look = asyncio.TimerHandle(when, self._spinners.look, (self._ready,), self)
        self._wake_ups.add(when, look, look)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Called by `TimerHandle.cancel`."""
        self._wake_ups.note_cancelled()

    def time(self) -> float:
        """Seconds since the epoch: on the clock of the invocation that asks, see `InvocationClock`.

        Outside of invocations it is the process's, which only goes forward.
        """
        tasks = invocation_tasks.get()
        if tasks is None or tasks.context is None:
            return self._epoch + time.monotonic()
        return tasks.context.clock.time()

    def create_future(self) -> asyncio.Future[Any]:
        return NumberedFuture(loop=self)

    def create_task(
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Any = None,
        **options: Any,
    ) -> asyncio.Task[T]:
        if sys.version_info >= (3, 11):
            options["context"] = context
        task = NumberedTask(coro, loop=self, name=name, **options)
        tasks = invocation_tasks.get()
        if tasks is not None:
            tasks.add(task)
        return task

    # ---------------------------------------------------------------- its state

    def is_running(self) -> bool:
        return self._runs_on is not None

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Ends the tasks that have not ended, and forgets everything that has not run."""
        self._closed = True
        with self._running():
            end_tasks(self, self._settle)
        self._ready.clear()
        self._inbox.clear()
        self._wake_ups.timers.clear()
        self._replays.clear()
        self._generators.close()
        self._spinners.close()
