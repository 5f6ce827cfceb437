"""What a signal says of itself when it comes, and whether anybody may take it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from pyflink_durable.callback_token import CALLBACK_PREFIX, CallbackToken
from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.runtime.journal.callbacks import Callbacks
from pyflink_durable.signals import CANCEL, Signal, UnclaimedReason


class SignalFields(NamedTuple):
    """A signal, as Java keeps it.

    Attributes:
        name: Its name.
        id: By which repetitions are known; None if it has none.
        invocation: The id of the only invocation that may take it; None for any.
        sequence: The same as the number of an input, where that is its id; otherwise None.
        refused: Why nobody may take it; None if somebody may.
        content: What is kept of it, in place of what came; None for that.
    """

    name: str
    id: str | None
    invocation: str | None
    sequence: int | None
    refused: UnclaimedReason | None
    content: bytes | None = None


class SignalReader:
    """Reads the signals of one operator.

    Args:
        callbacks: Checks tokens; None for an operator without.
        numbered: Whether the number of an input is the id of its invocation.
        cancels: Whether its handlers can be cancelled.
    """

    def __init__(self, callbacks: Callbacks | None, numbered: bool, cancels: bool) -> None:
        self._callbacks = callbacks
        self._numbered = numbered
        self._cancels = cancels

    def read(self, signal: Signal, key: Callable[[], Any]) -> SignalFields:
        """What a signal says.

        Args:
            signal: The signal.
            key: Gives the key that its stream has for it.
        """
        invocation = signal.invocation
        numbered = self._numbered and isinstance(invocation, int)
        return SignalFields(
            signal.name,
            signal.id,
            None if invocation is None else str(invocation),
            invocation if numbered and isinstance(invocation, int) else None,
            self._refused(signal, key),
        )

    def _refused(self, signal: Signal, key: Callable[[], Any]) -> UnclaimedReason | None:
        if signal.name == CANCEL:
            return None if self._cancels else "cannot be cancelled"
        if not signal.name.startswith(CALLBACK_PREFIX):
            return None
        token = None if signal.token is None else CallbackToken.parse(signal.token)
        if token is None or token.name != signal.name or self._callbacks is None:
            return "forged"
        if not self._callbacks.is_genuine(token):
            return "forged"
        return None if _digest(token.key) == _digest(key()) else "other key"


def _digest(key: Any) -> str:
    return compute_args_digest((key,), {})
