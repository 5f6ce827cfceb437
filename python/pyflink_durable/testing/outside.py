"""The outside of an attempt: runs the functions of its calls, one at a time, in virtual time."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from pyflink_durable.checks.arguments import is_awaitable, is_coroutine_function
from pyflink_durable.context import NOT_EXECUTED
from pyflink_durable.identity.digest import compute_function_id
from pyflink_durable.runtime.execution.execution import Execution, Report, cancelled_itself
from pyflink_durable.runtime.execution.outcome import FunctionOutcome, TimedOut
from pyflink_durable.runtime.execution.timeouts import await_in_time
from pyflink_durable.testing.calls import RunCall
from pyflink_durable.testing.crashes import Crashed
from pyflink_durable.testing.first_line import has_a_second_line, run_first_line
from pyflink_durable.testing.handler_threads import Arrivals, HandlerThread, thread_of
from pyflink_durable.testing.stubs import CallNotAllowed

if TYPE_CHECKING:
    from pyflink_durable.testing.attempt import Attempt
    from pyflink_durable.testing.world import World


class Outside:
    """In place of the executors of a subtask.

    Args:
        world: What the attempts of a run share.
        attempt: Whose calls it runs.
    """

    def __init__(self, world: World, attempt: Attempt) -> None:
        self._world = world
        self._attempt = attempt
        self._line: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._tasks: set[Any] = set()
        self._next_of_loop: float | None = None

    # ---------------------------------------------------------------- as the executor

    def submit(self, execution: Execution, report: Report) -> None:
        """Puts a call in line; it starts when the step has ended."""
        if execution.current is None:
            self._submit_own(execution, report)
            return
        call = self._call_of(execution)
        execution.report_to(partial(self._ended, execution.asks, call, report))
        self._later(0.0, partial(self._begin, execution, call))

    def _submit_own(self, execution: Execution, report: Report) -> None:
        """Of the runtime itself, which is no call: an object that goes into the store."""

        def ended(outcome: FunctionOutcome) -> None:
            if not self._world.crashed:
                report(outcome)

        def begin() -> None:
            if execution.begin():
                execution.report(execution.run())

        execution.report_to(ended)
        self._later(0.0, begin)

    def run_here(
        self, execution: Execution, run: Callable[[Execution], FunctionOutcome] = Execution.run
    ) -> FunctionOutcome:
        """Runs a function on the thread that asks."""
        world = self._world
        if world.crashed:
            raise Crashed
        if not world.makes_calls:
            self._stop_here()
        if execution.current is None:
            return run(execution)
        call = self._call_of(execution)
        self._attempt.before_call_here()
        latency = self._stand_in(execution, call)
        self._start(execution, call)
        world.clock.move(world.clock.now + latency)
        outcome = run(execution)
        self._returned(execution.asks, call, outcome)
        return outcome

    def _stop_here(self) -> None:
        """A replay has come to a call that its journal does not hold.

        Raises:
            Crashed: It ends here; on the thread of a ``def`` handler once it is ended.
        """
        thread = thread_of(self._attempt)
        while thread is not None:
            thread.pause()
        self._world.crashed = True
        raise Crashed

    def arrivals(self) -> Any:
        """A queue at which the thread of a ``def`` handler waits."""
        return Arrivals(self._world.clock, self._attempt)

    def start_on(
        self, pool: Any, run: Callable[[Any], object], what: Any, refuse: Callable[..., object]
    ) -> None:
        """Starts a ``def`` handler."""
        self._attempt.threads.append(HandlerThread(partial(run, what)))

    @contextmanager
    def on_closing(self, callback: Callable[[], None]) -> Iterator[None]:
        """A thread that waits is ended by the attempt."""
        yield

    # ---------------------------------------------------------------- a function

    def _call_of(self, execution: Execution) -> RunCall:
        current = execution.current
        assert current is not None
        attempt = self._attempt
        input = attempt.input_of(current)
        slots = attempt.journals.of[input].slots
        if current.slot < len(slots):
            name = slots[current.slot].function_id
        else:
            name = current.durable_id or compute_function_id(execution.func)
        return self._world.calls.note(name, input, current.slot)

    def _start(self, execution: Execution, call: RunCall) -> None:
        if execution.asks:
            call.asked += 1
            return
        self._world.reach("before", call.name, call.input)
        call.attempts += 1
        if has_a_second_line(execution.func):
            try:
                self._world.reach("during", call.name, call.input)
            except Crashed:
                run_first_line(execution)
                raise

    def _stand_in(self, execution: Execution, call: RunCall) -> float:
        """Has a stub run in place of the function; gives the seconds that it takes."""
        world = self._world
        try:
            stub = None if execution.asks else world.stubs.find(call.name, execution.func)
        except CallNotAllowed as error:  # it ends the run: a handler might catch it
            world.failure, world.crashed = error, True
            raise Crashed from None
        if stub is None:
            return 0.0
        execution.func = stub
        return stub.latency

    def _begin(self, execution: Execution, call: RunCall) -> None:
        if not execution.begin():
            return
        latency = self._stand_in(execution, call)
        self._start(execution, call)
        if is_coroutine_function(execution.func):
            self._await(execution, call)
        elif not latency:
            self._run(execution, call)
        else:
            if execution.timeout is not None and execution.timeout < latency:
                expire = partial(execution.report, FunctionOutcome(None, TimedOut()))
                self._later(execution.timeout, expire)
                # a thread cannot be interrupted: what it does when its time is over, it does
                stub, args, kwargs = execution.func, execution.args, execution.kwargs
                late = Execution(stub, args, kwargs, execution.current)
                self._later(latency, late.run)
            else:
                self._later(latency, partial(self._run, execution, call))

    def _run(self, execution: Execution, call: RunCall) -> None:
        outcome = execution.run()
        if is_awaitable(outcome.value):  # a lambda around a coroutine function, for example
            if execution.go_on_with(_identity, outcome.value):
                self._await(execution, call)
            return
        execution.report(outcome)

    def _await(self, execution: Execution, call: RunCall) -> None:
        loop = self._world.outside_loop
        task = loop.start(self._run_coroutine(execution), execution.context)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        self._drive()
        if not task.done():
            self._world.reach("during", call.name, call.input)

    def _forget(self, task: Any) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # that of a crash, which asyncio would tell of as one nobody has seen

    async def _run_coroutine(self, execution: Execution) -> None:
        if execution.timeout is not None:
            await await_in_time(execution, execution.timeout, lambda count: None)
            return
        func = execution.func
        outcome = await execution.run_async()
        if outcome.error is not None and type(outcome.error).__name__ == "CancelledError":
            outcome = cancelled_itself(outcome.error, func)
        execution.report(outcome)

    def _ended(self, asks: bool, call: RunCall, report: Report, outcome: FunctionOutcome) -> None:
        if self._world.crashed:
            return
        self._returned(asks, call, outcome)
        report(outcome)

    def _returned(self, asks: bool, call: RunCall, outcome: FunctionOutcome) -> None:
        world = self._world
        world.effects += 1
        if not asks:
            world.reach("after-effect", call.name, call.input)
            return
        if outcome.value is not NOT_EXECUTED:
            call.reconciled = True
        world.reach("in-reconciler", call.name, call.input)

    # ---------------------------------------------------------------- its time

    def _later(self, seconds: float, do: Callable[[], object]) -> None:
        heapq.heappush(self._line, (self._world.clock.now + seconds, next(self._numbers), do))

    def next_due(self) -> float | None:
        """When the next thing happens out here; None if nothing will."""
        due = self._line[0][0] if self._line else None
        of_loop = self._next_of_loop
        return of_loop if due is None or (of_loop is not None and of_loop < due) else due

    @property
    def waits_for_input(self) -> bool:
        """Whether a coroutine function waits for what takes real time."""
        if not self._tasks:
            return False
        return self._next_of_loop is None or self._world.outside_loop.expects_input

    def wait_for_input(self) -> None:
        """Has a coroutine function get it."""
        self._world.outside_loop.wait_for_input()
        self._drive()

    def go_on(self) -> None:
        """Has what is due happen: one thing, so that each has a step of its own."""
        now, line = self._world.clock.now, self._line
        if line and line[0][0] <= now:
            ready = sum(1 for entry in line if entry[0] == line[0][0])
            chosen = self._world.choose(ready) if ready > 1 else 0
            if not chosen:
                heapq.heappop(line)[2]()
                return
            entry = sorted(line)[chosen]
            line.remove(entry)
            heapq.heapify(line)
            entry[2]()
        else:
            self._drive()

    def _drive(self) -> None:
        wait = self._world.outside_loop.drive()
        self._next_of_loop = None if wait is None else self._world.clock.now + wait
        if self._world.crashed:
            raise Crashed

    def close(self) -> None:
        """The attempt ends: what runs is given up."""
        self._line.clear()
        if self._tasks:
            for task in self._tasks:
                task.cancel()
            self._world.outside_loop.drive()
            self._tasks.clear()


def _identity(value: Any) -> Any:
    return value
