"""Has handlers start and go on, in steps; how they end is in `endings`."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from pyflink_durable.checks.arguments import check_invocation_id
from pyflink_durable.handler import Handler, process_function_of
from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.identity.digest_rule_1 import RULE_1
from pyflink_durable.options import DurableOptions
from pyflink_durable.payload.copies import copy_of
from pyflink_durable.payload.large_inputs import LargeInput, LargeInputs
from pyflink_durable.runtime.execution.outcome import FunctionOutcome
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity
from pyflink_durable.runtime.loop.loop import DurableLoop
from pyflink_durable.runtime.operator.endings import Endings
from pyflink_durable.runtime.operator.handler_host import Element
from pyflink_durable.runtime.operator.handler_metrics import Gauges
from pyflink_durable.runtime.operator.handler_runner import HandlerRunner
from pyflink_durable.runtime.operator.input_seals import InputSeals
from pyflink_durable.runtime.operator.invocation import Invocation
from pyflink_durable.runtime.operator.refusals import Refusals
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext
from pyflink_durable.runtime.operator.signal_desk import SignalDesk
from pyflink_durable.runtime.operator.subtask import Subtask

_LARGEST_GROUP = 64
"""Handlers that start one by one, each run to its first wait, take a tenth longer."""


class HandlerSteps:
    """Runs the handlers of a subtask until each waits or has ended, one step after another.

    Args:
        bridge: The Java `DurableBridge`.
        previous: Handlers of earlier versions.
        options: The operator's.
        uid: The operator's, for idempotency keys.
        loop: That of the handlers.
        runner: Of the handlers.
        subtask: What their contexts share.
        endings: Ends them.
        ended: Invocations whose handlers have ended, for `endings`.
        signals: Where signals come in.
        inputs: Brings inputs into the form in which the state holds them.
        large: Reads inputs, and finds large ones.
        refusals: Where inputs go that are not taken in.
        gauges: Of the handler, read between steps.
        load: Reads pickles.
    """

    def __init__(
        self,
        *,
        bridge: Any,
        previous: Mapping[str | None, Handler],
        options: DurableOptions,
        uid: str,
        loop: DurableLoop,
        runner: HandlerRunner,
        subtask: Subtask,
        endings: Endings,
        ended: deque[Invocation],
        signals: SignalDesk,
        inputs: InputSeals,
        large: LargeInputs,
        refusals: Refusals,
        gauges: Gauges,
        load: Callable[[bytes], Any],
    ) -> None:
        self.signals = signals
        self.inputs = inputs
        self.read = large.read
        self._large = large
        self.refusals = refusals
        self._bridge = bridge
        self._previous = previous
        self._options = options
        self._uid = uid
        self._loop = loop
        self._runner = runner
        self._subtask = subtask
        self._endings = endings
        self._ended = ended
        self._gauges = gauges
        self._load = load
        self._key_of = self._load_key  # kept: each access to a method makes an object

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
        size = 0
        if type(value) is LargeInput:
            value, size = value.value, value.size
        try:
            if size and not slots:  # what has begun is not for a new limit to end
                self._large.note(size)
            if self._options.invocation_id is not None:
                identity.id = check_invocation_id(self._options.invocation_id(value))
            if self._options.call_log is not None:
                digest = compute_args_digest((value,), {})
        except Exception as error:  # user code: it ends as the handler's own error would
            not_started = error
        if digest:
            slots = self._bridge.identify(number, str(identity.id), digest)
            if slots < 0:  # the log knows the input by a digest of release 0.1
                digest = RULE_1.args_digest((value,), {})
                slots = self._bridge.identify(number, str(identity.id), digest)
        runner, previous = self._runner, None
        if number in versions:
            previous = process_function_of(self._previous[versions[number]])
            runner = runner.runner_of(previous)
        context = FlinkRunnerContext(
            runner.journal_of(self._bridge, number, slots),
            subtask=self._subtask,
            identity=identity,
            number=number,
            timestamp=timestamp,
        )
        invocation = Invocation(number, value, context)
        may_be_cancelled = self._subtask.signals is not None
        if may_be_cancelled or self._options.on_error == "dead-letter":
            invocation.input = copy_of(value)
        if not_started is None:
            runner.start(invocation, previous)
        else:
            invocation.outcome = FunctionOutcome(None, not_started)
            self._ended.append(invocation)

    def _load_key(self, number: int) -> Any:
        return self._load(self._bridge.getKey(number))

    def release(self, released: Sequence[Any]) -> None:
        """Ends holds in their order, with the loop run to quiescence between them."""
        fields = iter(released)
        for invocation, slot, error in zip(fields, fields, fields, strict=True):
            self._loop.take_in(self._subtask.holds.release, invocation, slot, error)

    def park(self, invocations: Sequence[Any]) -> tuple[Any, ...]:
        """Drops handlers that wait, see `HandlerRunner.park`."""
        return tuple(self._runner.park(invocations))

    def drain(self) -> None:
        """Resumes the handlers whose calls have ended."""
        self._loop.drain()
        self._gauges.read(self._bridge.wakeAt)

    @property
    def has_outputs(self) -> bool:
        """Whether invocations have ended that `emit_ended` is to emit the outputs of."""
        return bool(self._endings)

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
