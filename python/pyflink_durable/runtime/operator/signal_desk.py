"""The signals of one subtask, between Java, which keeps them, and the handlers that wait."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pyflink_durable.runtime.journal.signals import SignalWaits
from pyflink_durable.runtime.loop.loop import DurableLoop
from pyflink_durable.runtime.values import Outputs, StepOutputs
from pyflink_durable.signals import UNCLAIMED_SIGNAL, Signal, UnclaimedSignal


class SignalDesk:
    """Reads signals when they come, and tells the handlers and the side output of them.

    Args:
        operator: The operator's name.
        waits: The handlers that wait.
        loop: That of the handlers.
        outputs: Takes what goes to the side output.
        load: Reads pickles.
    """

    def __init__(
        self,
        operator: str,
        waits: SignalWaits,
        loop: DurableLoop,
        outputs: Outputs,
        load: Callable[[bytes], Any],
    ) -> None:
        self._operator = operator
        self._waits = waits
        self._loop = loop
        self._outputs = outputs
        self._load = load

    def read(self, content: bytes) -> tuple[str, str | None, str | None]:
        """What a signal says of itself: its name, its id, and the invocation that it is for.

        Raises:
            TypeError: An element of the stream of signals is none.
        """
        signal = self._load(content)
        if not isinstance(signal, Signal):
            raise TypeError(
                f"operator {self._operator!r} got a {type(signal).__name__} on its input of "
                "signals: make each element a pyflink_durable.Signal, with a map in front of key_by"
            )
        invocation = signal.invocation
        return signal.name, signal.id, None if invocation is None else str(invocation)

    def signalled(self, invocation: int) -> None:
        """Has the next step look for what an invocation waits for."""
        self._waits.ask_to_look(self._loop.take_in, self._loop, invocation)

    def unclaimed(self, fields: Sequence[Any]) -> tuple[bytes, ...]:
        """Makes outputs of signals that nobody took.

        Args:
            fields: Two of each: the pickled key, and the signal's pickle.
        """
        outputs = StepOutputs()
        pairs = iter(fields)
        for key, content in zip(pairs, pairs, strict=True):
            told = UnclaimedSignal(self._operator, self._load(key), self._load(content))
            describe = f"key={told.key!r}".__str__
            emission = self._outputs.side(UNCLAIMED_SIGNAL.tag_id, told, describe)
            if emission is not None:
                outputs.add(emission)
        return outputs.take()
