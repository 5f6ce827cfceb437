"""The one object that the Java operator calls, and how the host comes to know it.

Each crossing between Python and Java hands the interpreter's lock over, and another task's Python
may take it meanwhile. So an element crosses once in each direction: the operator hands over the
input, and takes back all that happened in the step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any, Protocol


class Host(Protocol):
    """What the operation asks of the host: to end holds, and what happened in a step."""

    def release(self, released: Sequence[Any]) -> None:
        """Ends holds: triples of invocation, slot, and error (None if there is none)."""

    def take_writes(self) -> tuple[int, tuple[Any, ...]]:
        """How many calls were made, and journal writes of invocations that go on."""

    def take_ended(self) -> tuple[Any, ...]:
        """Invocations that have ended, with the place of each one's first output."""


opening: ContextVar[DurableOperation | None] = ContextVar("pyflink_durable_opening", default=None)
"""The operation whose host is being opened: PyFlink unpickles the host and tells nobody of it."""


class DurableOperation:
    """Wraps PyFlink's operation: its converters, the host, and Python functions chained behind it.

    Args:
        bridge: The Java `DurableBridge`.
    """

    def __init__(self, bridge: Any) -> None:
        self.bridge = bridge
        self.outputs: list[Any] = []
        self.input: tuple[int, int | None, int, int] = (0, None, 0, 0)
        self.has_chained = False
        self._host: Host | None = None
        self._operation: Any = None
        opening.set(self)

    def connect(self, host: Host) -> None:
        """Called by the host when PyFlink opens it."""
        self._host = host

    def bind(self, operation: Any) -> None:
        """Takes PyFlink's operation, which is open by now."""
        opening.set(None)
        self._operation = operation
        self.has_chained = bool(operation._chained_operations)

    def start(
        self, value: Any, invocation: int, timestamp: int | None, slots: int, sequence: int
    ) -> tuple[Any, ...] | None:
        """Starts the handler of an element.

        Args:
            value: The element, as PyFlink's converters take it.
            invocation: The invocation's id.
            timestamp: The element's timestamp in milliseconds, None if it has none.
            slots: How many slots the invocation's journal holds.
            sequence: The number of the element among all of its key, from 0.

        Returns:
            See `_report`.
        """
        self.input = (invocation, timestamp, slots, sequence)
        return self._report(self._operation.process_element(value))

    def resume(self, released: Sequence[Any] | None) -> tuple[Any, ...] | None:
        """Resumes the handlers whose calls have ended; gives what `start` gives.

        Args:
            released: Holds that are over, see `Host.release`.
        """
        if released:
            assert self._host is not None
            self._host.release(released)
        return self._report(self._operation.on_timer(0))

    def close(self) -> None:
        """Ends handlers, calls and threads; there are none if opening has failed."""
        if self._operation is not None:
            self._operation.close()

    def _report(self, outputs: Iterator[Any]) -> tuple[Any, ...] | None:
        """Runs a step to its end.

        Returns:
            ``(executed, writes, ended, outputs)``, or None if there is nothing to tell; each part
            is flat, which is cheap to convert.

            - executed: how many calls were made for the first time
            - writes, ten fields each: invocation, slot, function id, digest of the arguments,
              what to do (see `pyflink_durable.runtime.journal`), result, exception, attempt, due
              time, hold
            - ended, four fields each: invocation, place of its first output, names and pickled
              values of its state writes
        """
        collected: list[Any] = []
        self.outputs = collected
        for output in outputs:  # one by one: the host looks at how many there are
            collected.append(output)
        host = self._host
        assert host is not None
        executed, writes = host.take_writes()
        ended = host.take_ended()
        if not (executed or writes or ended):
            return None
        return executed, writes, ended, tuple(collected)
