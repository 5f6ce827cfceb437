"""What is common to all declared types."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from pyflink_durable.payload.copies import copy_of


class OutputType(ABC):
    """A declared type: brings a value into the plain form that Java reads.

    Values whose Python type is `exact` are plain already, if they are within `limits`. A type
    without either is asked about each value.

    Attributes:
        name: As the user has declared it.
        exact: The Python type of plain values, None if all values are to be brought into form.
        limits: The smallest and the largest plain number, None if there are none.
        nullable: Whether Flink can write a missing value of this type anywhere.
    """

    name: str
    exact: type | None = None
    limits: tuple[Any, Any] | None = None
    nullable: bool = False

    @abstractmethod
    def plain(self, value: Any) -> Any:
        """Gives the plain form of a value, which no later change of the value touches.

        Raises:
            Misfit: The value does not fit.
        """


class AnyObject(OutputType):
    """Values that stay in Python."""

    name = "object"

    def plain(self, value: Any) -> Any:
        return copy_of(value)
