"""The Java objects the runtime talks to.

The names are Java's: the same object may be reached through pemja in the operator, through py4j in
tests, or be a Python object.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

from pyflink_durable.wording.one_line import one_line


class Identity(NamedTuple):
    """What tells one call from another."""

    function_id: str
    args_digest: str

    @property
    def shown(self) -> str:
        """The function, or the durable_id, in log lines and errors."""
        return one_line(self.function_id)

    def __str__(self) -> str:
        return f"{self.shown}({self.args_digest})"


CallFields = Sequence[Any]
"""``[function_id, args_digest, status, result, exception]``, and where they are known the order of
completion, the number of the attempt, and for a call that has not started the time at which it is
to start (milliseconds since the epoch); then when it ended, and in the first slot when the
invocation began (both in microseconds since the epoch); last whether it is repeatable (1)."""

NO_TIME = -1
"""In place of a time that is not told."""

PENDING = "PENDING"

HoldKind = Literal["CHECKPOINT", "LOG"]
"""What a held call waits for: a completed checkpoint with its slot, or an append to the log."""


class Bridge(Protocol):
    """The six methods that are enough for calls made one after another."""

    def getCurrentCallResultFields(self) -> CallFields | None: ...

    def matchNextOrClearSubsequentCallResult(
        self, function_id: str, args_digest: str
    ) -> Sequence[Any] | None: ...

    def recordCallCompletion(
        self, function_id: str, args_digest: str, result: bytes | None, exception: bytes | None
    ) -> None: ...

    def appendPendingCall(self, function_id: str, args_digest: str) -> None: ...

    def finalizeCurrentCall(
        self, function_id: str, args_digest: str, result: bytes | None, exception: bytes | None
    ) -> None: ...

    def clearCallResultsFromCurrentIndexAndPersist(self) -> None: ...


_NO_ARGUMENTS = "0" * 16
TIMER = Identity("pyflink_durable.timer", _NO_ARGUMENTS)
BATCH_TIMER = Identity("pyflink_durable.batch_timer", _NO_ARGUMENTS)
NOW = Identity("pyflink_durable.now", _NO_ARGUMENTS)

SIGNAL = "pyflink_durable.signal"
PENDING_SIGNALS = "pyflink_durable.pending_signals"
"""Functions whose argument is the name of the signals."""

PATCH = "pyflink_durable.patch"
"""In a slot that no call has to match: the handler took the new code of a patch, see `patches`."""


def is_own(found: CallFields) -> bool:
    """Whether a slot holds something of the runtime's own, and no call of the handler's."""
    return (found[0], found[1]) in (TIMER, BATCH_TIMER, NOW) or found[0] in (
        PENDING_SIGNALS,
        PATCH,
    )


def completion_of(found: CallFields) -> int:
    """The place of an ended call in the order of completion; calls one by one have none."""
    return found[5] if len(found) > 5 else 0


def attempt_of(found: CallFields) -> int:
    """The number of the attempt in a slot."""
    return found[6] if len(found) > 6 else 1


def due_of(found: CallFields) -> int | None:
    """When a pending call is to start, in milliseconds since the epoch; None if it may have."""
    return found[7] if len(found) > 7 else None


def ended_at(found: CallFields) -> int | None:
    """When a call ended, in microseconds since the epoch; None if that is not known."""
    return found[8] if len(found) > 8 else None


def began_at(found: CallFields | None) -> int | None:
    """When the invocation of a first slot began, in microseconds; None if that is not known."""
    return found[9] if found is not None and len(found) > 9 else None


def is_repeatable(found: CallFields) -> bool:
    """Whether a call may simply run again; of one that does not tell, it is not known."""
    return len(found) > 10 and found[10] == 1
