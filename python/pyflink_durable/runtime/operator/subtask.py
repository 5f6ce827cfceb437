"""What the invocations of one subtask share."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pyflink_durable.batch import CallPool
from pyflink_durable.observer import Observer
from pyflink_durable.options import OnMismatch
from pyflink_durable.payload.payloads import Payloads
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.journal.call_options import OptionsResolver
from pyflink_durable.runtime.journal.callbacks import Callbacks
from pyflink_durable.runtime.journal.holds import Holds
from pyflink_durable.runtime.journal.signals import SignalWaits
from pyflink_durable.runtime.loop.loop import DurableLoop
from pyflink_durable.runtime.operator.user_state import MemoryState, StateBackend
from pyflink_durable.runtime.telemetry.observers import Observers
from pyflink_durable.runtime.telemetry.telemetry import LocalTelemetry, Telemetry
from pyflink_durable.runtime.values import UNTYPED, Outputs
from pyflink_durable.tool_options import ToolCallOptions


class Subtask:
    """What the contexts and calls of all invocations of a subtask use.

    Args:
        executors: Where asynchronous calls run, or where those of each pool do; by default on
            threads of its own.
        loop: The loop of the handlers, None if there is none.
        telemetry: Where to count and log.
        observer: Told of what happens; by default those that count in `telemetry`.
        holds: Where held calls wait.
        call_options: Gives each call its options; by default those of `DurableOptions()`.
        on_mismatch: What to do with a slot of another call, see `DurableOptions`.
        tool_call_options: How `pyflink_durable.tools.call_tools` makes the calls of a request.
        state_of: Gives the state of an invocation's key, for the invocation's number.
        outputs: Takes what handlers emit; by default as it is.
        payloads: Writes and reads what crosses the journal; by default as `DurableOptions()` says.
        signals: Where handlers wait for signals; None for an operator without.
        callbacks: Makes tokens; None for an operator without a secret.
    """

    def __init__(
        self,
        executors: CallExecutor | Mapping[CallPool, CallExecutor] | None = None,
        *,
        loop: DurableLoop | None = None,
        telemetry: Telemetry | None = None,
        observer: Observer | None = None,
        holds: Holds | None = None,
        call_options: OptionsResolver | None = None,
        on_mismatch: OnMismatch = "protect",
        tool_call_options: ToolCallOptions | None = None,
        state_of: Callable[[int], StateBackend] = lambda number: MemoryState(),
        outputs: Outputs | None = None,
        payloads: Payloads | None = None,
        signals: SignalWaits | None = None,
        callbacks: Callbacks | None = None,
    ) -> None:
        self.loop = loop
        self.telemetry = telemetry or LocalTelemetry()
        self.observer = observer or Observers(self.telemetry)
        self.holds = holds or Holds()
        self.call_options = call_options or OptionsResolver()
        self.on_mismatch = on_mismatch
        self.tool_call_options = tool_call_options
        self.state_of = state_of
        self.payloads = payloads or Payloads(notes=self.telemetry)
        self.signals = signals
        self.callbacks = callbacks
        self.outputs = outputs or Outputs(UNTYPED, "", self.telemetry)
        if not isinstance(executors, Mapping):
            executor = executors or CallExecutor()
            executors = {"calls": executor, "tools": executor}
        self.executors = executors
