"""One invocation over slots in memory, run as in the operator, and run again after failures."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from bridges import Slot, SlotsInMemory, slot_journal
from loops import PATIENCE, Operator
from recordings import Moment, Recording, keep

from pyflink_durable import DurableOptions, Observer
from pyflink_durable.checks.arguments import is_coroutine_function
from pyflink_durable.payload.payloads import Payloads
from pyflink_durable.runtime.execution.execution import Execution, Report
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.execution.outcome import FunctionOutcome
from pyflink_durable.runtime.execution.thread_pool import ThreadPool
from pyflink_durable.runtime.journal.call_options import OptionsResolver
from pyflink_durable.runtime.journal.holds import Holds
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity
from pyflink_durable.runtime.operator.async_handlers import AsyncHandlerRunner
from pyflink_durable.runtime.operator.handler_runner import HandlerRunner
from pyflink_durable.runtime.operator.invocation import Invocation
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext
from pyflink_durable.runtime.operator.subtask import Subtask
from pyflink_durable.runtime.operator.thread_handlers import ThreadHandlerRunner
from pyflink_durable.runtime.telemetry.observers import Observers
from pyflink_durable.runtime.telemetry.telemetry import LocalTelemetry

NUMBER = 7
VALUE = "value"


class HandlerBench:
    """Runs a handler, ``async def`` or ``def``, as the host does.

    Args:
        handler: ``(value, ctx)``.
        executor: Where its calls run.
        options: Settings of the operator.
        slots: The journal it starts from.
        identity: The operator's uid, the key and the invocation's id.
        observers: Told of what happens.
    """

    def __init__(
        self,
        handler: Callable[..., Any],
        executor: Any,
        options: DurableOptions | None = None,
        slots: Sequence[Slot] = (),
        identity: tuple[str, Any, int | str] = ("orders", "k", 3),
        observers: Sequence[Observer] = (),
    ) -> None:
        self._handler = handler
        self._executor: CallExecutor = executor
        self._options = options or DurableOptions()
        self._identity = identity
        self.operator = Operator()
        self.journal = SlotsInMemory(slots)
        self.holds = Holds()
        self.telemetry = LocalTelemetry()
        self.ended: list[FunctionOutcome] = []
        self._pool = ThreadPool("handler", 2)
        self.runner = self._make_runner()
        self.payloads = Payloads(self._options, notes=self.telemetry)
        uid, key, invocation = identity
        self.ctx = FlinkRunnerContext(
            slot_journal(self.journal, size=len(slots)),
            subtask=Subtask(
                executor,
                telemetry=self.telemetry,
                observer=Observers(self.telemetry, observers),
                holds=self.holds,
                call_options=OptionsResolver(self._options, can_gate=True),
                on_mismatch=self._options.on_mismatch,
                payloads=self.payloads,
            ),
            identity=InvocationIdentity(lambda _: key, uid, invocation),
            number=NUMBER,
        )
        self._record()

    def _record(self) -> None:
        """Has a replay of each step be held against this run, see `replays`."""

        def look() -> Moment:
            outcome = self.ended[0] if self.ended else None
            held = [slot for _, slot in self.holds._holds]
            moment = Moment.of(self.journal.slots, self.ctx, outcome, held)
            rests = not self.operator.loop._spinners.active
            return moment if rests else moment._replace(ahead=True)

        recording = Recording(self._handler, self._options, self._identity, VALUE, [look()])
        recording.watch(self.operator.loop, look)
        keep(recording)

    def _make_runner(self) -> HandlerRunner:
        def on_end(invocation: Invocation) -> None:
            assert invocation.outcome is not None
            invocation.context.end()
            self.ended.append(invocation.outcome)

        loop = self.operator.loop
        if is_coroutine_function(self._handler):
            return AsyncHandlerRunner(self._handler, loop, self.telemetry, on_end)
        return ThreadHandlerRunner(self._handler, loop, self._executor, self._pool, on_end)

    # ---------------------------------------------------------------- runs

    def start(self) -> HandlerBench:
        """Runs the handler to its first wait."""
        self.runner.start(Invocation(NUMBER, VALUE, self.ctx))
        self.operator.loop.run_until_idle()
        return self

    def run(self) -> Any:
        """Runs the handler to its end; gives its result."""
        self.start()
        return self.result()

    def result(self) -> Any:
        """Waits for the handler's end; gives its result."""
        self.operator.drain_until(lambda: bool(self.ended))
        assert self._pool.close(time.monotonic() + PATIENCE) == []
        [outcome] = self.ended
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    def release(self, slot: int, error: str | None = None) -> None:
        """What the operator tells when a hold is over."""
        self.holds.release(NUMBER, slot, error)
        self.operator.loop.run_until_idle()

    def again(
        self, slots: Sequence[Slot] | None = None, options: DurableOptions | None = None
    ) -> HandlerBench:
        """The same invocation after a failure, over what the journal kept."""
        return HandlerBench(
            self._handler,
            self._executor,
            options or self._options,
            tuple(self.journal.slots if slots is None else slots),
            self._identity,
        )

    # ---------------------------------------------------------------- what a test reads

    @property
    def slots(self) -> list[Slot]:
        """Without the times at which things happened."""
        return [slot._replace(ended_at=None, began=None) for slot in self.journal.slots]

    @property
    def statuses(self) -> list[str]:
        """Of each slot; SCHEDULED for a pending one that has not started."""
        return ["SCHEDULED" if slot.due is not None else slot.status for slot in self.journal.slots]


class ByHand:
    """An executor whose calls end when the test says so.

    Args:
        begins: Whether calls begin when they are submitted; otherwise they do when they end.

    Attributes:
        started: What was started, by the arguments of the call.
    """

    def __init__(self, begins: bool = True) -> None:
        self.started: dict[Any, Callable[[Any], None]] = {}
        self._begins = begins

    def submit(self, execution: Execution, report: Report) -> None:
        execution.report_to(report)
        if self._begins:
            assert execution.begin()

        def end(value: Any) -> None:
            if not self._begins:
                assert execution.begin()
            error = value if isinstance(value, BaseException) else None
            execution.report(FunctionOutcome(None if error else value, error))

        args: Any = execution.args
        self.started[args[0] if args else execution.func.__name__] = end
