"""Signals: what the outside tells a handler that waits for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pyflink.common import Types
from pyflink.datastream import OutputTag

from pyflink_durable.callback_token import CallbackToken

UNCLAIMED_SIGNAL = OutputTag("durable-unclaimed-signal", Types.PICKLED_BYTE_ARRAY())
"""The side output of signals that nobody took; it carries `UnclaimedSignal`."""

CANCEL = "pyflink_durable.cancel"
"""The name of the signals that cancel an invocation."""

OWN = "pyflink_durable."
"""In front of names that are the runtime's own."""

_LONGEST_TEXT = 1_000


@dataclass(frozen=True)
class Signal:
    """An element of the stream of signals that `durable_process` takes as ``signals=``.

    Its key, by ``key_by``, is that of the handler that it is for.

    Attributes:
        name: What the handler waits for: ``await ctx.wait_for_signal(name)``.
        value: What that gives.
        id: Tells repetitions: of signals with one id the first counts, for ``signal_ttl``.
        invocation: The id of the only invocation that may take it: what ``invocation_id`` gives,
            otherwise the number of the input among all of its key, from 0. None for any of the key.
        raises: What the wait raises in place of giving a value, see `error`.
        token: What it answers, see `from_token`.
    """

    name: str
    value: Any = None
    id: str | None = None
    invocation: str | int | None = None
    raises: Exception | None = None
    token: str | None = None

    def __post_init__(self) -> None:
        if self.token is not None:
            told = CallbackToken.parse(self.token)
            if (self.name, self.invocation) != (told.name, told.invocation):
                raise ValueError("this signal says otherwise than its token: use from_token")
        elif self.name == CANCEL:
            _check_cancel(self)
        else:
            check_signal_name(self.name)
        if self.id is not None:
            _check_text("id", self.id)
        if isinstance(self.invocation, bool) or not isinstance(
            self.invocation, (str, int, type(None))
        ):
            raise TypeError(
                f"invocation of a signal must be a str or an int, not {self.invocation!r}"
            )
        if self.raises is not None and not isinstance(self.raises, Exception):
            raise TypeError(f"raises of a signal must be an exception, not {self.raises!r}")

    @classmethod
    def error(
        cls,
        name: str,
        error: Exception,
        id: str | None = None,
        invocation: str | int | None = None,
    ) -> Signal:
        """A signal that raises in the handler that waits for it.

        Args:
            name: What the handler waits for.
            error: What is raised there.
            id: See `Signal`.
            invocation: See `Signal`.
        """
        return cls(name, None, id, invocation, error)

    @classmethod
    def from_token(cls, token: str, value: Any = None, raises: Exception | None = None) -> Signal:
        """The answer to a ticket of `RunnerContext.callback`; `key` says where it belongs.

        Of several the first counts. The operator looks whether the token is genuine: one that is
        not goes to `UNCLAIMED_SIGNAL`.

        Args:
            token: What ``ticket.token`` was.
            value: What the ticket gives.
            raises: What it raises in place of that.

        Raises:
            ValueError: It is no token at all. For a webhook that is a bad request.
        """
        told = CallbackToken.parse(token)
        return cls(told.name, value, told.id, told.invocation, raises, token)

    @classmethod
    def cancel(cls, invocation: str | int, reason: str = "", id: str | None = None) -> Signal:
        """Cancels an invocation: its handler gets an `asyncio.CancelledError` where it waits.

        It may make amends with durable calls. If it lets the error pass, its input goes to the
        `DEAD_LETTER` side output; if it returns, it has ended as any other. For ``async def``
        handlers.

        Args:
            invocation: The id of the invocation, see `Signal`.
            reason: Why; the dead letter has it.
            id: See `Signal`.
        """
        return cls(CANCEL, reason, id, invocation)

    @property
    def key(self) -> Any:
        """The key that its token carries, for ``key_by(lambda signal: signal.key)``.

        Raises:
            ValueError: It has no token.
        """
        if self.token is None:
            raise ValueError(
                f"the signal {self.name!r} was not made by Signal.from_token, so it has no key: "
                "take that from what it was made of"
            )
        return CallbackToken.parse(self.token).key


UnclaimedReason = Literal[
    "nobody took it", "its invocation has ended", "forged", "other key", "cannot be cancelled"
]
"""Why nobody takes a signal: not within ``signal_ttl``, or until the end of the input; too late for
the invocation that it is for; its token is not the operator's; its stream is keyed by something
else than the key of its token; it would cancel a ``def`` handler."""


@dataclass(frozen=True)
class UnclaimedSignal:
    """A signal that nobody has taken, or will.

    Attributes:
        operator: The name given to `durable_process`.
        key: The key of the signal.
        signal: The signal.
        reason: Why, see `UnclaimedReason`.
    """

    operator: str
    key: Any
    signal: Signal
    reason: UnclaimedReason = "nobody took it"


def check_signal_name(name: Any) -> None:
    """Checks what signals and waits go by.

    Raises:
        TypeError: It is not a string.
        ValueError: It is empty, too long, or one of the runtime's own.
    """
    _check_text("name", name)
    if name.startswith(OWN):
        raise ValueError(
            f"names of signals that begin with {OWN!r} are the runtime's, not {name!r}"
        )


def _check_cancel(signal: Signal) -> None:
    if signal.invocation is None or signal.raises is not None:
        raise ValueError("a cancellation is for one invocation: make it with Signal.cancel(...)")
    if not isinstance(signal.value, str):
        raise TypeError(f"the reason of a cancellation is a str, not {signal.value!r}")


def _check_text(what: str, text: Any) -> None:
    if not isinstance(text, str):
        raise TypeError(f"{what} of a signal must be a str, not {type(text).__name__}")
    if not 0 < len(text) <= _LONGEST_TEXT:
        raise ValueError(
            f"{what} of a signal must have 1 to {_LONGEST_TEXT} characters, not {len(text)}"
        )
