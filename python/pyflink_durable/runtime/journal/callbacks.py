"""Tickets of handlers: each has a slot with its token, and waits for the signal that brings it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Sequence
from functools import cached_property
from typing import Any

from pyflink_durable.callback_token import CallbackToken, make_token
from pyflink_durable.errors import ConfigurationError, DurableExecutionError
from pyflink_durable.runtime.journal.invocation_journal import InvocationJournal
from pyflink_durable.runtime.journal.own_slot import OwnSlot
from pyflink_durable.runtime.journal.slot_kind import SlotKind
from pyflink_durable.runtime.journal.times import now
from pyflink_durable.tickets import Ticket

_SHORTEST = 16
"""Bytes of a secret."""

Secrets = Callable[[], "bytes | Sequence[bytes]"]
"""Gives the secret that tokens are made with, or several: the first makes, all are accepted."""

Wait = Callable[[str, str], Coroutine[Any, Any, Any]]
"""Waits for a signal, by its name and the name that it is told by."""


class Callbacks:
    """Makes and checks the tokens of one operator.

    Args:
        operator: Its uid.
        read: Gives the secrets; asked once.
    """

    def __init__(self, operator: str, read: Secrets) -> None:
        self._operator = operator
        self._read = read

    @classmethod
    def of(cls, read: Secrets | None, operator: str) -> Callbacks | None:
        """Those of an operator, the secrets of which are read now; None if it has none.

        Raises:
            ConfigurationError: See `secrets`; it fails the task before its first input.
        """
        if read is None:
            return None
        callbacks = cls(operator, read)
        return callbacks if callbacks.secrets else None

    @cached_property
    def secrets(self) -> Sequence[bytes]:
        """The secrets; the first one makes tokens.

        Raises:
            ConfigurationError: There is none, or one is too short.
        """
        given = self._read()
        secrets = [given] if isinstance(given, bytes) else list(given)
        if not secrets or not all(isinstance(one, bytes) for one in secrets):
            raise ConfigurationError("callback_secret must give bytes, or a list of bytes")
        if any(len(one) < _SHORTEST for one in secrets):
            raise ConfigurationError(
                f"callback_secret gives a secret of fewer than {_SHORTEST} bytes: somebody could "
                "guess it, and answer in the place of others"
            )
        return secrets

    def make(self, key: Any, invocation: int | str, slot: int) -> str:
        """The token of a ticket."""
        return make_token(self.secrets[0], self._operator, key, invocation, slot)

    def is_genuine(self, token: CallbackToken) -> bool:
        """Whether this operator has made a token."""
        return token.is_genuine(self.secrets, self._operator)


def make_ticket(
    journal: InvocationJournal, callbacks: Callbacks | None, name: str, wait: Wait
) -> Ticket:
    """Makes a ticket, or the one that an earlier run of the handler had here.

    Args:
        journal: The invocation's.
        callbacks: Those of the operator.
        name: The name of the callback.
        wait: Waits for its answer.

    Raises:
        DurableExecutionError: The operator has no secret.
        TypeError: The handler's key cannot travel in a token.
    """
    slot = OwnSlot(journal, SlotKind.TICKET, name)
    if slot.is_filled:
        token = slot.replay(str)  # the secret may be another one by now
    elif callbacks is None:
        raise DurableExecutionError(
            "ctx.callback makes tokens that nobody can guess, and for that needs a secret: "
            "DurableOptions(callback_secret=read_secret), where read_secret runs in the TaskManager"
        )
    else:
        token = callbacks.make(journal.identity.key, journal.identity.id, slot.number)
        at = max(now(), journal.clock.micros)
        slot.open(at // 1000)
        slot.fill(token, str, at)
    return JournaledTicket(name, token, wait)


class JournaledTicket(Ticket):
    """A ticket whose token is in the journal.

    Args:
        name: The name of the callback.
        token: Its token.
        wait: Waits for its answer.
    """

    __slots__ = ("_wait", "name", "token")

    def __init__(self, name: str, token: str, wait: Wait) -> None:
        self.name = name
        self.token = token
        self._wait: Wait | None = wait

    def __await__(self) -> Generator[Any, None, Any]:
        wait, self._wait = self._wait, None
        if wait is None:
            raise DurableExecutionError(
                f"the ticket {self.name!r} was awaited before, and has one answer: keep that"
            )
        return wait(CallbackToken.parse(self.token).name, self.name).__await__()

    def __repr__(self) -> str:
        return f"<ticket {self.name!r}>"  # its token is a password
