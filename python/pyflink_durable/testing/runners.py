"""The handler runners of the operator, over journals in memory that tell what is answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pyflink_durable.runtime.journal.access import JournalAccess, SlotJournal
from pyflink_durable.runtime.journal.bridge import Identity
from pyflink_durable.runtime.operator.async_handlers import AsyncHandlerRunner
from pyflink_durable.runtime.operator.invocation import Invocation
from pyflink_durable.runtime.operator.thread_handlers import ThreadHandlerRunner
from pyflink_durable.runtime.operator.user_state import StateBackend


class Bridge(Protocol):
    """The journals of an attempt, as the runtime knows them, and what they are told."""

    def getCallResultFieldsAt(self, number: int, slot: int) -> Any: ...

    def applyJournalWrites(self, executed: int, writes: Any) -> None: ...

    def note_replayed(self, number: int, slot: int, identity: Identity) -> None: ...


class StepRunner(AsyncHandlerRunner):
    """Runs ``async def`` handlers on the loop."""

    def journal_of(self, bridge: Bridge, invocation: int, size: int) -> JournalAccess:
        return _ToldJournal(bridge, invocation, size=size, write=self._writes.add)

    def running(self) -> list[Invocation]:
        """Those that have not ended."""
        return list(self._running.values())


class ThreadRunner(ThreadHandlerRunner):
    """Runs ``def`` handlers on threads, of which one runs at a time."""

    def journal_of(self, bridge: Bridge, invocation: int, size: int) -> JournalAccess:
        return _ToldJournal(bridge, invocation, size=size)

    def state_of(self, backend: StateBackend) -> StateBackend:
        return backend


class _ToldJournal(SlotJournal):
    """Tells its bridge of each slot that is answered."""

    __slots__ = ()

    def replayed(self, slot: int, identity: Identity) -> None:
        self._bridge.note_replayed(self._id, slot, identity)


class ValuesOfKey:
    """The state of a key, in memory."""

    def __init__(self, values: Mapping[str, bytes]) -> None:
        self._values = values

    def get(self, name: str) -> bytes | None:
        return self._values.get(name)

    def names(self) -> list[str]:
        return sorted(self._values)
