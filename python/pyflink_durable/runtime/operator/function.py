"""The function that PyFlink opens and closes, with all that the handlers of a subtask need."""

from __future__ import annotations

import pickle
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from pyflink.datastream import KeyedProcessFunction, RuntimeContext

from pyflink_durable.errors import DurableExecutionError
from pyflink_durable.handler import (
    DurableProcessFunction,
    Handler,
    handles_asynchronously,
    process_function_of,
)
from pyflink_durable.observer import Observer
from pyflink_durable.options import DurableOptions
from pyflink_durable.payload.payloads import Payloads
from pyflink_durable.payload.script_classes import ScriptClasses
from pyflink_durable.runtime.execution.closing import close_all
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.execution.thread_pool import ThreadPool
from pyflink_durable.runtime.journal.call_options import OptionsResolver
from pyflink_durable.runtime.journal.callbacks import Callbacks
from pyflink_durable.runtime.journal.signal_fields import SignalReader
from pyflink_durable.runtime.journal.signals import SignalWaits
from pyflink_durable.runtime.loop.loop import DurableLoop
from pyflink_durable.runtime.loop.watchdog import Watchdog
from pyflink_durable.runtime.loop.watched import CoroutineThread, TaskThread, tell_of_spinning
from pyflink_durable.runtime.operator.async_handlers import AsyncHandlerRunner
from pyflink_durable.runtime.operator.endings import Endings, check_outputs
from pyflink_durable.runtime.operator.garbage import relax_garbage_collection
from pyflink_durable.runtime.operator.handler_host import opening
from pyflink_durable.runtime.operator.handler_metrics import Gauges, HandlerMetrics
from pyflink_durable.runtime.operator.handler_runner import HandlerRunner
from pyflink_durable.runtime.operator.handler_steps import HandlerSteps
from pyflink_durable.runtime.operator.input_seals import InputSeals
from pyflink_durable.runtime.operator.invocation import Invocation
from pyflink_durable.runtime.operator.refusals import Refusals
from pyflink_durable.runtime.operator.signal_desk import SignalDesk
from pyflink_durable.runtime.operator.signal_seals import SignalSeals
from pyflink_durable.runtime.operator.subtask import Subtask
from pyflink_durable.runtime.operator.task_context import TaskContext
from pyflink_durable.runtime.operator.thread_handlers import ThreadHandlerRunner
from pyflink_durable.runtime.operator.two_runners import TwoRunners
from pyflink_durable.runtime.operator.user_state import BridgeState, StateBackend
from pyflink_durable.runtime.telemetry.call_metrics import CallMetrics
from pyflink_durable.runtime.telemetry.observers import Observers
from pyflink_durable.runtime.telemetry.telemetry import FlinkTelemetry
from pyflink_durable.runtime.values import Outputs


