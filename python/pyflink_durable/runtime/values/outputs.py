"""What handlers emit, from the handler to Java."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from typing import Any

from pyflink_durable.payload.copies import copy_of
from pyflink_durable.runtime.telemetry.telemetry import Telemetry
from pyflink_durable.runtime.values.description import Description
from pyflink_durable.runtime.values.misfit import Misfit
from pyflink_durable.runtime.values.output_type import AnyObject, OutputType

_PROTOCOL = 4
"""The one that Java reads."""

_LARGEST_PICKLE = 1 << 30
"""An array of Java has less than twice as many bytes."""

Emission = tuple[int | None, Any]
"""The number of the side output, None for the main output, and the value in its plain form."""

Describe = Callable[[], str]
"""Names an invocation, for an error."""


UNTYPED = Description(AnyObject(), {})
"""Of a context that no operator has made."""


class Outputs:
    """Brings what handlers emit into the plain form, at once: they may change it afterwards.

    Args:
        description: The declared types.
        operator: The operator's name, for errors.
        telemetry: Where to say that nobody reads a side output.

    Attributes:
        main: Takes a value for the main output, and a function that names the invocation in an
            error.
    """

    def __init__(self, description: Description, operator: str, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._unread: set[str] = set()
        self._declared = _Output(None, description.main, operator, "its output_type")
        self.main: Callable[[Any, Describe], Emission] = self._declared.take
        self._sides = {
            tag: _Output(number, declared, operator, f"the type of side output {tag!r}")
            for number, (tag, declared) in enumerate(description.sides.items())
        }

    def go_on_in_python(self) -> None:
        """Values of the main output go to a Python function behind, and not to Java."""
        self.main = lambda value, invocation: (None, copy_of(value))

    def has_side(self, tag: str) -> bool:
        """Whether the job reads this side output."""
        return tag in self._sides

    def side(self, tag: str, value: Any, invocation: Describe) -> Emission | None:
        """A value for a side output; None if nobody reads it."""
        output = self._sides.get(tag)
        if output is None:
            self._drop(tag)
            return None
        return output.take(value, invocation)

    def of_chain(self, value: Any, tag: str | None = None) -> Emission | None:
        """A value that a Python function behind the handler gives."""
        if tag is None:
            return self._declared.take(value, _behind)
        return self.side(tag, value, _behind)

    def _drop(self, tag: str) -> None:
        self._telemetry.count("droppedSideOutputs")
        if tag not in self._unread:
            self._unread.add(tag)
            self._telemetry.warning(
                f"tag={tag} values for this side output are dropped: the job does not read it with "
                "results.get_side_output(tag)"
            )


class _Output:
    """The main output, or a side output.

    Args:
        number: Of the side output.
        declared: Its type.
        operator: The operator's name.
        called: What its type is called.
    """

    def __init__(
        self, number: int | None, declared: OutputType, operator: str, called: str
    ) -> None:
        self._number = number
        self._declared = declared
        self._plain = declared.plain
        self._operator = operator
        self._called = called

    def take(self, value: Any, invocation: Describe) -> Emission:
        try:
            return self._number, self._plain(value)
        except Misfit as misfit:
            if value is None and self._declared.nullable:
                return self._number, None
            place = f"operator {self._operator!r} {invocation()}"
            error = misfit.error(f"{place}: a value does not fit {self._called}")
            raise error from misfit.__cause__


def _behind() -> str:
    return "(in a Python function behind it)"


class StepOutputs:
    """Collects the outputs of a step.

    Attributes:
        add: Takes the next one, an `Emission`.
    """

    def __init__(self) -> None:
        self._emissions: list[Emission] = []
        self.add = self._emissions.append

    def __len__(self) -> int:
        return len(self._emissions)

    def take(self) -> tuple[bytes, ...]:
        """All of them, as Java reads them; and begins anew."""
        if not self._emissions:
            return ()
        numbers, values = zip(*self._emissions, strict=True)
        self._emissions.clear()
        return _pickles(values, None if numbers.count(None) == len(numbers) else numbers)


def _pickles(values: Sequence[Any], numbers: Sequence[int | None] | None) -> tuple[bytes, ...]:
    written = pickle.dumps((values, numbers), _PROTOCOL)
    if len(written) <= _LARGEST_PICKLE or len(values) == 1:
        return (written,)
    half = len(values) // 2
    first, second = (None, None) if numbers is None else (numbers[:half], numbers[half:])
    return _pickles(values[:half], first) + _pickles(values[half:], second)
