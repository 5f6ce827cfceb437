"""What operators of a job get to see of tool calls: log lines, counters, a latency histogram.

Never payloads: neither arguments nor results nor the text of errors.
"""

from __future__ import annotations

import logging
from typing import Protocol

from pyflink_durable.batch import CallOutcome, CallStatus
from pyflink_durable.context import RunnerContext
from pyflink_durable.tools.events import ToolCall
from pyflink_durable.wording.one_line import one_line

CALLS = "toolCalls"
FAILURES = "toolFailures"
REFUSED = "toolRefused"
TIMEOUTS = "toolTimeouts"
REPLAYED = "toolReplayed"
RECONCILED = "toolReconciled"
LATENCY = "toolLatencyMillis"

logger = logging.getLogger("pyflink_durable")


class ToolTelemetry(Protocol):
    """Counters, histograms and log lines of one operator. Safe from any thread."""

    def count(self, name: str, count: int = 1) -> None:
        """Adds to a counter."""

    def record(self, name: str, value: int) -> None:
        """Adds a value to a histogram."""

    def info(self, message: str) -> None:
        """Logs one line about the ordinary course of things."""


class _LogOnly:
    """Where there is no Flink."""

    def count(self, name: str, count: int = 1) -> None:
        """Counts nothing."""

    def record(self, name: str, value: int) -> None:
        """Records nothing."""

    def info(self, message: str) -> None:
        logger.info(one_line(message))


class ToolObserver:
    """Tells what happens to tool calls.

    Args:
        telemetry: Whom to tell.
    """

    def __init__(self, telemetry: ToolTelemetry) -> None:
        self._telemetry = telemetry

    @classmethod
    def of(cls, ctx: RunnerContext) -> ToolObserver:
        """Tells the telemetry of a context, if it has one."""
        return cls(getattr(ctx, "telemetry", None) or _LogOnly())

    def started(self, call: ToolCall, attempt: int) -> None:
        """A tool starts to run; on the thread where it does."""
        self._telemetry.info(f"tool call started {_name(call)} attempt={attempt}")

    def ended(self, call: ToolCall, status: CallStatus, attempt: int, seconds: float) -> None:
        """An attempt of a tool has ended; on the thread where it ran."""
        millis = round(seconds * 1000)
        self._telemetry.record(LATENCY, millis)
        self._log_end(call, status.value, millis, attempt)

    def answered(self, call: ToolCall, outcome: CallOutcome, told: bool) -> None:
        """The handler gets the outcome of a call.

        Args:
            call: The tool call.
            outcome: Its outcome.
            told: Whether `ended` has told its end.
        """
        self._telemetry.count(CALLS)
        if outcome.status is not CallStatus.SUCCEEDED:
            self._telemetry.count(FAILURES)
        if outcome.status is CallStatus.TIMED_OUT:
            self._telemetry.count(TIMEOUTS)
        if outcome.replayed:
            self._telemetry.count(REPLAYED)
        if outcome.reconciled:
            self._telemetry.count(RECONCILED)
        if not told:
            self._log_end(
                call,
                outcome.status.value,
                round(outcome.duration * 1000),
                outcome.attempt,
                outcome.replayed,
                outcome.reconciled,
            )

    def refused(self, call: ToolCall, reason: Exception) -> None:
        """A call does not start: its tool is unknown, or its arguments do not fit."""
        for counter in (CALLS, FAILURES, REFUSED):
            self._telemetry.count(counter)
        self._telemetry.info(f"tool call refused {_name(call)} reason={type(reason).__name__}")

    def _log_end(
        self,
        call: ToolCall,
        status: str,
        millis: int,
        attempt: int,
        replayed: bool = False,
        reconciled: bool = False,
    ) -> None:
        self._telemetry.info(
            f"tool call ended {_name(call)} status={status} latency_ms={millis} "
            f"attempt={attempt} replayed={_flag(replayed)} reconciled={_flag(reconciled)}"
        )


def _name(call: ToolCall) -> str:
    # with `repr`: a model made them up, and a line must stay a line
    return f"tool={call.name!r} id={call.id!r}"


def _flag(value: bool) -> str:
    return "true" if value else "false"
