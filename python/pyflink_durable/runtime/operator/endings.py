"""The end of invocations: outputs, state, and what becomes of a handler that failed."""

from __future__ import annotations

import asyncio
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pyflink_durable.dead_letter import DEAD_LETTER, DeadLetter, JournaledCall
from pyflink_durable.errors import ConfigurationError, HandlerFailed
from pyflink_durable.history import HISTORY
from pyflink_durable.options import DurableOptions
from pyflink_durable.payload.payloads import Payloads
from pyflink_durable.runtime.journal.bridge import Identity, kind_of
from pyflink_durable.runtime.journal.holds import Holds
from pyflink_durable.runtime.operator.handler_host import NO_TIMESTAMP, HandlerHost
from pyflink_durable.runtime.operator.handler_runner import HandlerRunner
from pyflink_durable.runtime.operator.history import history_line
from pyflink_durable.runtime.operator.invocation import Invocation
from pyflink_durable.runtime.telemetry.telemetry import Telemetry
from pyflink_durable.runtime.values import Outputs


def check_outputs(options: DurableOptions, outputs: Outputs, name: str) -> None:
    """Refuses options that emit to a side output which nothing reads.

    Raises:
        ConfigurationError: Nothing does.
    """
    wanted = []
    if options.on_error == "dead-letter":
        wanted.append((DEAD_LETTER, 'on_error="dead-letter"', "DEAD_LETTER", "dead letters"))
    if options.history:
        wanted.append((HISTORY, "history=True", "HISTORY", "history"))
    for tag, option, constant, what in wanted:
        if not outputs.has_side(tag.tag_id):
            raise ConfigurationError(
                f"operator {name!r} has {option}, and nothing reads its {what}: add a sink to "
                f"results.get_side_output({constant})"
            )


