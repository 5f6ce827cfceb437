"""What a function knows of the durable call that runs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

from pyflink_durable.errors import NotInInvocation

T = TypeVar("T")


class MakesKeys(Protocol):
    """The identity of an invocation, as far as its calls know it."""

    def idempotency_key(self, slot: int, durable_id: str | None, occurrence: int) -> str:
        """The key of a call; see `CurrentCall.idempotency_key`."""


class CurrentCall:
    """The durable call that runs the code which asks; see `current_call`.

    Attributes:
        attempt: Which start of the call this is, from 1. It counts over failures of the job. In a
            reconciler it is the attempt that is in doubt.
        slot: The call's place in the journal of its invocation, from 0.
        durable_id: The identity that the handler gave to the call, None if it gave none.
    """

    __slots__ = ("_invocation", "_occurrence", "attempt", "durable_id", "slot")

    def __init__(
        self,
        attempt: int,
        slot: int,
        durable_id: str | None,
        occurrence: int,
        invocation: MakesKeys,
    ) -> None:
        self.attempt = attempt
        self.slot = slot
        self.durable_id = durable_id
        self._occurrence = occurrence
        self._invocation = invocation

    @property
    def idempotency_key(self) -> str:
        """A key to send along, by which the outside tells a repetition: 32 hexadecimal digits.

        It is made from the operator's uid, the key of the input, the invocation's id and the slot;
        in place of the slot from the `durable_id`, if there is one, and its number among those of
        the invocation that have the same. So it is the same in every attempt of the call, also when
        a crash has lost the journal, and another for every other call.
        """
        return self._invocation.idempotency_key(self.slot, self.durable_id, self._occurrence)

    def __repr__(self) -> str:
        return (
            f"CurrentCall(attempt={self.attempt}, slot={self.slot}, durable_id={self.durable_id!r})"
        )


running_call: ContextVar[CurrentCall | None] = ContextVar("pyflink_durable_call", default=None)
"""The call that runs the code which asks; None outside of calls."""


def call_inside(
    current: CurrentCall | None,
    func: Callable[..., T],
    args: Iterable[Any],
    kwargs: Mapping[str, Any],
) -> T:
    """Calls a function as one of a durable call; for a context of its own, which it changes."""
    running_call.set(current)
    return func(*args, **kwargs)


def current_call() -> CurrentCall:
    """The durable call inside whose function, or reconciler, this is asked.

    Returns:
        Its attempt, slot, durable_id and idempotency key.

    Raises:
        NotInInvocation: This is not the function or the reconciler of a durable call.
    """
    call = running_call.get()
    if call is None:
        raise NotInInvocation(
            "current_call() answers inside the function or the reconciler of a durable call; a "
            "thread that such a function starts has to be handed what it needs"
        )
    return call
