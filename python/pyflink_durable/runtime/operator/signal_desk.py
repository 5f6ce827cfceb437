"""The signals of one subtask, between Java, which keeps them, and the handlers that wait."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pyflink_durable.runtime.journal.signal_fields import SignalFields, SignalReader
from pyflink_durable.runtime.journal.signals import SignalWaits
from pyflink_durable.runtime.loop.loop import DurableLoop
from pyflink_durable.runtime.operator.signal_seals import SignalSeals
from pyflink_durable.runtime.telemetry.telemetry import Telemetry
from pyflink_durable.runtime.values import Outputs, StepOutputs
from pyflink_durable.signals import UNCLAIMED_SIGNAL, Signal, UnclaimedSignal


class SignalDesk:
    """Reads signals when they come, and tells the handlers and the side output of them.

    Args:
        operator: The operator's name.
        waits: The handlers that wait.
        loop: That of the handlers.
        outputs: Takes what goes to the side output.
        seals: Has signals encoded, and reads pickles.
        reader: Tells who may take a signal.
        telemetry: Counters and log lines.
    """

    def __init__(
        self,
        operator: str,
        waits: SignalWaits,
        loop: DurableLoop,
        outputs: Outputs,
        seals: SignalSeals,
        reader: SignalReader,
        telemetry: Telemetry,
    ) -> None:
        self._operator = operator
        self._waits = waits
        self._loop = loop
        self._outputs = outputs
        self._seals = seals
        self._load = seals.load
        self._reader = reader
        self._telemetry = telemetry

    def read(self, content: bytes, key: bytes) -> SignalFields:
        """What a signal says of itself.

        Args:
            content: Its pickle.
            key: The pickle of its key.

        Raises:
            TypeError: An element of the stream of signals is none.
        """
        signal = self._load(content)
        if not isinstance(signal, Signal):
            raise TypeError(
                f"operator {self._operator!r} got a {type(signal).__name__} on its input of "
                "signals: make each element a pyflink_durable.Signal, with a map in front of key_by"
            )
        fields = self._reader.read(signal, lambda: self._load(key))
        if fields.refused is not None:
            self._telemetry.count("signalsRefused")
            self._telemetry.warning(
                f"key={self._load(key)!r} reason={fields.refused!r} nobody may take this signal; "
                "it goes to the side output UNCLAIMED_SIGNAL"
            )
            return fields
        return fields._replace(content=self._seals.seal(content, key))

    def signalled(self, invocation: int) -> None:
        """Has the next step look for what an invocation waits for."""
        self._waits.ask_to_look(self._loop.take_in, self._loop, invocation)

    def unclaimed(self, fields: Sequence[Any]) -> tuple[bytes, ...]:
        """Makes outputs of signals that nobody took.

        Args:
            fields: Three of each: the pickled key, what is kept of it, and the reason.
        """
        outputs = StepOutputs()
        parts = iter(fields)
        for key, content, reason in zip(parts, parts, parts, strict=True):
            pickled = self._seals.open(content, key)
            told = UnclaimedSignal(self._operator, self._load(key), self._load(pickled), reason)
            describe = f"key={told.key!r}".__str__
            emission = self._outputs.side(UNCLAIMED_SIGNAL.tag_id, told, describe)
            if emission is not None:
                outputs.add(emission)
        return outputs.take()
