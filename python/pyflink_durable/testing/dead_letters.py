"""What becomes of an input whose handler fails, as in the operator."""

from __future__ import annotations

import traceback

from pyflink_durable.dead_letter import DeadLetter, JournaledCall
from pyflink_durable.payload.payloads import Payloads
from pyflink_durable.runtime.journal.bridge import Identity, kind_of
from pyflink_durable.runtime.operator.invocation import Invocation
from pyflink_durable.testing.memory_journal import Slots


def dead_letter_of(
    operator: str,
    invocation: Invocation,
    value: object,
    error: Exception,
    slots: Slots,
    payloads: Payloads,
) -> DeadLetter:
    """The dead letter of an input.

    Args:
        operator: The operator's name.
        invocation: The run of its handler.
        value: The input.
        error: What the handler raised.
        slots: Its journal.
        payloads: Reads it.
    """
    owner = invocation.context.identity
    return DeadLetter(
        operator=operator,
        key=invocation.context.key,
        value=value,
        error_type=type(error).__name__,
        message=str(error),
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
    )
