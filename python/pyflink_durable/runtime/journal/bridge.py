"""The Java objects the runtime talks to.

The names are Java's: the same object may be reached through pemja in the operator, through py4j in
tests, or be a Python object.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, Protocol

from pyflink_durable.runtime.journal.slot_kind import SlotKind
from pyflink_durable.wording.one_line import one_line


class Identity(NamedTuple):
    """What tells what one slot holds from what another does.

    Attributes:
        function_id: The function of a call, or its durable_id; the name of signals, or of a patch;
            empty for all else.
        args_digest: The digest of the arguments of a call.
        kind: What it is.
    """

    function_id: str
    args_digest: str
    kind: SlotKind = SlotKind.CALL

    @classmethod
    def of(cls, found: CallFields) -> Identity:
        """That of what a slot holds."""
        return cls(found[0], found[1], kind_of(found))

    @property
    def shown(self) -> str:
        """The function, the durable_id, or what it is else, in log lines and errors."""
        if self.kind is SlotKind.CALL:
            return one_line(self.function_id)
        return one_line(f"{self.kind.shown} {self.function_id}".rstrip())

    @property
    def told(self) -> tuple[str, str]:
        """As errors have it: what is shown, and the digest."""
        return (self.function_id if self.kind is SlotKind.CALL else self.shown), self.args_digest

    def __str__(self) -> str:
        return f"{self.shown}({self.args_digest})" if self.args_digest else self.shown


CallFields = Sequence[Any]
"""``[function_id, args_digest, status, result, exception]``, and where they are known the order of
completion, the number of the attempt, and for a call that has not started the time at which it is
to start (milliseconds since the epoch); then when it ended, and in the first slot when the
invocation began (both in microseconds since the epoch); whether it is repeatable (1); last the kind
of slot."""

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


def kind_of(found: CallFields) -> SlotKind:
    """What a slot holds; one that tells no kind holds a call."""
    return SlotKind(found[11]) if len(found) > 11 else SlotKind.CALL


def holds(found: CallFields, identity: Identity) -> bool:
    """Whether a slot holds what has this identity."""
    kind = found[11] if len(found) > 11 else SlotKind.CALL
    return (found[0], found[1], kind) == identity


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
