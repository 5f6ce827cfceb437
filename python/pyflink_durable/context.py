"""What a handler sees of the runtime."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, MutableMapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from enum import Enum
from logging import Logger, LoggerAdapter
from random import Random
from typing import TYPE_CHECKING, Any, Final, Literal
from uuid import UUID

from pyflink_durable.durable_calls import DurableCalls
from pyflink_durable.signals import Signal
from pyflink_durable.tickets import Ticket

if TYPE_CHECKING:
    from pyflink.datastream import OutputTag


class _Sentinel(Enum):
    NOT_EXECUTED = "NOT_EXECUTED"


NOT_EXECUTED: Final = _Sentinel.NOT_EXECUTED
"""What a reconciler returns when it knows that the call did not happen: the call then runs."""

NotExecuted = Literal[_Sentinel.NOT_EXECUTED]


class RunnerContext(DurableCalls):
    """The second argument of every handler: durable calls, outputs and state of its key."""

    @property
    @abstractmethod
    def key(self) -> Any:
        """The key of the input, as the key selector gave it."""

    @property
    @abstractmethod
    def timestamp(self) -> int | None:
        """The event time of the input in milliseconds since the epoch; None if it has none."""

    @property
    @abstractmethod
    def state(self) -> MutableMapping[str, Any]:
        """Values kept for this key between inputs.

        Writes apply when the handler ends, together with its outputs; a handler that fails or is
        run again after a failure starts from what it found the first time. A value that was read
        and then changed in place is written only if it is assigned again. Values are written as
        results of calls are, see ``DurableOptions(serializer=...)``.
        """

    @property
    @abstractmethod
    def is_replaying(self) -> bool:
        """Whether an earlier run of the handler has been here.

        After a failure a handler is run again and given what is in its journal; it replays until it
        comes to something new. A handler must make the same calls whatever this says.
        """

    @property
    @abstractmethod
    def logger(self) -> LoggerAdapter[Logger]:
        """A logger that is silent while the handler is replayed, so each line is logged once.

        In a job the lines go to the log of the TaskManager, with the operator, the key and the
        invocation in front, from level ``INFO`` on (``ctx.logger.setLevel`` for the operator).
        """

    @abstractmethod
    def sleep(self, seconds: float) -> Awaitable[None]:
        """Waits for a time; the deadline is in the journal, so that a failure does not extend it.

        `asyncio.sleep`, `asyncio.timeout` and `asyncio.wait_for` are durable in the same way. In a
        ``def`` handler there is nothing of the kind.

        Args:
            seconds: How long; 0 lets the handler's other tasks go on.
        """

    @abstractmethod
    def wait_for_signal(self, name: str, timeout: float | None = None) -> Awaitable[Any]:
        """Waits for the next signal of a name that comes for the handler's key.

        Signals of a name are taken in the order in which they came, each once; those that came
        before the wait, or before the input, too. A wait that is cancelled or has timed out takes
        none. Whichever of the signal and the deadline is journaled first is what every run of the
        handler sees. For ``async def`` handlers of an operator with ``signals=``.

        Args:
            name: The name.
            timeout: Seconds after which the wait is over; None for no end. A failure does not
                extend them.

        Returns:
            An awaitable of the signal's value.

        Raises:
            SignalTimedOut: None has come in time.
            Exception: What the signal raises, see `Signal.error`.
        """

    @abstractmethod
    def callback(self, name: str, timeout: float | None = None) -> Ticket:
        """Makes a ticket for one answer from outside: a person's, a webhook's.

        Its ``token`` goes out with a durable call; ``await ticket`` gives the answer, which comes
        back as ``Signal.from_token(token, value)`` on the operator's stream of signals. The token
        is journaled: it is the same in every run. For ``async def`` handlers of an operator with
        ``signals=`` and ``DurableOptions(callback_secret=...)``.

        Args:
            name: What it is for, in errors and logs.
            timeout: Seconds that ``await ticket`` waits, from then on; None for no end.

        Raises:
            TypeError: The handler's key cannot travel in a token.
            SignalTimedOut: No answer has come in time; raised by ``await ticket``.
        """

    @abstractmethod
    def pending_signals(self, name: str) -> list[Signal]:
        """The signals of a name that wait to be taken, in order; a look, which takes none.

        What it gives is journaled: the same in every run of the handler.
        """

    @abstractmethod
    def stay_awake(self) -> AbstractAsyncContextManager[None]:
        """Keeps the invocation in memory: ``async with ctx.stay_awake(): ...``.

        An invocation that waits for nothing but time or signals is dropped after a while, see
        `DurableOptions.park_after`, and run again when it goes on. A handler that holds something
        that must not be dropped meanwhile, such as a lock that others wait for, says so.
        """

    @abstractmethod
    def patched(self, patch: str) -> bool:
        """Whether this invocation takes the new code at a place where the handler has changed.

        ``if ctx.patched("fraud-check"): ...  # the new code``, and ``else`` the old. False for an
        invocation that went past this place before the change was deployed; True for all others,
        those in flight that have not come so far among them. It is decided at the first such place
        that the invocation comes to, and is then the same everywhere in it, in every run.

        Args:
            patch: Names the change; a later one has another name.

        Raises:
            ValueError: The name is none.
        """

    @abstractmethod
    def deprecate_patch(self, patch: str) -> None:
        """Stands where `patched` stood when the old code is gone.

        An invocation that has taken the old code here is a mismatch, see
        `DurableOptions.on_mismatch`. ``pyflink-durable check-upgrade`` tells whether one is left;
        without one this line may go, too.

        Args:
            patch: The change.

        Raises:
            JournalMismatch: The invocation has taken the old code.
        """

    @abstractmethod
    def now(self) -> datetime:
        """The time, in UTC; the same in every run of the handler, as it is journaled."""

    @abstractmethod
    def uuid4(self) -> UUID:
        """A random UUID; the same in every run of the handler."""

    @property
    @abstractmethod
    def random(self) -> Random:
        """A generator of random numbers, which are the same in every run of the handler.

        Its seed is made from the operator's uid, the key and the invocation's id. Not for secrets.
        """

    @abstractmethod
    def collect(self, value: Any) -> None:
        """Emits a value when the handler ends; a value that it returns is emitted after these."""

    @abstractmethod
    def output(self, tag: OutputTag, value: Any) -> None:
        """Emits a value to a side output when the handler ends.

        Args:
            tag: The tag by which the job reads it: ``results.get_side_output(tag)``.
            value: A value of the tag's type.
        """