class DurableFunction(KeyedProcessFunction):  # type: ignore[misc]
    """Has a handler run for each element; pickled into the job, opened per attempt of a subtask.

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
        host = opening.get()
        if host is None:
            raise DurableExecutionError(
                "a DurableFunction runs in a DurableKeyedProcessOperator only"
            )
        relax_garbage_collection(self._options.max_in_flight + self._options.max_pending)
        self._host = host
        self._bridge = host.bridge
        self._telemetry = FlinkTelemetry(self._bridge, self._name)
        self._outputs = Outputs(host.output_types, self._name, self._telemetry)
        check_outputs(self._options, self._outputs, self._name)
        self._payloads = Payloads(self._options, self._classes, self._telemetry)
        self._payloads.probe()
        self._loads = self._classes.loads if self._classes else pickle.loads
        self._ended: deque[Invocation] = deque()
        self._loop = DurableLoop(
            self._bridge.wake,
            self._bridge.wakeAt,
            self._telemetry.warning,
            partial(tell_of_spinning, self._telemetry),
        )
        tools = self._options.tool_calls
        self._executor = self._make_executor("", self._options.call_threads)
        self._tool_executor = self._make_executor("-tool", tools.num_threads, tools.max_in_flight)
        self._runner = self._make_runner()
        self._watchdog = self._make_watchdog()
        self._gauges = Gauges(host.metrics, self._telemetry)
        self._observers = Observers(
            self._telemetry, self._options.every_observer, self._own_observers()
        )
        self._callbacks = Callbacks.of(self._options.callback_secret, self._uid)
        waits = SignalWaits(self._bridge, self._options.call_log is not None, self._classes)
        self._subtask = self._make_subtask(waits)
        self._endings = self._make_endings()
        steps = self._make_steps(waits)
        try:
            self._observers.open()
            self._open_handlers(runtime_context)
            self._watchdog.start()
        except BaseException:
            self._close_after_failure()
            raise
        host.connect(steps, self._outputs, self._loads, self.close)

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
        kinds = {handles_asynchronously(one) for one in (self._handler, *self._previous.values())}
        if len(kinds) == 1:
            return self._on_loop() if kinds == {True} else self._on_threads()
        is_async, loop = handles_asynchronously(self._handler), self._loop
        return TwoRunners(self._on_loop(), self._on_threads(), is_async, loop.runs_here)

    def _on_loop(self) -> AsyncHandlerRunner:
        function, on_end = process_function_of(self._handler), self._ended.append
        return AsyncHandlerRunner(function, self._loop, self._telemetry, on_end)

    def _on_threads(self) -> ThreadHandlerRunner:
        function, on_end = process_function_of(self._handler), self._ended.append
        pool = ThreadPool(
            f"durable-{self._name}-handler",
            self._options.handler_threads,
            self._telemetry.warning,
        )
        return ThreadHandlerRunner(function, self._loop, self._executor, pool, on_end)

    def _make_watchdog(self) -> Watchdog:
        watched = (
            TaskThread(self._loop, self._runner.describe),
            CoroutineThread(self._executor),
            CoroutineThread(self._tool_executor),
        )
        return Watchdog(f"durable-{self._name}-watchdog", watched, self._telemetry)

    def _own_observers(self) -> tuple[Observer, ...]:
        if not self._options.call_metrics:
            return ()
        metrics = HandlerMetrics(self._host.metrics, self._gauges).add_group("durable")
        return (CallMetrics(metrics, self._telemetry.warning),)

    def _make_subtask(self, waits: SignalWaits) -> Subtask:
        return Subtask(
            {"calls": self._executor, "tools": self._tool_executor},
            loop=self._loop,
            telemetry=self._telemetry,
            observer=self._observers,
            call_options=OptionsResolver(self._options, self._can_gate, self._telemetry.warning),
            on_mismatch=self._options.on_mismatch,
            tool_call_options=self._options.tool_calls,
            state_of=self._load_state,
            outputs=self._outputs,
            payloads=self._payloads,
            signals=waits if self._has_signals else None,
            callbacks=self._callbacks,
        )

    def _load_state(self, number: int) -> StateBackend:
        return self._runner.state_of(BridgeState(self._bridge, number))

    def _make_endings(self) -> Endings:
        return Endings(
            self._ended,
            self._name,
            self._options,
            self._host,
            self._runner,
            self._subtask.holds,
            self._outputs,
            self._payloads,
            self._telemetry,
        )

    def _make_steps(self, waits: SignalWaits) -> HandlerSteps:
        return HandlerSteps(
            bridge=self._bridge,
            previous=self._previous,
            options=self._options,
            uid=self._uid,
            loop=self._loop,
            runner=self._runner,
            subtask=self._subtask,
            ended=self._ended,
            endings=self._endings,
            signals=self._make_desk(waits),
            inputs=InputSeals(
                self._uid, self._payloads.inputs(), self._loads, self._handler, self._previous
            ),
            large=self._payloads.large_inputs(self._loads),
            refusals=Refusals(self._name, self._options, self._outputs, self._telemetry),
            gauges=self._gauges,
            load=self._loads,
        )

    def _make_desk(self, waits: SignalWaits) -> SignalDesk:
        cancels = handles_asynchronously(self._handler)
        reader = SignalReader(self._callbacks, self._options.invocation_id is None, cancels)
        seals = SignalSeals(self._uid, self._payloads, self._loads)
        return SignalDesk(
            self._name, waits, self._loop, self._outputs, seals, reader, self._telemetry
        )

    def _open_handlers(self, runtime_context: RuntimeContext) -> None:
        for handler in self._opened_handlers():
            metrics = HandlerMetrics(self._host.metrics, self._gauges)
            handler.open(TaskContext(self._bridge.describeTask(), metrics, runtime_context))
        self._gauges.read(self._bridge.wakeAt)

    def _close_after_failure(self) -> None:
        """As Flink does, which closes functions that did not come to the end of their `open`."""
        try:
            self.close()
        except Exception as error:  # the task fails for what open() raised
            self._telemetry.warning(
                f"error={error!r} close() failed, too, after the open() that is the task's failure"
            )

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

    # ---------------------------------------------------------------- asked by PyFlink

    def process_element(self, value: Any, ctx: KeyedProcessFunction.Context) -> Iterable[Any]:
        """Takes PyFlink's context; called once, with no element: Java starts those."""
        self._endings.flink_context = ctx
        return ()

    def on_timer(self, timestamp: int, ctx: KeyedProcessFunction.OnTimerContext) -> Iterator[Any]:
        """Emits what has ended, to the functions behind; PyFlink calls it."""
        return self._endings.emit()
