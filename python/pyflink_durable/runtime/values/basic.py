"""Numbers, texts, bytes and pickled objects."""

from __future__ import annotations

import math
import operator
import pickle
import struct
from decimal import Decimal
from typing import Any

import cloudpickle

from pyflink_durable.runtime.values.misfit import Misfit
from pyflink_durable.runtime.values.output_type import OutputType

_LARGEST_FLOAT = 3.4028234663852886e38
_LAST_CHAR = "\uffff"


def unwrapped(value: Any) -> Any:
    """The Python object for a scalar of NumPy; anything else as it is."""
    return value.item() if getattr(value, "shape", None) == () else value


class Boolean(OutputType):
    """Truth values."""

    name = "BOOLEAN"
    exact = bool

    def plain(self, value: Any) -> bool:
        value = unwrapped(value)
        if value is True or value is False:
            return bool(value)
        raise Misfit(value, self.name)


class Integer(OutputType):
    """Whole numbers of all sizes.

    Args:
        name: The type's name.
        bits: Its size; None for one without limits.
    """

    exact = int

    def __init__(self, name: str, bits: int | None) -> None:
        self.name = name
        self.nullable = bits is None
        if bits is not None:
            self.limits = (-(1 << bits - 1), (1 << bits - 1) - 1)

    def plain(self, value: Any) -> int:
        if type(value) is int:
            number = value
        else:
            try:
                number = operator.index(unwrapped(value))
            except TypeError:
                raise Misfit(value, self.name) from None
        if self.limits is not None and not self.limits[0] <= number <= self.limits[1]:
            reason = "It goes from {} to {}".format(*self.limits)
            raise Misfit(value, self.name, reason, out_of_range=True)
        return number


class Real(OutputType):
    """DOUBLE, or FLOAT, which is half as long."""

    exact = float

    def __init__(self, name: str) -> None:
        self.name = name
        if name == "FLOAT":
            self.limits = (-_LARGEST_FLOAT, _LARGEST_FLOAT)

    def plain(self, value: Any) -> float:
        if type(value) is float:
            number = value
        else:
            value = unwrapped(value)
            number = float(value) if isinstance(value, float) else self._of_whole_number(value)
        if self.limits is not None and math.isfinite(number):
            try:
                struct.pack(">f", number)  # in native order ("f") it would be infinity
            except OverflowError:
                raise Misfit(value, self.name, "It is too large", out_of_range=True) from None
        return number

    def _of_whole_number(self, value: Any) -> float:
        try:
            whole = operator.index(value)
            number = float(whole)
        except TypeError:
            raise Misfit(value, self.name) from None
        except OverflowError:
            raise Misfit(value, self.name, "It is too large", out_of_range=True) from None
        if number != whole:
            raise Misfit(value, self.name, "It would be rounded", out_of_range=True)
        return number


class BigDecimal(OutputType):
    """Decimals; what Java reads is their text."""

    name = "BIG_DEC"
    nullable = True

    def plain(self, value: Any) -> str:
        if isinstance(value, Decimal):
            if not value.is_finite():
                raise Misfit(value, self.name, "Java has no such number")
            return str(value)
        try:
            return str(operator.index(unwrapped(value)))
        except TypeError:
            hint = "Decimal(str(value)) has the digits that are shown"
            raise Misfit(value, self.name, hint if isinstance(value, float) else "") from None


class Text(OutputType):
    """Strings."""

    name = "STRING"
    exact = str
    nullable = True

    def plain(self, value: Any) -> str:
        if type(value) is str:
            return value
        if isinstance(value, str):
            return str.__str__(value)  # the text of an enum's member is not its str()
        raise Misfit(value, self.name)


class Character(OutputType):
    """One character of Java, which has 16 bits."""

    name = "CHAR"

    def plain(self, value: Any) -> str:
        if isinstance(value, str) and len(value) == 1 and value <= _LAST_CHAR:
            return str.__str__(value)
        raise Misfit(value, self.name, "It holds one character, of at most 16 bits")


class Bytes(OutputType):
    """Arrays, and lists, of bytes."""

    name = "PRIMITIVE_ARRAY(BYTE)"
    exact = bytes

    def plain(self, value: Any) -> bytes:
        if isinstance(value, (bytes, bytearray)):
            return bytes(value)
        if isinstance(value, (list, tuple)):
            try:
                return bytes(value)
            except (TypeError, ValueError):
                raise Misfit(value, self.name, "Bytes are numbers from 0 to 255") from None
        try:
            view = memoryview(value)
        except TypeError:
            raise Misfit(value, self.name) from None
        if view.itemsize != 1:
            raise Misfit(value, self.name, "Its items are larger than a byte")
        return view.tobytes()


class Pickled(OutputType):
    """Any Python object; pickle is several times faster, cloudpickle writes what it cannot."""

    name = "PICKLED_BYTE_ARRAY"

    def plain(self, value: Any) -> bytes:
        try:
            return pickle.dumps(value)
        except Exception:
            try:
                dumped: bytes = cloudpickle.dumps(value)
            except Exception as error:
                reason = f"It cannot be pickled: {type(error).__name__}: {error}"
                raise Misfit(value, self.name, reason) from error
            return dumped
