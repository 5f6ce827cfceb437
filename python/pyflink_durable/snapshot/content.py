"""What a snapshot holds: operators, invocations in flight, slots of their journals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from typing import Any, Literal

from pyflink_durable.runtime.journal.bridge import PENDING, Identity
from pyflink_durable.runtime.journal.slot_kind import SlotKind
from pyflink_durable.snapshot.plain import plain_value

SlotCondition = Literal["ended", "failed", "in doubt", "retry", "in line", "waiting"]
Condition = Literal["in doubt", "retrying", "waiting", "running", "in line"]

_NUMBERED_BELOW = 2**62
"""Operators with an ``invocation_id`` number their inputs from here on, in order to order them."""


@dataclass(frozen=True)
class OperatorInfo:
    """A durable operator of a snapshot.

    Attributes:
        id: Its id in Flink, which is made of its uid.
        uid: Its uid; None where Flink does not keep it (before 2.1) and nobody has told it.
        name: Its name, where Flink keeps it.
        parallelism: Its parallelism when the snapshot was taken.
        max_parallelism: The number of its key groups.
        state_size: The bytes of all its state, that of idle keys included.
    """

    id: str
    uid: str | None
    name: str | None
    parallelism: int
    max_parallelism: int
    state_size: int

    @property
    def shown(self) -> str:
        """What it is best known by."""
        return self.uid or self.name or self.id


@dataclass(frozen=True)
class Payload:
    """A value that crossed the journal.

    Attributes:
        size: Its bytes.
        data: The bytes; None unless payloads were asked for.
    """

    size: int
    data: bytes | None

    @cached_property
    def value(self) -> Any:
        """The value as far as it is plain: classes are not imported, and stand as `Opaque`."""
        return plain_value(self.data)


@dataclass(frozen=True)
class Slot:
    """A slot of a journal.

    Attributes:
        number: Its place, from 0.
        function_id: The function, or the ``durable_id``; the name of the signals that are waited
            for; else empty.
        args_digest: The digest of the arguments.
        status: PENDING, SUCCEEDED or FAILED.
        attempt: The attempt that the status is of, from 1.
        completion: Its place in the order in which calls ended; None before.
        due: When it is to start, or to fire (milliseconds since the epoch); 0 for a call that
            waits for its turn; None for all that is not scheduled.
        ended: When it ended, in microseconds since the epoch; None if that is not known.
        repeatable: Whether it may simply run again.
        result: What it returned, if it did.
        exception: What it raised, if it did.
        kind: What it holds.
    """

    number: int
    function_id: str
    args_digest: str
    status: str
    attempt: int
    completion: int | None
    due: int | None
    ended: int | None
    repeatable: bool
    result: Payload | None
    exception: Payload | None
    kind: SlotKind = SlotKind.CALL

    @property
    def name(self) -> str:
        """The function or ``durable_id``; of all else, its kind, and the name of signals."""
        return Identity(self.function_id, self.args_digest, self.kind).told[0]

    @property
    def in_doubt(self) -> bool:
        """Whether it was announced and may or may not have happened."""
        return self.condition == "in doubt"

    @property
    def condition(self) -> SlotCondition:
        """How it stands, in a word."""
        if self.status != PENDING:
            return "failed" if self.exception is not None else "ended"
        if self.kind is not SlotKind.CALL:
            return "waiting"
        if self.due is None:
            return "in doubt"
        return "retry" if self.attempt > 1 else "in line"


@dataclass(frozen=True)
class Invocation:
    """An input that has been accepted and is not done with.

    Attributes:
        operator: Its operator.
        key_data: The pickle of its key; None for a type that PyFlink has no counterpart of.
        sequence: The number of the input among all of its key.
        timestamp: The input's timestamp in milliseconds; None if it has none.
        place: 0 for the key's running invocation; others wait behind it.
        input: The input.
        state: `ctx.state` of the key, as the last invocation has left it.
        slots: The journal, in the order of its slots.
        began: When it began, in microseconds since the epoch; None if it has not made a call yet,
            or did under release 0.1.
        key_group: The key's key group.
        version: The version of the handler that accepted it, and handles it to its end; None if
            its job named none.
        parked: Whether it is not in memory, as it only waits, or is behind one that does.
    """

    operator: OperatorInfo
    key_data: bytes | None
    sequence: int
    timestamp: int | None
    place: int
    input: Payload | None
    state: Mapping[str, Payload]
    slots: tuple[Slot, ...]
    began: int | None
    key_group: int
    version: str | None = field(default=None, kw_only=True)
    parked: bool = field(default=False, kw_only=True)

    @cached_property
    def key(self) -> Any:
        """The key as far as it is plain."""
        return plain_value(self.key_data)

    @property
    def id(self) -> int | None:
        """Its number; None where the operator has an ``invocation_id`` of its inputs."""
        return self.sequence if self.sequence < _NUMBERED_BELOW else None

    @property
    def in_doubt(self) -> bool:
        """Whether one of its calls may or may not have happened."""
        return any(slot.in_doubt for slot in self.slots)

    @cached_property
    def condition(self) -> Condition:
        """How it stands, in a word: the most serious of its slots."""
        if self.place:
            return "in line"
        conditions = {slot.condition for slot in self.slots}
        if "in doubt" in conditions:
            return "in doubt"
        if "retry" in conditions:
            return "retrying"
        return "waiting" if "waiting" in conditions else "running"

    @property
    def since(self) -> datetime | None:
        """When it began."""
        return None if self.began is None else _from_micros(self.began)

    @property
    def waits_since(self) -> datetime | None:
        """When what it has done last had ended; at the latest then its open waits began."""
        times = [slot.ended for slot in self.slots if slot.ended is not None]
        known = [*times, *([] if self.began is None else [self.began])]
        return _from_micros(max(known)) if known else None


@dataclass(frozen=True)
class UnclaimedSlot:
    """A slot that only the call log knew, whose input has not come back (``write-ahead``).

    Attributes:
        operator: Its operator.
        key_data: The pickle of its key.
        invocation_id: The invocation.
        sequence: The number of the input.
        number: The slot.
        slot: What it holds; None if it and all after it were dropped.
        key_group: The key's key group.
    """

    operator: OperatorInfo
    key_data: bytes | None
    invocation_id: str
    sequence: int
    number: int
    slot: Slot | None
    key_group: int

    @cached_property
    def key(self) -> Any:
        """The key as far as it is plain."""
        return plain_value(self.key_data)


@dataclass(frozen=True)
class KeptState:
    """`ctx.state` of a key, which may have nothing in flight.

    Attributes:
        operator: Its operator.
        key_data: The pickle of its key.
        values: The values by their names.
        key_group: The key's key group.
    """

    operator: OperatorInfo
    key_data: bytes | None
    values: Mapping[str, Payload]
    key_group: int

    @cached_property
    def key(self) -> Any:
        """The key as far as it is plain."""
        return plain_value(self.key_data)


Content = Invocation | UnclaimedSlot | KeptState


def _from_micros(micros: int) -> datetime:
    return datetime.fromtimestamp(micros / 1e6, tz=timezone.utc)
