"""Inputs that are not taken in, since too many of their key wait."""

from __future__ import annotations

from typing import Any

from pyflink_durable.dead_letter import DEAD_LETTER, DeadLetter
from pyflink_durable.errors import TooManyWaiting
from pyflink_durable.options import DurableOptions
from pyflink_durable.runtime.telemetry.telemetry import Telemetry
from pyflink_durable.runtime.values import Outputs, StepOutputs


class Refusals:
    """Makes dead letters of such inputs, as if their handlers had failed.

    Args:
        name: The operator's.
        options: The operator's.
        outputs: Takes what goes to the side output.
        telemetry: Counters and log lines.
    """

    def __init__(
        self, name: str, options: DurableOptions, outputs: Outputs, telemetry: Telemetry
    ) -> None:
        self._name = name
        self._options = options
        self._outputs = outputs
        self._telemetry = telemetry

    def refuse(self, key: Any, value: Any, most: int) -> tuple[bytes, ...]:
        """Refuses an input.

        Args:
            key: The key.
            value: The input.
            most: How many inputs of a key may wait.

        Returns:
            Outputs, see `StepOutputs`.

        Raises:
            TooManyWaiting: The operator has no dead letters.
        """
        error = TooManyWaiting(self._name, repr(key), most)
        if self._options.on_error != "dead-letter":
            raise error
        self._telemetry.count("deadLetters")
        self._telemetry.warning(
            f"key={key!r} max_waiting_per_key={most} so many inputs of the key wait; another one "
            "goes to the dead-letter output"
        )
        letter = DeadLetter(
            operator=self._name,
            key=key,
            value=value,
            error_type=type(error).__name__,
            message=str(error),
            traceback="",
            calls=(),
        )
        step = StepOutputs()
        emission = self._outputs.side(DEAD_LETTER.tag_id, letter, f"key={key!r}".__str__)
        assert emission is not None
        step.add(emission)
        return step.take()
