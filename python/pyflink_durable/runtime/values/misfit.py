"""A value that does not fit the type that is declared for it."""

from __future__ import annotations

from reprlib import Repr
from typing import Any

_REPR = Repr()
_REPR.maxstring = _REPR.maxother = 80


def shown(value: Any) -> str:
    """A value as an error shows it, in few characters."""
    return _REPR.repr(value)


class Misfit(Exception):
    """Says which part of a value does not fit, and why; it is raised to the user as another error.

    Args:
        value: The part.
        type_name: What is declared for it.
        reason: What is wrong with it, if its Python type does not say it.
        out_of_range: Whether it is a number of the right kind, but too large.
    """

    def __init__(
        self, value: Any, type_name: str, reason: str = "", *, out_of_range: bool = False
    ) -> None:
        super().__init__(type_name, reason)
        self._value = value
        self._type_name = type_name
        self._reason = reason
        self._out_of_range = out_of_range
        self._places: list[str] = []  # the innermost first

    def inside(self, place: str) -> Misfit:
        """The same for the value that holds this one: in a field, or ``[at an index]``."""
        self._places.append(place)
        return self

    @property
    def path(self) -> str:
        """The place of the part, such as ``items[2].price``; empty for the whole value."""
        return "".join(
            place if place.startswith("[") or not position else f".{place}"
            for position, place in enumerate(reversed(self._places))
        )

    def error(self, what: str) -> Exception:
        """The error for the user.

        Args:
            what: Names the value: what emitted it, and what type it should have.
        """
        kind = type(self._value)
        name = kind.__qualname__ if kind.__module__ == "builtins" else _full_name(kind)
        place = f"at {self.path}: " if self._places else ""
        reason = f" {self._reason}." if self._reason else ""
        text = f"{what}: {place}{shown(self._value)}, a {name}, is no {self._type_name}.{reason}"
        if self._out_of_range:
            return OverflowError(f"{text} Declare a larger type.")
        return TypeError(
            f"{text} Emit values of the declared type, or declare another, such as "
            "Types.PICKLED_BYTE_ARRAY() for any Python object."
        )


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
