"""Signals of a run: those that a test sends, and those in the state of their keys."""

from __future__ import annotations

import bisect
import itertools
import math
import pickle
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, NamedTuple

from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.runtime.journal.signal_fields import SignalFields
from pyflink_durable.signals import Signal, UnclaimedReason


class _OneKey(Enum):
    ONE_KEY = "ONE_KEY"

    def __repr__(self) -> str:
        return self.name


ONE_KEY: Final = _OneKey.ONE_KEY
"""The key of a run that has only one."""


@dataclass(frozen=True)
class SentSignal:
    """A signal that a test sends.

    Attributes:
        signal: The signal.
        key: Its key; by default the one that all inputs of the run have.
        after: How many virtual seconds after the run has begun, or from now on, it comes.
    """

    signal: Signal
    key: Any = ONE_KEY
    after: float = 0.0

    @classmethod
    def of(cls, signal: Signal | str, value: Any, key: Any, after: float) -> SentSignal:
        """What a test has given: a signal, or the name and the value of one.

        Raises:
            TypeError: It is neither.
            ValueError: It has a value of its own, or comes before now.
        """
        if isinstance(signal, str):
            signal = Signal(signal, value)
        elif not isinstance(signal, Signal):
            raise TypeError(f"give a Signal or the name of one, not {type(signal).__name__}")
        elif value is not None:
            raise ValueError(f"the signal {signal.name!r} has its value: give it no other")
        if not after >= 0:
            raise ValueError(f"a signal comes after 0 seconds or more, not {after}")
        return cls(signal, key, after)


class Arrival(NamedTuple):
    """A signal on its way.

    Attributes:
        due: When it comes, in seconds since the epoch.
        number: Its number among all that were sent.
        lane: Its key in a form that tells keys apart.
        key: Its key.
        payload: Its pickle.
    """

    due: float
    number: int
    lane: str
    key: Any
    payload: bytes


class Sender:
    """Where the signals of a run come from: after a failure it repeats what no checkpoint holds.

    Attributes:
        sent: All signals, in the order in which they come.
    """

    def __init__(self) -> None:
        self.sent: list[Arrival] = []
        self._numbers = itertools.count()

    def send(self, sent: SentSignal, key: Any, now: float) -> None:
        """Has a signal come."""
        due, lane = now + sent.after, compute_args_digest((key,), {})
        arrival = Arrival(due, next(self._numbers), lane, key, pickle.dumps(sent.signal))
        bisect.insort(self.sent, arrival, key=lambda one: one[:2])


class Kept(NamedTuple):
    """A signal in the state of its key.

    Attributes:
        number: Its number among all that its key has received.
        expires: When nobody is to take it any more, in seconds since the epoch.
        arrival: What came.
        name: The signal's.
        id: The signal's.
        invocation: The signal's.
    """

    number: int
    expires: float
    arrival: Arrival
    name: str
    id: str | None
    invocation: str | None

    def is_for(self, lane: str, name: str, invocation: str) -> bool:
        """Whether a wait takes it."""
        if (self.arrival.lane, self.name) != (lane, name):
            return False
        return self.invocation in (None, invocation)


class SignalState(NamedTuple):
    """What a checkpoint holds of signals.

    Attributes:
        received: How many have come.
        kept: Those that nobody has taken.
        seen: By lane and mark the time until which an id, or a number, is known.
    """

    received: int = 0
    kept: tuple[Kept, ...] = ()
    seen: Mapping[tuple[str, str], float] = {}


NO_SIGNALS = SignalState()


