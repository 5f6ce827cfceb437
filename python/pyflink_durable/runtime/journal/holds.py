"""Calls and outcomes that wait until what was written of them is safe."""

from __future__ import annotations

from collections.abc import Callable


class Hold:
    """One call that waits, or its outcome.

    Attributes:
        released: Whether the wait is over.
        error: Why the log did not take what was written; None if it did.
    """

    __slots__ = ("_on_release", "error", "released")

    def __init__(self) -> None:
        self.released = False
        self.error: str | None = None
        self._on_release: list[Callable[[str | None], None]] = []

    def on_release(self, callback: Callable[[str | None], None]) -> None:
        """Has the callback called with `error` when the wait is over, or now if it is."""
        self._on_release.append(callback)
        if self.released:  # by the task thread, while a worker came here
            self._call()

    def release(self, error: str | None = None) -> None:
        """Ends the wait; on the task thread."""
        self.error = error
        self.released = True
        self._call()

    def _call(self) -> None:
        try:
            callback = self._on_release.pop()
        except IndexError:  # not there yet, or the other of two threads has taken it
            return
        callback(self.error)


class Holds:
    """The holds of one subtask, by invocation and slot."""

    def __init__(self) -> None:
        self._holds: dict[tuple[int, int], Hold] = {}

    def expect(self, invocation: int, slot: int) -> Hold:
        """Makes a hold; to be called before the write that it waits for."""
        hold = self._holds[invocation, slot] = Hold()
        return hold

    def release(self, invocation: int, slot: int, error: str | None) -> None:
        """Ends the wait of a slot; nothing happens if nobody waits any more."""
        hold = self._holds.pop((invocation, slot), None)
        if hold is not None:
            hold.release(error)

    def forget(self, invocation: int, slots: int) -> None:
        """Drops the holds of an invocation that has ended, and that has used so many slots."""
        if self._holds:
            for slot in range(slots):
                self._holds.pop((invocation, slot), None)
