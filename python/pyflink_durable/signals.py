"""Signals: what the outside tells a handler that waits for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyflink.common import Types
from pyflink.datastream import OutputTag

UNCLAIMED_SIGNAL = OutputTag("durable-unclaimed-signal", Types.PICKLED_BYTE_ARRAY())
"""The side output of signals that nobody took; it carries `UnclaimedSignal`."""

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
    """

    name: str
    value: Any = None
    id: str | None = None
    invocation: str | int | None = None
    raises: Exception | None = None

    def __post_init__(self) -> None:
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


@dataclass(frozen=True)
class UnclaimedSignal:
    """A signal that nobody took within ``signal_ttl``, or until the end of the input.

    Attributes:
        operator: The name given to `durable_process`.
        key: The key of the signal.
        signal: The signal.
    """

    operator: str
    key: Any
    signal: Signal


def check_signal_name(name: Any) -> None:
    """Checks what signals and waits go by.

    Raises:
        TypeError: It is not a string.
        ValueError: It is empty, or too long.
    """
    _check_text("name", name)


def _check_text(what: str, text: Any) -> None:
    if not isinstance(text, str):
        raise TypeError(f"{what} of a signal must be a str, not {type(text).__name__}")
    if not 0 < len(text) <= _LONGEST_TEXT:
        raise ValueError(
            f"{what} of a signal must have 1 to {_LONGEST_TEXT} characters, not {len(text)}"
        )
