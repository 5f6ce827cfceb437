"""The sizes of inputs, as far as they are worth knowing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyflink_durable.payload.picklers import dumps
from pyflink_durable.payload.script_classes import ScriptClasses
from pyflink_durable.payload.sizes import WARN_FROM, Sizes

TOGETHER = 64 * 1024
"""Bytes after which Java ends a pickle of several inputs: one that is larger is the last in it."""


class LargeInput:
    """An input that is to be told of, on its way to its handler.

    Attributes:
        value: The input.
        size: The bytes of its pickle.
    """

    __slots__ = ("size", "value")

    def __init__(self, value: Any, size: int) -> None:
        self.value = value
        self.size = size


class LargeInputs:
    """Reads the inputs that Java hands over, and finds those that are large.

    Args:
        load: Reads pickles.
        sizes: Takes the sizes.
        classes: Those of the job's script.
    """

    def __init__(
        self, load: Callable[[bytes], Any], sizes: Sizes, classes: ScriptClasses | None
    ) -> None:
        self._load = load
        self._sizes = sizes
        self._classes = classes
        self._from = min(WARN_FROM, sizes.limit + 1)

    def read(self, pickled: bytes) -> list[Any]:
        """Reads some inputs; in place of a large one is a `LargeInput`.

        Args:
            pickled: A list of them.
        """
        values: list[Any] = self._load(pickled)
        if len(pickled) >= self._from:
            first = 0 if self._from < TOGETHER else len(values) - 1
            for place in range(first, len(values)):
                size = len(dumps(values[place], self._classes))
                if size >= self._from:
                    values[place] = LargeInput(values[place], size)
        return values

    def note(self, size: int) -> None:
        """Takes the size of an input that is about to be handled.

        Raises:
            PayloadTooLarge: It is larger than the operator admits.
        """
        self._sizes.note(size, "the input")
