"""A bench whose handlers wait for signals, which a test sends."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from bridges import Slot
from handler_bench import NUMBER, ByHand, HandlerBench

from pyflink_durable import DurableOptions, Signal
from pyflink_durable.runtime.journal.signals import SignalWaits


class Kept(NamedTuple):
    """A signal in the state of its key."""

    number: int
    signal: Signal

    def is_for(self, name: str, invocation: str) -> bool:
        wanted = self.signal.invocation
        return self.signal.name == name and (wanted is None or str(wanted) == invocation)


class SignalsInMemory:
    """The signals of one key, with the rules of Java's.

    Attributes:
        kept: Those that nobody has taken.
        told: What the journal held as taken: numbers and ids.
    """

    def __init__(self, kept: Sequence[Kept] = (), number: int = 0) -> None:
        self.kept = list(kept)
        self.told: list[tuple[int, str | None]] = []
        self.number = number

    def put(self, signal: Signal) -> None:
        self.kept.append(Kept(self.number, signal))
        self.number += 1

    def takeSignal(self, invocation: int, name: str, invocation_id: str) -> Any:
        for kept in self.kept:
            if kept.is_for(name, invocation_id):
                self.kept.remove(kept)
                return [kept.number, kept.signal.id, pickle.dumps(kept.signal)]
        return None

    def lookForSignals(self, invocation: int, name: str, invocation_id: str) -> Any:
        found = [kept for kept in self.kept if kept.is_for(name, invocation_id)]
        return [pickle.dumps(kept.signal) for kept in found]

    def signalTaken(self, invocation: int, number: int, signal_id: str | None) -> None:
        self.told.append((number, signal_id))

    @property
    def left(self) -> list[Any]:
        """The values of those that nobody has taken."""
        return [kept.signal.value for kept in self.kept]


class SignalBench(HandlerBench):
    """Runs a handler over a journal and the signals of its key."""

    def __init__(
        self,
        handler: Callable[..., Any],
        executor: Any = None,
        options: DurableOptions | None = None,
        slots: Sequence[Slot] = (),
        identity: tuple[str, Any, int | str] = ("orders", "k", 3),
        signals: SignalsInMemory | None = None,
    ) -> None:
        super().__init__(handler, executor or ByHand(), options, slots, identity)
        self.signals = signals or SignalsInMemory()
        logged = self._options.call_log is not None
        self.waits = SignalWaits(self.signals, logged)
        self.ctx._subtask.signals = self.waits

    def _record(self) -> None:
        """Signals are in no recording: the tests of signals replay on their own."""

    def drain(self) -> SignalBench:
        """A step of the operator."""
        self.operator.loop.drain()
        return self

    def signal(self, *signals: Signal) -> SignalBench:
        """Signals come, and the operator takes a step."""
        for signal in signals:
            self.signals.put(signal)
            self.operator.loop.take_in(self.waits.look, self.operator.loop, NUMBER)
        return self.drain()

    def crash(self) -> SignalBench:
        """The same invocation after a failure, over what journal and state held."""
        again = SignalBench(
            self._handler,
            self._executor,
            self._options,
            tuple(self.journal.slots),
            self._identity,
            SignalsInMemory(self.signals.kept, self.signals.number),
        )
        again.start()
        return again.drain()

    @property
    def answer(self) -> Any:
        """What the handler returned; None if it goes on."""
        if not self.ended:
            return None
        if self.ended[0].error is not None:
            raise self.ended[0].error
        return self.ended[0].value