class Endings:
    """Ends the invocations of a subtask, each with its outputs behind it.

    Args:
        ended: Invocations whose handlers have ended, in that order; it takes them from there.
        name: The operator's.
        options: The operator's.
        host: Where outputs go.
        runner: Of the handlers.
        holds: Of the subtask's calls.
        outputs: What makes outputs of values.
        payloads: What reads journaled calls for dead letters.
        telemetry: Counters and log lines.

    Attributes:
        flink_context: PyFlink's context of the operator, through which a chained function is told
            the timestamp of an output.
    """

    def __init__(
        self,
        ended: deque[Invocation],
        name: str,
        options: DurableOptions,
        host: HandlerHost,
        runner: HandlerRunner,
        holds: Holds,
        outputs: Outputs,
        payloads: Payloads,
        telemetry: Telemetry,
    ) -> None:
        self._waiting = ended
        self._name = name
        self._options = options
        self._host = host
        self._bridge = host.bridge
        self._runner = runner
        self._holds = holds
        self._outputs = outputs
        self._payloads = payloads
        self._telemetry = telemetry
        self._ended: list[Any] = []
        self.flink_context: Any = None

    def __bool__(self) -> bool:
        """Whether there are invocations to end."""
        return bool(self._waiting)

    def take(self) -> tuple[Any, ...]:
        """Invocations that ended since it was asked last, four fields each."""
        ended = tuple(self._ended)
        self._ended.clear()
        return ended

    def emit(self) -> Iterator[Any]:
        """Ends invocations one after another, each with its outputs behind it.

        Yields:
            What goes to a Python function behind; the rest goes to Java.
        """
        while self._waiting:
            invocation = self._waiting.popleft()
            outcome, context = invocation.outcome, invocation.context
            assert outcome is not None
            invocation.outcome = None  # an error's traceback holds the invocation
            if outcome.error is not None:
                letter = self._cancelled(invocation, outcome.error)
                if letter is None:
                    letter = self._fail(invocation, outcome.error)
                line = self._history_of(invocation, outcome.error)
                self._end(invocation, {})
                self._emit_aside(DEAD_LETTER.tag_id, letter, invocation)
                self._emit_aside(HISTORY.tag_id, line, invocation)
                continue
            state_writes = context.end()
            line = self._history_of(invocation, None)
            self._end(invocation, state_writes)
            self._emit_aside(HISTORY.tag_id, line, invocation)
            if self._host.has_chained:
                timestamp = NO_TIMESTAMP if context.timestamp is None else context.timestamp
                self.flink_context._j_context.emitAt(timestamp)
            for emission in context.outputs:
                if emission[0] is None and self._host.has_chained:
                    yield emission[1]
                else:
                    self._host.outputs.add(emission)

    def _emit_aside(self, tag: str, value: Any, invocation: Invocation) -> None:
        if value is not None:
            emission = self._outputs.side(tag, value, invocation.context.identity.describe)
            if emission is not None:
                self._host.outputs.add(emission)

    def _history_of(self, invocation: Invocation, error: BaseException | None) -> str | None:
        if not self._options.history:
            return None
        self._bridge.applyJournalWrites(*self._runner.take_writes())
        return history_line(
            invocation.context.identity, self._bridge.getCalls(invocation.id), error
        )

    def _end(self, invocation: Invocation, state_writes: dict[str, bytes | None]) -> None:
        self._runner.forget(invocation)
        self._holds.forget(invocation.id, invocation.context.slots)
        first_output = len(self._host.outputs)
        names: tuple[str, ...] | None = None
        values: tuple[bytes | None, ...] | None = None
        if state_writes:
            names, values = tuple(state_writes), tuple(state_writes.values())
        self._ended += (invocation.id, first_output, names, values)

    def _cancelled(self, invocation: Invocation, error: BaseException) -> DeadLetter | None:
        """Makes a dead letter of an input whose invocation a signal has cancelled."""
        context = invocation.context
        reason = context.cancelled
        if reason is None or not isinstance(error, asyncio.CancelledError):
            return None
        if context.broken is not None or context.check_left() is not None:
            return None  # its task fails
        self._telemetry.count("cancelled")
        where = "goes to the dead-letter output"
        if not self._outputs.has_side(DEAD_LETTER.tag_id):
            where = "is dropped: nothing reads results.get_side_output(DEAD_LETTER)"
        self._telemetry.warning(
            f"key={context.key!r} invocation={context.identity.id} it was cancelled by a signal; "
            f"its input {where}"
        )
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        letter = self._letter(invocation, error, text)
        return replace(letter, message=reason, reason="cancelled")

    def _fail(self, invocation: Invocation, error: BaseException) -> DeadLetter:
        """A handler raised: fails the task, or makes a dead letter of its input."""
        self._telemetry.count("handlerErrors")
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        key = invocation.context.key
        broken = invocation.context.broken
        if broken is None and self._options.on_error == "dead-letter":
            broken = invocation.context.check_left()  # a dead letter drops the journal
        if broken is not None and broken is not error:
            text += f"The task fails because of {type(broken).__name__}: {broken}\n"
        own = isinstance(error, (Exception, asyncio.CancelledError))
        if self._options.on_error == "fail" or broken is not None or not own:
            raise HandlerFailed(self._name, repr(key), text) from error
        letter = self._letter(invocation, error, text)
        self._telemetry.count("deadLetters")
        self._telemetry.warning(
            f"key={key!r} error={type(error).__name__} calls={len(letter.calls)} the handler "
            "failed; its input goes to the dead-letter output"
        )
        return letter

    def _letter(self, invocation: Invocation, error: BaseException, text: str) -> DeadLetter:
        invocation.context.end()
        self._bridge.applyJournalWrites(*self._runner.take_writes())
        calls = self._bridge.getCalls(invocation.id)
        return DeadLetter(
            operator=self._name,
            key=invocation.context.key,
            value=invocation.input,
            error_type=type(error).__name__,
            message=str(error),
            traceback=text,
            calls=tuple(self._journaled(invocation, calls)),
        )

    def _journaled(self, invocation: Invocation, calls: Sequence[Any]) -> Iterator[JournaledCall]:
        owner, opened = invocation.context.identity, self._payloads.open
        for slot, call in enumerate(calls):
            if kind_of(call).is_from_outside:
                payloads = (
                    opened(call[3], "result", owner, slot),
                    opened(call[4], "error", owner, slot),
                )
                yield JournaledCall(*Identity.of(call).told, call[2], *payloads)
