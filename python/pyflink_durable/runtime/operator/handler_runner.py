"""What runs handlers: on the event loop, or on worker threads."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Protocol

from pyflink_durable.handler import HandlerFunction
from pyflink_durable.runtime.journal.access import JournalAccess
from pyflink_durable.runtime.operator.invocation import Invocation
from pyflink_durable.runtime.operator.user_state import StateBackend


class HandlerRunner(Protocol):
    """Starts handlers; each is handed to `on_end` on the task thread when it has ended."""

    def runner_of(self, function: HandlerFunction) -> HandlerRunner:
        """The runner of a handler of another version, which may be of the other kind."""

    def journal_of(self, bridge: Any, invocation: int, size: int) -> JournalAccess:
        """The journal of an invocation, writable from where the handler runs."""

    def state_of(self, backend: StateBackend) -> StateBackend:
        """The state of a key, readable from where the handler runs."""

    def take_writes(self) -> tuple[int, tuple[Any, ...]]:
        """How many calls were made in this step, and journal writes that wait for its end."""

    def begin_report(self) -> None:
        """The journal writes that the last report left out are not asked for any more."""

    def forget(self, invocation: Invocation) -> None:
        """Leaves out the journal writes of an invocation that has ended."""

    def keep(self, invocations: Collection[int]) -> tuple[Any, ...]:
        """The journal writes that the last report left out, of these invocations."""

    def start(self, invocation: Invocation, function: HandlerFunction | None = None) -> None:
        """Starts a handler; called on the task thread.

        Args:
            invocation: What it is run for.
            function: That of another version, in place of the runner's own.
        """

    def park(self, invocations: Iterable[int]) -> list[Any]:
        """Drops handlers that wait, as far as they let themselves be.

        Returns:
            Three fields for each of those: its id, when it is to go on at the latest (milliseconds
            since the epoch; `NEVER` if that is not a matter of time), and the names of the signals
            that it waits for.
        """

    def describe(self, invocation: int) -> str:
        """Names an invocation that runs on the loop, in log lines; called on any thread."""

    def close(self, deadline: float) -> list[str]:
        """Gives up what runs; the names of threads that still do at the deadline."""
