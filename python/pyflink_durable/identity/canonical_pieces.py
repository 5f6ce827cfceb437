"""Canonical text of large arguments in pieces, so that it is never in memory as a whole.

The pieces together are the text that `Encoder.call` gives: digests do not change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import starmap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyflink_durable.identity.canonical import Encoder

PIECE = 1 << 16
"""Characters of a string that are written at once."""
_ITEMS = 256
_BOTH_QUOTES = "\"'"


def has_large(values: Iterable[Any]) -> bool:
    """Whether a long string or list is among values."""
    for value in values:
        kind = type(value)
        if (kind is str and len(value) > PIECE) or (kind is list and len(value) > _ITEMS):
            return True
    return False


def pieces_of_call(
    encoder: Encoder, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Iterator[str]:
    """Writes the arguments of a call; raises as `Encoder.encode` does."""
    yield "("
    yield from _joined(_pieces(encoder, value) for value in args)
    yield ",)" if len(args) == 1 else ")"
    if kwargs:
        yield "{["
        pairs = ((encoder, *item) for item in sorted(kwargs.items()))
        yield from _joined(starmap(_pair, pairs))
        yield "]}"


def _joined(parts: Iterable[Iterator[str]]) -> Iterator[str]:
    for number, part in enumerate(parts):
        if number:
            yield ", "
        yield from part


def _pair(encoder: Encoder, key: str, value: Any) -> Iterator[str]:
    yield f"({key!a}, "
    yield from _pieces(encoder, value)
    yield ")"


def _pieces(encoder: Encoder, value: Any) -> Iterator[str]:
    if not has_large((value,)):
        yield encoder.encode(value)
    elif type(value) is str:
        yield from _text(value)
    else:
        yield from _list(encoder, value)


def _list(encoder: Encoder, value: list[Any]) -> Iterator[str]:
    path, place = encoder.path, id(value)
    path[place] = len(path)
    yield "["
    for start in range(0, len(value), _ITEMS):
        part = value[start : start + _ITEMS]
        yield (", " if start else "") + encoder.containers[list](encoder, part)[1:-1]
    yield "]"
    del path[place]


def _text(value: str) -> Iterator[str]:
    """As ``ascii``, whose quotes depend on all of the string."""
    has_both = "'" in value and '"' in value
    quote = '"' if "'" in value and not has_both else "'"
    yield quote
    for start in range(0, len(value), PIECE):
        part = value[start : start + PIECE]
        # quotes are escaped where both are
        yield ascii(part + _BOTH_QUOTES)[1:-4] if has_both else ascii(part)[1:-1]
    yield quote
