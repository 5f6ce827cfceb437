"""`ctx.state`: values of a key, read when they are asked for, written when the handler ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from typing import Any, Protocol

from pyflink_durable.errors import PayloadNotWritable, PayloadRefused
from pyflink_durable.identity.canonical_leaves import class_name
from pyflink_durable.payload.described import Owner
from pyflink_durable.payload.payloads import Payloads
from pyflink_durable.payload.results import NotSerializable
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity


class StateBackend(Protocol):
    """Payloads of one key by name. May be asked from the handler's thread."""

    def get(self, name: str) -> bytes | None:
        """The value, None if there is none."""

    def names(self) -> list[str]:
        """The names of all values, sorted."""


class MemoryState:
    """Payloads in a dict, where there is no Flink."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    def get(self, name: str) -> bytes | None:
        return self.values.get(name)

    def names(self) -> list[str]:
        return sorted(self.values)


class BridgeState:
    """The state of an invocation's key; on the task thread only."""

    def __init__(self, bridge: Any, invocation: int) -> None:
        self._bridge = bridge
        self._invocation = invocation

    def get(self, name: str) -> bytes | None:
        payload: bytes | None = self._bridge.getState(self._invocation, name)
        return payload

    def names(self) -> list[str]:
        return list(self._bridge.getStateNames(self._invocation))


class UserState(MutableMapping[str, Any]):
    """The state of one key as one invocation sees it.

    Only one invocation of a key runs at a time, so what it reads cannot change under it.

    Args:
        backend: The values that the last invocation of this key left.
        check: Raises if the invocation has ended.
        payloads: Writes and reads values.
        owner: The identity of the invocation.
        break_off: Has the invocation fail its task.
    """

    def __init__(
        self,
        backend: StateBackend,
        check: Callable[[], None],
        payloads: Payloads | None = None,
        owner: Owner | None = None,
        break_off: Callable[[BaseException], None] = lambda reason: None,
    ) -> None:
        self._backend = backend
        self._payloads = payloads or Payloads()
        self._owner = owner or InvocationIdentity()
        self._break_off = break_off
        self._check = check
        self._read: dict[str, Any] = {}
        self._writes: dict[str, bytes | None] = {}

    def __getitem__(self, name: str) -> Any:
        self._check()
        if name not in self._read:
            payload = self._backend.get(name) if name not in self._writes else None
            if payload is None:
                raise KeyError(name)
            try:
                self._read[name] = self._payloads.load_state(name, payload, self._owner)
            except PayloadRefused as refused:
                self._break_off(refused)
                raise
        return self._read[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._check()
        if not isinstance(name, str):
            raise TypeError(f"ctx.state takes names of type str, not {type(name).__name__}")
        try:
            # a copy made by the serializer: this handler reads what a later invocation will
            passed, payload = self._payloads.pass_state(name, value, self._owner)
        except NotSerializable as error:
            raise TypeError(
                f"ctx.state[{name!r}] cannot keep a value of type {class_name(type(value))}: it "
                f"{error}. {self._remedy(name)}"
            ) from error.__cause__
        except PayloadNotWritable as failure:
            self._break_off(failure)
            raise
        self._read[name], self._writes[name] = passed, payload

    def _remedy(self, name: str) -> str:
        if self._payloads.typed:
            return f"Declare its type: DurableOptions(state_types={{{name!r}: ...}})"
        return "Keep plain data, not connections, locks, generators or files"

    def __delitem__(self, name: str) -> None:
        self[name]  # a missing name is a KeyError, as in a dict
        self._writes[name] = None
        del self._read[name]

    def __iter__(self) -> Iterator[str]:
        self._check()
        names = set(self._backend.names()) | set(self._writes)
        yield from sorted(name for name in names if self._writes.get(name, b"") is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def take_writes(self) -> dict[str, bytes | None]:
        """What the invocation has written: a payload, or None for a removed name."""
        return self._writes
