"""Handlers of an attempt that wait for signals or time: what comes for them, who is parked."""

from __future__ import annotations

import math
import pickle
from typing import TYPE_CHECKING, Any

from pyflink_durable.runtime.journal.signals import SignalWaits
from pyflink_durable.signals import (
    CANCEL,
    UNCLAIMED_SIGNAL,
    Signal,
    UnclaimedReason,
    UnclaimedSignal,
)
from pyflink_durable.testing.parking import Parking, waits_for_signal
from pyflink_durable.testing.signals import Arrival, SignalsInState

if TYPE_CHECKING:
    from pyflink_durable.testing.attempt import Attempt
    from pyflink_durable.testing.world import Snapshot

NOBODY = -1
"""In place of an input, where a signal comes for a key that has none."""


class Waiting:
    """What comes to an attempt by itself, and for whom.

    Args:
        attempt: The attempt.
        restored: What it starts from.
    """

    def __init__(self, attempt: Attempt, restored: Snapshot) -> None:
        world = attempt.world
        self._attempt = attempt
        self._world = world
        self.signals = SignalsInState(restored.signals, world)
        self.waits = SignalWaits(self.signals, world.logged is not None)
        self.parking = Parking(world, attempt.journals)

    def next_due(self, before: float | None) -> float | None:
        """When the next thing happens, if it does before a time."""
        due = self.signals.next_due()
        before = math.inf if before is None else before
        if due is None or due >= before:
            due = self.parking.next_due(before)
        else:
            earlier = self.parking.next_due(due)
            due = due if earlier is None else earlier
        return due

    def happen(self) -> bool:
        """Has the next thing happen that is due; False if nothing is.

        Raises:
            Crashed: The task dies.
        """
        now = self._world.clock.now
        arrival = self.signals.next_arrival()
        if arrival is not None and arrival.due <= now:
            self._accept(arrival)
            return True
        if woken := self.parking.take_due():
            self._attempt.start_again(woken)
            return True
        return False

    def accept_due(self) -> None:
        """Takes in the signals that are there.

        Raises:
            Crashed: The task dies.
        """
        now = self._world.clock.now
        while (arrival := self.signals.next_arrival()) is not None and arrival.due <= now:
            self._accept(arrival)

    def _accept(self, arrival: Arrival) -> None:
        signal = self._receive(arrival)
        if signal is None:
            return
        head = self._attempt.head_of(arrival.lane)
        self._attempt.take_snapshot()
        self._world.reach("signal-arrived", signal.name, NOBODY if head is None else head)
        if head is None:
            return
        cancels = signal.name == CANCEL
        if self.parking.signalled(head, cancels):
            self._attempt.start_again([head])
        elif cancels or waits_for_signal(self._attempt.journals.of[head].slots):
            self.waits.ask_to_look(self._attempt.loop.take_in, self._attempt.loop, head)

    def _receive(self, arrival: Arrival) -> Signal | None:
        """Takes the next signal in; None if nobody may take it."""
        signal: Signal = pickle.loads(arrival.payload)
        fields = self._world.signal_reader.read(signal, lambda: arrival.key)
        open_from = self._attempt.first_of(arrival.lane)
        accepted, reason = self.signals.accept(arrival, fields, open_from)
        if reason is not None:
            self._unclaimed(arrival.key, signal, reason)
        return signal if accepted else None

    def rest(self) -> None:
        """Nothing else is to be done at this time: signals expire, handlers are parked.

        Raises:
            Crashed: The task dies.
        """
        self.give_up(self._world.clock.now)
        for number in self._attempt.let_go(self.parking.to_park()):
            self.parking.park(number)
            self._world.reach("parked", "", number)

    def give_up(self, until: float) -> None:
        """Signals that have expired by a time go to the side output."""
        for key, signal in self.signals.give_up(until):
            self._unclaimed(key, signal, "nobody took it")

    def _unclaimed(self, key: Any, signal: Signal, reason: UnclaimedReason) -> None:
        unclaimed = UnclaimedSignal(self._world.name, key, signal, reason)
        self._world.emitted.append((UNCLAIMED_SIGNAL.tag_id, unclaimed))

    def receive_until(self, until: float) -> None:
        """Takes signals in that come by a time, when all handlers have ended."""
        while (arrival := self.signals.next_arrival()) is not None and arrival.due <= until:
            self._receive(arrival)

    def end(self) -> None:
        """The input ends: nobody takes what is left, nor what is still to come."""
        self.receive_until(math.inf)
        self.give_up(math.inf)
