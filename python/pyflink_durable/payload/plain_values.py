"""Values that are the same by reference as by copy, which need none."""

from __future__ import annotations

from collections.abc import Iterable

PLAIN_TYPES = frozenset({type(None), bool, int, float, str, bytes})


def is_plain(value: object) -> bool:
    """Whether a value is immutable, and one with what a pickle of it gives."""
    kind = type(value)
    return kind in PLAIN_TYPES or (kind is tuple and all(map(is_plain, value)))  # type: ignore[call-overload]


def are_leaves(values: Iterable[object]) -> bool:
    """Whether values are plain, and hold no others."""
    return PLAIN_TYPES.issuperset(map(type, values))
