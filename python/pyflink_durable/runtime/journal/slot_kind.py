"""The kinds of slot of a journal; Java's half is its `SlotKind`."""

from __future__ import annotations

from enum import Enum


class SlotKind(str, Enum):
    """What a slot holds; the values are the names of Java's.

    The life of a call is in `runtime.calls`. A slot of any other kind is opened, and filled once:
    see `OwnSlot`, and the modules that are named here.
    """

    CALL = "CALL"
    """A durable call."""

    TIMER = "TIMER"
    """A sleep or a timeout of an ``async def`` handler, see `timers`."""

    BATCH_TIMER = "BATCH_TIMER"
    """The time that a batch of a ``def`` handler has, see `batches.timer`."""

    MOMENT = "MOMENT"
    """The time that a handler has seen, see `moments`."""

    SIGNAL = "SIGNAL"
    """A wait for a signal, and the signal, see `signals`."""

    PENDING_SIGNALS = "PENDING_SIGNALS"
    """The signals that a handler has seen and not taken, see `seen_signals`."""

    PATCH = "PATCH"
    """The handler took the new code of a patch, see `patches`; no call has to match it."""

    TICKET = "TICKET"
    """The token of a ticket, see `callbacks`."""

    CANCELLATION = "CANCELLATION"
    """The invocation was cancelled here, see `cancellation`."""

    @property
    def is_from_outside(self) -> bool:
        """Whether a slot of it holds what came from outside, and is lost with it."""
        return self in (SlotKind.CALL, SlotKind.SIGNAL, SlotKind.CANCELLATION)

    @property
    def shown(self) -> str:
        """In words."""
        return self.value.lower().replace("_", " ")


_NO_ARGUMENTS = "0" * 16

IN_PLACE_OF_A_KIND = {
    SlotKind.TIMER: ("pyflink_durable.timer", _NO_ARGUMENTS),
    SlotKind.BATCH_TIMER: ("pyflink_durable.batch_timer", _NO_ARGUMENTS),
    SlotKind.MOMENT: ("pyflink_durable.now", _NO_ARGUMENTS),
}
"""The function and digest that stand for a kind where a slot tells none: over the six methods of a
bridge, and in what releases up to 0.1 wrote."""

_KINDS = {identity: kind for kind, identity in IN_PLACE_OF_A_KIND.items()}


def kind_without_a_word(function_id: str, args_digest: str) -> SlotKind:
    """The kind of a slot that tells none."""
    return _KINDS.get((function_id, args_digest), SlotKind.CALL)
