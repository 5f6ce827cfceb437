"""What of a store no journal names any more."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timezone
from typing import NamedTuple

from pyflink_durable.payload.frame import Damaged, is_pickle, peek
from pyflink_durable.payload.offload import NAME, Address, Offload


class Stored(NamedTuple):
    """An object of a store.

    Attributes:
        name: Its digest in hexadecimal digits; empty for what is no object.
        path: Where it is.
        size: Its bytes.
        written: When it was last written.
    """

    name: str
    path: str
    size: int
    written: datetime


def stored_in(offload: Offload) -> Iterator[Stored]:
    """All objects of a store."""
    store, root = offload.open()
    for path, about in sorted(store.find(root, detail=True).items()):
        name = path.rsplit("/", 1)[-1]
        is_object = len(name) == 64 and set(name) <= set("0123456789abcdef")
        written = store.modified(path)
        if written.tzinfo is None:
            written = written.replace(tzinfo=timezone.utc)
        yield Stored(name if is_object else "", path, about["size"], written)


def named_by(payload: bytes | None) -> str | None:
    """The object that a payload of a journal names; None if it names none."""
    if payload is None or is_pickle(payload):
        return None
    try:
        names, body = peek(payload)
    except Damaged:
        return None
    return Address.read(body).digest.hex() if names[-1] == NAME else None


def leftovers(offload: Offload, named: Collection[str], before: datetime) -> Iterator[Stored]:
    """The objects that were written before a time and that nobody names.

    Args:
        offload: The store.
        named: The objects that are named.
        before: When.
    """
    for stored in stored_in(offload):
        if stored.written < before and stored.name and stored.name not in named:
            yield stored


def delete(offload: Offload, stored: Stored) -> None:
    """Deletes an object."""
    store, _ = offload.open()
    store.rm_file(stored.path)
