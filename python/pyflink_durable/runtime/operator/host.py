"""The Python half of the operator: starts handlers; how they end is in `endings`."""

from __future__ import annotations

import gc
import pickle
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

from pyflink.datastream import KeyedProcessFunction, RuntimeContext

from pyflink_durable.checks.arguments import check_invocation_id
from pyflink_durable.errors import (
    DurableExecutionError,
)
from pyflink_durable.handler import (
    DurableProcessFunction,
    Handler,
    HandlerFunction,
    handles_asynchronously,
    process_function_of,
)
from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.identity.digest_rule_1 import RULE_1
from pyflink_durable.observer import Observer
from pyflink_durable.options import DurableOptions
from pyflink_durable.payload.copies import copy_of
from pyflink_durable.payload.payloads import Payloads
from pyflink_durable.payload.script_classes import ScriptClasses
from pyflink_durable.runtime.execution.closing import close_all
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.execution.outcome import Outcome
from pyflink_durable.runtime.execution.thread_pool import ThreadPool
from pyflink_durable.runtime.journal.call_options import CallOptionsOf
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity
from pyflink_durable.runtime.journal.signals import SignalWaits
from pyflink_durable.runtime.loop.loop import DurableLoop
from pyflink_durable.runtime.loop.watchdog import Watchdog
from pyflink_durable.runtime.loop.watched import CoroutineThread, TaskThread, tell_of_spinning
from pyflink_durable.runtime.operator.async_handlers import AsyncHandlerRunner
from pyflink_durable.runtime.operator.endings import Endings, check_outputs
from pyflink_durable.runtime.operator.handler_metrics import Gauges, HandlerMetrics
from pyflink_durable.runtime.operator.handler_runner import HandlerRunner
from pyflink_durable.runtime.operator.invocation import Invocation
from pyflink_durable.runtime.operator.operation import Element, opening
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext
from pyflink_durable.runtime.operator.signal_desk import SignalDesk
from pyflink_durable.runtime.operator.subtask import Subtask
from pyflink_durable.runtime.operator.task_context import TaskContext
from pyflink_durable.runtime.operator.thread_handlers import ThreadHandlerRunner
from pyflink_durable.runtime.operator.user_state import BridgeState, StateBackend
from pyflink_durable.runtime.telemetry.call_metrics import CallMetrics
from pyflink_durable.runtime.telemetry.observers import Observers
from pyflink_durable.runtime.telemetry.telemetry import FlinkTelemetry
from pyflink_durable.runtime.values import Outputs

_LARGEST_GROUP = 64
"""Handlers that start one by one, each run to its first wait, take a tenth longer."""

_OBJECTS_PER_INVOCATION = 50
"""With thousands of calls in flight all young objects are in use: Python's collector, which looks
for cycles among them after 700 new ones, finds nothing, and costs as much as the calls. It looks
when more are alive than those of all invocations that may be in flight."""


