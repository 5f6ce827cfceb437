"""Whether the store of large payloads can be written to, asked before there is anything to write.

When a call has been made, its result has to go somewhere: a store that is down then is waited for,
with the call in doubt. So it is looked at before, where to say no costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

from pyflink_durable.errors import PayloadStoreDown
from pyflink_durable.payload.offload import Address
from pyflink_durable.serializer import PayloadStore

TRUSTED = 10.0
"""Seconds behind a write for which the store is taken to be there."""

DISTRUSTED = 1.0
"""Seconds behind a failure for which it is taken to be down, and not asked again."""

_PROBE = b"pyflink-durable can write here\n"
_ADDRESS = Address.of(_PROBE)


class StoreWatch:
    """Knows of the store what the last writes to it have told; one for each subtask.

    Its methods are called from any thread. Calls that start together ask the store once.

    Args:
        store: The store.
        clock: Gives seconds.
    """

    def __init__(self, store: PayloadStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._lock = Lock()
        self._written = -TRUSTED
        self._failure: tuple[float, Exception] | None = None

    @property
    def is_trusted(self) -> bool:
        """Whether a write was successful a moment ago, and none has failed since."""
        return self._failure is None and self._clock() - self._written < TRUSTED

    def written(self) -> None:
        """A payload was written."""
        self._written = self._clock()
        self._failure = None

    def failed(self, error: Exception) -> None:
        """A payload could not be written."""
        self._failure = self._clock(), error

    def check(self) -> None:
        """Writes a little object, if that was not done just now.

        Raises:
            PayloadStoreDown: The store does not take it.
        """
        with self._lock:
            if self.is_trusted:
                return
            failure = self._failure
            if failure is None or self._clock() - failure[0] >= DISTRUSTED:
                try:
                    self._store.put(_ADDRESS, _PROBE)
                except Exception as error:
                    self.failed(error)
                else:
                    self.written()
            if self._failure is not None:
                raise _down(self._store.url, self._failure[1])


def _down(url: str, error: Exception) -> PayloadStoreDown:
    down = PayloadStoreDown(
        f"the store of large payloads, {url}, cannot be written to ({type(error).__name__}: "
        f"{error})"
    )
    down.__cause__ = error
    return down
