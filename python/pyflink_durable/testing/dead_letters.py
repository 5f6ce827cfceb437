"""What becomes of an input whose handler fails, as in the operator."""

from __future__ import annotations

import asyncio
import traceback

from pyflink_durable.dead_letter import DeadLetter, JournaledCall
from pyflink_durable.options import DurableOptions
from pyflink_durable.payload.payloads import Payloads
from pyflink_durable.runtime.journal.bridge import Identity, kind_of
from pyflink_durable.runtime.operator.invocation import Invocation
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext
from pyflink_durable.runtime.telemetry.telemetry import LocalTelemetry
from pyflink_durable.testing.memory_journal import Slots


def takes_letter(
    context: FlinkRunnerContext,
    error: BaseException,
    options: DurableOptions,
    telemetry: LocalTelemetry,
) -> bool:
    """Whether a handler's error sends its input aside, and does not fail the task."""
    if context.broken is not None or context.check_left() is not None:
        return False
    if isinstance(error, asyncio.CancelledError) and context.cancelled is not None:
        telemetry.count("cancelled")
        return True
    return isinstance(error, Exception) and options.on_error == "dead-letter"


def dead_letter_of(
    operator: str,
    invocation: Invocation,
    value: object,
    error: BaseException,
    slots: Slots,
    payloads: Payloads,
) -> DeadLetter:
    """The dead letter of an input, whose handler failed or was cancelled.

    Args:
        operator: The operator's name.
        invocation: The run of its handler.
        value: The input.
        error: What the handler raised.
        slots: Its journal.
        payloads: Reads it.
    """
    owner, cancelled = invocation.context.identity, invocation.context.cancelled
    if not isinstance(error, asyncio.CancelledError):
        cancelled = None
    return DeadLetter(
        operator=operator,
        key=invocation.context.key,
        value=value,
        error_type=type(error).__name__,
        message=str(error) if cancelled is None else cancelled,
        traceback="".join(traceback.format_exception(type(error), error, error.__traceback__)),
        calls=tuple(
            JournaledCall(
                *Identity.of(slot).told,
                slot.status,
                payloads.open(slot.result, "result", owner, number),
                payloads.open(slot.exception, "error", owner, number),
            )
            for number, slot in enumerate(slots)
            if kind_of(slot).is_from_outside
        ),
        reason="failed" if cancelled is None else "cancelled",
    )