class DurableHost(KeyedProcessFunction):  # type: ignore[misc]
    """Starts a handler for each element and emits what has ended; one per attempt of a subtask.

    The interpreter outlives the job, so nothing here is kept in a module.

    Args:
        handler: The user's handler.
        options: Settings of the operator.
        name: The operator's name, for log lines and thread names.
        uid: The operator's uid, for idempotency keys.
        can_gate: Whether the job takes the checkpoints that a call at the gate waits for.
        has_signals: Whether the operator has an input of signals.
        previous: Handlers of earlier versions, by which their inputs in flight are handled.
    """

    def __init__(
        self,
        handler: Handler,
        options: DurableOptions,
        name: str,
        uid: str,
        can_gate: bool,
        has_signals: bool = False,
        previous: Mapping[str | None, Handler] | None = None,
    ) -> None:
        self._handler = handler
        self._previous = dict(previous or {})
        self._options = options
        self._name = name
        self._uid = uid
        self._can_gate = can_gate
        self._has_signals = has_signals
        self._classes = ScriptClasses.of((handler, self._previous))

    def open(self, runtime_context: RuntimeContext) -> None:
        operation = opening.get()
        if operation is None:
            raise DurableExecutionError("a DurableHost runs in a DurableKeyedProcessOperator only")
        _relax_garbage_collection(self._options.max_in_flight + self._options.max_pending)
        self._operation = operation
        self._bridge = operation.bridge
        self._telemetry = FlinkTelemetry(self._bridge, self._name)
        self._outputs = Outputs(operation.output_types, self._name, self._telemetry)
        check_outputs(self._options, self._outputs, self._name)
        self._payloads = Payloads(self._options, self._classes, self._telemetry)
        self._payloads.probe()
        self._loads = self._classes.loads if self._classes else pickle.loads
        self._key_of = self._load_key  # once for all: each bound method is an object
        self._to_end: deque[Invocation] = deque()
        self._loop = DurableLoop(
            self._bridge.wake,
            self._bridge.wakeAt,
            self._telemetry.warning,
            partial(tell_of_spinning, self._telemetry),
        )
        self._executor = self._make_executor("", self._options.call_threads)
        tools = self._options.tool_calls
        self._tool_executor = self._make_executor("-tool", tools.num_threads, tools.max_in_flight)
        self._runner = self._make_runner()
        watched = (
            TaskThread(self._loop, self._runner.describe),
            CoroutineThread(self._executor),
            CoroutineThread(self._tool_executor),
        )
        self._watchdog = Watchdog(f"durable-{self._name}-watchdog", watched, self._telemetry)
        self._gauges = Gauges(operation.metrics, self._telemetry)
        self._observers = Observers(
            self._telemetry, self._options.every_observer, self._own_observers()
        )
        waits = SignalWaits(self._bridge, self._options.call_log is not None, self._classes)
        self.signals = SignalDesk(self._name, waits, self._loop, self._outputs, self._loads)
        self._subtask = Subtask(
            {"calls": self._executor, "tools": self._tool_executor},
            loop=self._loop,
            telemetry=self._telemetry,
            observer=self._observers,
            call_options=CallOptionsOf(self._options, self._can_gate, self._telemetry.warning),
            on_mismatch=self._options.on_mismatch,
            tool_call_options=tools,
            state_of=self._load_state,
            outputs=self._outputs,
            payloads=self._payloads,
            signals=waits if self._has_signals else None,
        )
        self._endings = Endings(
            self._to_end,
            self._name,
            self._options,
            operation,
            self._runner,
            self._subtask.holds,
            self._outputs,
            self._payloads,
            self._telemetry,
        )
        try:
            self._observers.open()
            self._open_handlers(runtime_context)
            self._watchdog.start()
        except BaseException:
            self._close_after_failure()
            raise
        operation.connect(self, self._outputs, self._loads)

    def _open_handlers(self, runtime_context: RuntimeContext) -> None:
        for handler in self._opened_handlers():
            metrics = HandlerMetrics(self._operation.metrics, self._gauges)
            handler.open(TaskContext(self._bridge.describeTask(), metrics, runtime_context))
        self._gauges.read(self._bridge.wakeAt)

    def _own_observers(self) -> tuple[Observer, ...]:
        if not self._options.call_metrics:
            return ()
        metrics = HandlerMetrics(self._operation.metrics, self._gauges).add_group("durable")
        return (CallMetrics(metrics, self._telemetry.warning),)

    def _close_after_failure(self) -> None:
        """As Flink does, which closes functions that did not come to the end of their `open`."""
        try:
            self.close()
        except Exception as error:  # the reason is the other one
            self._telemetry.warning(
                f"error={error!r} close() failed, too, after the open() that is the task's failure"
            )

    def _make_executor(
        self, suffix: str, threads: int, max_in_flight: int | None = None
    ) -> CallExecutor:
        return CallExecutor(
            f"durable-{self._name}{suffix}",
            threads,
            max_in_flight,
            lambda count: self._telemetry.count("abandoned", count),
            self._options.max_in_flight,
            self._telemetry.warning,
        )

    def _make_runner(self) -> HandlerRunner:
        function = process_function_of(self._handler)
        on_end = self._to_end.append
        if handles_asynchronously(self._handler):
            return AsyncHandlerRunner(function, self._loop, self._telemetry, on_end)
        pool = ThreadPool(
            f"durable-{self._name}-handler",
            self._options.handler_threads,
            self._telemetry.warning,
        )
        return ThreadHandlerRunner(function, self._loop, self._executor, pool, on_end)

    def close(self) -> None:
        """Ends handlers, calls and threads; what they still do touches nothing."""
        deadline = time.monotonic() + self._options.close_timeout
        alive: list[str] = []
        close_all(
            self._executor.end_waits,
            self._tool_executor.end_waits,
            lambda: alive.extend(self._runner.close(deadline)),
            lambda: alive.extend(self._executor.close(deadline)),
            lambda: alive.extend(self._tool_executor.close(deadline)),
            lambda: self._tell_of_threads(alive),
            lambda: self._watchdog.close(deadline),
            self._loop.close,
            *(handler.close for handler in self._opened_handlers()),
            self._observers.close,
        )

    def _opened_handlers(self) -> list[DurableProcessFunction]:
        """Those that have a life, each once: one may stand for several versions."""
        all_handlers = {id(one): one for one in (self._handler, *self._previous.values())}
        return [one for one in all_handlers.values() if isinstance(one, DurableProcessFunction)]

    def _tell_of_threads(self, alive: list[str]) -> None:
        if alive:
            self._telemetry.count("abandoned", len(alive))
            self._telemetry.warning(
                f"threads={alive} calls that still run after close_timeout="
                f"{self._options.close_timeout}s are abandoned; give them a timeout"
            )

    # ---------------------------------------------------------------- a step of the operator

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterable[Any]:
        """Takes PyFlink's context; called once, with no element: those come to `start`."""
        self._endings.flink_context = ctx
        return ()

    def start(
        self, elements: Iterable[Element], seconds: float, versions: Mapping[int, str | None] = {}
    ) -> int:
        """Starts the handlers of elements, runs them until they wait, and tells how many it did.

        A step that takes long, since handlers block in it, ends early: no checkpoint comes between.
        So it looks at the clock between groups of handlers, the first of which is one.

        Args:
            elements: The elements.
            seconds: After which no further group starts.
            versions: By their ids, of those invocations that another version of the handler has
                accepted than the current one.
        """
        waiting = iter(elements)
        deadline = time.monotonic() + seconds
        started, size = 0, 1
        while not started or time.monotonic() < deadline:
            group = list(islice(waiting, size))
            if not group:
                break
            for element in group:
                self._start(*element, versions)
            self._loop.run_until_idle()
            started += len(group)
            size = min(2 * size, _LARGEST_GROUP)
        return started

    def _start(
        self,
        value: Any,
        number: int,
        timestamp: int | None,
        slots: int,
        sequence: int,
        versions: Mapping[int, str | None],
    ) -> None:
        identity = InvocationIdentity(self._key_of, self._uid, sequence, number)
        digest = ""
        not_started: Exception | None = None
        try:
            if self._options.invocation_id is not None:
                identity.id = check_invocation_id(self._options.invocation_id(value))
            if self._options.call_log is not None:
                digest = compute_args_digest((value,), {})
        except Exception as error:  # it is the handler's, as far as the user is concerned
            not_started = error
        if digest:
            slots = self._bridge.identify(number, str(identity.id), digest)
            if slots < 0:  # the log knows the input by a digest of release 0.1
                digest = RULE_1.args_digest((value,), {})
                slots = self._bridge.identify(number, str(identity.id), digest)
        context = FlinkRunnerContext(
            self._runner.journal_of(self._bridge, number, slots),
            subtask=self._subtask,
            identity=identity,
            number=number,
            timestamp=timestamp,
        )
        invocation = Invocation(number, value, context)
        if self._options.on_error == "dead-letter":
            invocation.input = copy_of(value)
        if not_started is None:
            previous = self._function_of(versions[number]) if number in versions else None
            self._runner.start(invocation, previous)
        else:
            invocation.outcome = Outcome(None, not_started)
            self._to_end.append(invocation)

    def _function_of(self, version: str | None) -> HandlerFunction:
        return process_function_of(self._previous[version])  # the operator has looked at all

    def _load_key(self, number: int) -> Any:
        return self._loads(self._bridge.getKey(number))

    def _load_state(self, number: int) -> StateBackend:
        return self._runner.state_of(BridgeState(self._bridge, number))

    def release(self, released: Sequence[Any]) -> None:
        """Ends holds in their order, with the loop run to quiescence between them."""
        fields = iter(released)
        for invocation, slot, error in zip(fields, fields, fields, strict=True):
            self._loop.take_in(self._subtask.holds.release, invocation, slot, error)

    def park(self, invocations: Sequence[Any]) -> tuple[int, ...]:
        """Drops handlers that wait, as far as they let themselves be; gives those."""
        return tuple(self._runner.park(invocations))

    def drain(self) -> None:
        """Resumes the handlers whose calls have ended."""
        self._loop.drain()
        self._gauges.read(self._bridge.wakeAt)

    @property
    def has_outputs(self) -> bool:
        """Whether invocations have ended that `emit_ended` is to emit the outputs of."""
        return bool(self._endings)

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
        """Emits what has ended, to the functions behind; PyFlink calls it."""
        return self._endings.emit()

    def begin_report(self) -> None:
        """What the last report left out is not asked for any more."""
        self._runner.begin_report()

    def take_writes(self) -> tuple[int, tuple[Any, ...]]:
        """Calls made in this step, and journal writes of invocations that go on."""
        return self._runner.take_writes()

    def keep(self, invocations: Sequence[Any]) -> tuple[Any, ...]:
        """Journal writes that the last report left out, of invocations whose outputs wait."""
        return self._runner.keep(frozenset(invocations))

    def take_ended(self) -> tuple[Any, ...]:
        """Invocations that ended in this step."""
        return self._endings.take()

    def emit_ended(self) -> Iterator[Any]:
        """Ends invocations one after another; see `Endings.emit`."""
        return self._endings.emit()


def _relax_garbage_collection(invocations: int) -> None:
    """For the whole interpreter, and only where it is at work and more eager.

    What earlier attempts left behind goes now: the interpreter outlives hundreds of them.
    """
    gc.collect()
    young, middle, old = gc.get_threshold()
    wanted = _OBJECTS_PER_INVOCATION * invocations
    if 0 < young < wanted:
        gc.set_threshold(wanted, middle, old)