class SignalsInState:
    """The signals in the states of all keys, with the rules of Java's.

    Args:
        restored: What they start from.
        world: Has clock, inputs, sender, counters.

    Attributes:
        state: What they hold.
    """

    def __init__(self, restored: SignalState, world: Any) -> None:
        self.state = restored
        self._world = world

    # ---------------------------------------------------------------- what comes and goes

    def next_arrival(self) -> Arrival | None:
        """The next signal that comes."""
        sent: list[Arrival] = self._world.sender.sent
        return sent[self.state.received] if self.state.received < len(sent) else None

    def next_due(self) -> float | None:
        """When something happens to signals by itself."""
        arrival = self.next_arrival()
        dues = [one.expires for one in self.state.kept]
        if arrival is not None:
            dues.append(max(arrival.due, self._world.clock.now))
        return min(dues, default=None)

    def accept(
        self, arrival: Arrival, fields: SignalFields, open_from: int
    ) -> tuple[bool, UnclaimedReason | None]:
        """Takes the next signal in.

        Args:
            arrival: The signal.
            fields: What it says.
            open_from: The number of the first input of its key that has not ended.

        Returns:
            Whether it is kept, and if not why nobody will take it; None for a repetition.
        """
        world, state, lane = self._world, self.state, arrival.lane
        number = sum(1 for one in world.sender.sent[: state.received] if one.lane == lane)
        world.telemetry.count("signals")
        self.state = state._replace(received=state.received + 1)
        if fields.refused is not None:
            world.telemetry.count("signalsRefused")
            return False, fields.refused
        repeated = fields.id is not None and self._is_noted(lane, f"id {fields.id}")
        if repeated or self._is_noted(lane, f"number {number}"):
            world.telemetry.count("signalsRepeated")
            return False, None
        if fields.id is not None:
            self._note(lane, f"id {fields.id}")
        if fields.sequence is not None and fields.sequence < open_from:
            world.telemetry.count("signalsUnclaimed")
            return False, "its invocation has ended"
        expires = world.clock.now + world.options.signal_ttl
        kept = Kept(number, expires, arrival, *fields[:3])
        self.state = self.state._replace(kept=(*self.state.kept, kept))
        return True, None

    def _note(self, lane: str, mark: str) -> None:
        until = self._world.clock.now + self._world.options.signal_ttl
        self.state = self.state._replace(seen={**self.state.seen, (lane, mark): until})

    def _is_noted(self, lane: str, mark: str) -> bool:
        now: float = self._world.clock.now
        return self.state.seen.get((lane, mark), -math.inf) > now

    def give_up(self, until: float) -> list[tuple[Any, Signal]]:
        """Gives those that have expired by a time, with their keys; nobody can take them then."""
        expired = [one for one in self.state.kept if one.expires <= until]
        self._drop(expired)
        self._world.telemetry.count("signalsUnclaimed", len(expired))
        return [(one.arrival.key, pickle.loads(one.arrival.payload)) for one in expired]

    def _drop(self, dropped: Iterable[Kept]) -> None:
        gone = set(dropped)
        self.state = self.state._replace(
            kept=tuple(one for one in self.state.kept if one not in gone)
        )

    # ---------------------------------------------------------------- as Java names them

    def takeSignal(self, invocation: int, name: str, invocation_id: str) -> Any:
        """Gives the first signal that a wait takes."""
        found = self._of(invocation, name, invocation_id)
        if not found:
            return None
        self._drop(found[:1])
        self._world.telemetry.count("signalsTaken")
        return [found[0].number, found[0].id, found[0].arrival.payload]

    def lookForSignals(self, invocation: int, name: str, invocation_id: str) -> Any:
        """Gives all that a wait could take."""
        return [one.arrival.payload for one in self._of(invocation, name, invocation_id)]

    def signalTaken(self, invocation: int, number: int, signal_id: str | None) -> None:
        """The call log holds a signal as taken."""
        lane = self._lane_of(invocation)
        left = [one for one in self.state.kept if (one.arrival.lane, one.number) == (lane, number)]
        self._drop(left)
        if not left:
            self._note(lane, f"number {number}")
        if signal_id is not None:
            self._note(lane, f"id {signal_id}")

    def _of(self, invocation: int, name: str, invocation_id: str) -> list[Kept]:
        lane = self._lane_of(invocation)
        return [one for one in self.state.kept if one.is_for(lane, name, invocation_id)]

    def _lane_of(self, invocation: int) -> str:
        lane: str = self._world.inputs[invocation].lane
        return lane
