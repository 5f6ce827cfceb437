"""Inputs whose handler failed, where the job goes on without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pyflink.common import Types
from pyflink.datastream import OutputTag

DEAD_LETTER = OutputTag("durable-dead-letter", Types.PICKLED_BYTE_ARRAY())
"""The side output of ``DurableOptions(on_error="dead-letter")``, and of inputs whose invocation was
cancelled; it carries `DeadLetter`."""


@dataclass(frozen=True)
class JournaledCall:
    """A call of the failed handler, as its journal holds it.

    Attributes:
        function_id: The function, or the call's durable_id.
        args_digest: Digest of its arguments.
        status: PENDING, SUCCEEDED or FAILED.
        result: The result of a call that succeeded, as the operator's serializer wrote it: a
            pickle, JSON. Codecs are undone: it is neither compressed nor encrypted.
        exception: The exception of a call that failed, in the same way.
    """

    function_id: str
    args_digest: str
    status: str
    result: bytes | None
    exception: bytes | None


@dataclass(frozen=True)
class DeadLetter:
    """An input whose handler raised, or was cancelled.

    Attributes:
        operator: The name given to `durable_process`.
        key: The key of the input.
        value: The input element.
        error_type: Name of the exception's class.
        message: The exception's message; of a cancellation its reason.
        traceback: The exception's traceback as text.
        calls: The journal so far: what has already happened outside.
        reason: ``"failed"``, or ``"cancelled"`` by `Signal.cancel`.
    """

    operator: str
    key: Any
    value: Any
    error_type: str
    message: str
    traceback: str
    calls: tuple[JournaledCall, ...]
    reason: Literal["failed", "cancelled"] = "failed"
