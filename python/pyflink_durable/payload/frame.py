"""How bytes in the journal say what they are.

A pickle begins with 0x80, and is all there is of it: so wrote release 0.1, and so is written by
default. Anything else is a frame::

    0xD1 | length of the names | names | checksum, 8 bytes | body

The names are those of the serializer and of the codecs in the order in which they encoded, with a
``|`` between them. The checksum is over names, body and context, so that what was damaged, or
belongs elsewhere, is not read as another value.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

PICKLE = b"\x80"
"""What a pickle begins with."""

_FRAME = 0xD1
_CHECKSUM = 8
_CONTEXT = 16


class Damaged(Exception):
    """Bytes are not what was written there; the message completes "it ..."."""


class Frame(NamedTuple):
    """A frame that was taken apart.

    Attributes:
        names: Of the serializer, and of the codecs.
        body: The encoded bytes.
    """

    names: tuple[str, ...]
    body: bytes


def is_pickle(payload: bytes) -> bool:
    """Whether bytes are a pickle without a frame."""
    return payload[:1] == PICKLE


def context_of(names: tuple[str, ...], place: bytes) -> bytes:
    """The context of codecs, for bytes that are written so and belong there."""
    return blake2b(place + _joined(names), digest_size=_CONTEXT).digest()


def pack(names: tuple[str, ...], body: bytes, place: bytes) -> bytes:
    """Makes a frame.

    Args:
        names: Of the serializer, and of the codecs.
        body: The encoded bytes.
        place: What they are and where they belong.
    """
    joined = _joined(names)
    head = bytes((_FRAME, len(joined)))
    return b"".join((head, joined, _checksum(joined, body, place), body))


def unpack(payload: bytes, place: bytes) -> Frame:
    """Takes a frame apart.

    Raises:
        Damaged: It is none, or was not written there.
    """
    if len(payload) < 2 + _CHECKSUM or payload[0] != _FRAME:
        raise Damaged("is neither a pickle nor written by this package")
    end = 2 + payload[1]
    joined, checksum, body = payload[2:end], payload[end : end + 8], payload[end + _CHECKSUM :]
    if checksum != _checksum(joined, body, place):
        raise Damaged("is damaged, or was written for another slot, key, invocation or operator")
    return Frame(tuple(joined.decode("ascii").split("|")), body)


def peek(payload: bytes) -> Frame:
    """Takes a frame apart whose place is not known, to be shown: it may be damaged.

    Raises:
        Damaged: It is none.
    """
    if len(payload) < 2 + _CHECKSUM or payload[0] != _FRAME:
        raise Damaged("is neither a pickle nor written by this package")
    end = 2 + payload[1]
    names = payload[2:end].decode("ascii", "replace").split("|")
    return Frame(tuple(names), payload[end + _CHECKSUM :])


def _joined(names: tuple[str, ...]) -> bytes:
    return "|".join(names).encode("ascii")


def _checksum(joined: bytes, body: bytes, place: bytes) -> bytes:
    digest = blake2b(joined, digest_size=_CHECKSUM, key=place)
    digest.update(body)
    return digest.digest()
