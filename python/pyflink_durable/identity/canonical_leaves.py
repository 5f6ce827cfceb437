"""Canonical text of values that hold no other values; see `pyflink_durable.identity.canonical`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection
from decimal import Decimal
from fractions import Fraction
from hashlib import blake2b
from pathlib import PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any
from uuid import UUID

SKIPPED = "<any>"
"""What an encoder writes in place of a value it leaves out."""

LITERALS = frozenset({type(None), bool, int, str, bytes, float})
_SHORT = LITERALS - {bytes}
_SHOWN_BYTES = 256
"""Of more bytes than that the digest is written: showing 10 MB takes ten times as long."""
# Below Python's lowest limit for writing an int in decimal (640 digits), which is configurable.
_DECIMAL_BITS = 2048
_DECIMAL_DIGITS = 600


def literal(shown: object, leaves: Collection[Any]) -> str | None:
    """Writes a flat collection with one call of ``ascii``, the fast way.

    Args:
        shown: The collection to write.
        leaves: The values in it that are not known to be strings.

    Returns:
        What encoding leaf by leaf would give, or None if a leaf needs more than ``ascii``.
    """
    if not _SHORT.issuperset(map(type, leaves)):
        types = set(map(type, leaves))
        if not types <= LITERALS or any(map(_is_large, leaves)):
            return None
    return shown_literal(shown, leaves)


def shown_literal(shown: object, leaves: Collection[Any]) -> str | None:
    """As `literal`, where the leaves are known to be of `LITERALS`."""
    try:
        text = ascii(shown)
    except ValueError:  # An int beyond Python's limit of digits.
        return None
    # Found inside a string these only cost time: the slow way gives the same text.
    if "-0.0" in text or (len(text) > _DECIMAL_DIGITS and any(map(_is_long, leaves))):
        return None
    return text


def class_name(kind: Any) -> str:
    """Returns ``module.qualname`` of a class."""
    return f"{kind.__module__}.{kind.__qualname__}"


def _is_large(value: object) -> bool:
    return type(value) is bytes and len(value) > _SHOWN_BYTES


def _bytes(value: bytes) -> str:
    return f"<bytes {_digest(value)}>" if len(value) > _SHOWN_BYTES else ascii(value)


def _digest(value: bytes | bytearray | memoryview) -> str:
    return f"{len(value)} {blake2b(value, digest_size=16).hexdigest()}"


def _memoryview(value: memoryview) -> str:
    return f"<memoryview {value.format!a} {value.shape} {_digest(_bytes_of(value))}>"


def _bytes_of(value: memoryview) -> bytes | memoryview:
    """In C order, whatever the strides are; a copy only if they lie otherwise."""
    if not value.c_contiguous or not value.nbytes:  # nothing casts an empty one
        return value.tobytes()
    try:
        return value.cast("B")
    except (TypeError, ValueError):  # a format that only others know
        return value.tobytes()


def _is_long(value: object) -> bool:
    return type(value) is int and value.bit_length() > _DECIMAL_BITS


def _int(value: int) -> str:
    return f"<int {value:#x}>" if _is_long(value) else ascii(value)


def _float(value: float) -> str:
    return ascii(value + 0.0)  # Minus zero equals zero, and this makes it so.


def _complex(value: complex) -> str:
    return f"<complex {_float(value.real)} {_float(value.imag)}>"


def _since(tag: str, delta: dt.timedelta) -> str:
    return f"<{tag} {delta.days} {delta.seconds} {delta.microseconds}>"


def _datetime(value: dt.datetime) -> str:
    # Timedeltas, because astimezone() overflows near the years 1 and 9999.
    offset = value.utcoffset()
    since = value.replace(tzinfo=None) - dt.datetime.min
    return _since("datetime", since) if offset is None else _since("instant", since - offset)


def _time(value: dt.time) -> str:
    offset = value.utcoffset()
    since = dt.datetime.combine(dt.date.min, value.replace(tzinfo=None)) - dt.datetime.min
    return _since("time", since) if offset is None else _since("utctime", since - offset)


def _decimal(value: Decimal) -> str:
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return f"<decimal {value}>"
    # Not normalize(): that rounds to the precision of the context.
    text = "".join(map(str, digits))
    short = text.rstrip("0")
    if not short:
        return "<decimal 0>"
    return f"<decimal {sign} {short} {exponent + len(text) - len(short)}>"


def _range(value: range) -> str:
    # Ranges are equal if their elements are, so start and step may not count; len() may overflow.
    if not value:
        return "<range 0>"
    size = (value[-1] - value[0]) // value.step + 1
    step = _int(value.step) if size > 1 else ""
    return f"<range {_int(size)} {_int(value[0])} {step}>"


def _posix(value: PurePosixPath) -> str:
    return f"<path {str(value)!a}>"


def _windows(value: PureWindowsPath) -> str:
    return f"<winpath {str(value).lower()!a}>"  # Equality of these ignores case.


LEAVES: dict[type, Callable[[Any], str]] = {
    type(None): ascii,
    bool: ascii,
    str: ascii,
    bytes: _bytes,
    bytearray: lambda value: f"<bytearray {_digest(value)}>",
    memoryview: _memoryview,
    int: _int,
    float: _float,
    complex: _complex,
    range: _range,
    dt.datetime: _datetime,
    dt.date: lambda value: f"<date {value.toordinal()}>",
    dt.time: _time,
    dt.timedelta: lambda value: _since("timedelta", value),
    dt.timezone: lambda value: _since("timezone", value.utcoffset(None)),
    Decimal: _decimal,
    Fraction: lambda value: f"<fraction {_int(value.numerator)} {_int(value.denominator)}>",
    UUID: lambda value: f"<uuid {value.int:x}>",
    PurePosixPath: _posix,
    PosixPath: _posix,
    PureWindowsPath: _windows,
    WindowsPath: _windows,
}
"""Writers by exact type: a subclass may carry more than its base writes."""
