"""Keys that cannot tell inputs apart are refused at the first of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from pyflink.common import Row

from pyflink_durable.runtime.values.misfit import shown

_REMEDY = (
    "Key by what names one thing, such as an id, and give its type: "
    'stream.key_by(lambda value: value["id"], key_type=Types.STRING())'
)
_PLAIN = frozenset({str, int, bool, bytes, type(None)})


def check_key(key: Any, operator: str) -> None:
    """Refuses a key whose pickle, which Flink compares, says nothing about what it is equal to.

    Raises:
        TypeError: Equal keys may have different pickles, or nobody has meant the key.
    """
    reason = "it is None" if key is None else _flaw(key)
    if reason is not None:
        raise TypeError(
            f"operator {operator!r} cannot use the key {shown(key)}: {reason}. {_REMEDY}"
        )


def _flaw(key: Any) -> str | None:
    kind = type(key)
    if kind in _PLAIN:
        return None
    if isinstance(key, (tuple, Row)):
        return _first_flaw(key)
    if isinstance(key, (float, complex)):
        return "a float is seldom exactly another one, and NaN is not even itself"
    if isinstance(key, Decimal) and not key.is_finite():
        return "it is no number"
    if isinstance(key, frozenset):
        return "its items are in another order in each process; sort them into a tuple"
    if dataclasses.is_dataclass(key):
        fields = (getattr(key, field.name) for field in dataclasses.fields(key))
        return _hash_flaw(key) or _first_flaw(fields)
    if (flaw := _hash_flaw(key)) is not None:
        return flaw
    if hasattr(key, "dtype"):
        return "a number of NumPy's is another key than Python's; use key.item()"
    return None


def _first_flaw(parts: Iterable[Any]) -> str | None:
    return next(filter(None, map(_flaw, parts)), None)


def _hash_flaw(key: Any) -> str | None:
    name = type(key).__qualname__
    hash_of: Any = type(key).__hash__
    if hash_of is None:
        return f"a {name} can be changed, and has no hash"
    if hash_of is object.__hash__:
        return f"a {name} is equal to itself only, and comes back as another"
    return None
