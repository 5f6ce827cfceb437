"""Payloads of a snapshot that are in a store of large ones."""

from __future__ import annotations

from dataclasses import replace

from pyflink_durable.payload.frame import Damaged, is_pickle, pack, peek
from pyflink_durable.payload.offload import NAME, Address, Offload
from pyflink_durable.snapshot.content import Invocation, Payload, Slot

_SHOWN = b""
"""The place of payloads that are shown: nobody checks where they belong."""


def with_objects(invocation: Invocation, store: Offload) -> Invocation:
    """The same, with the objects of a store in place of their addresses.

    What is not there keeps its address: a snapshot may be older than what the store keeps.
    """
    slots = tuple(_with_objects(slot, store) for slot in invocation.slots)
    return invocation if slots == invocation.slots else replace(invocation, slots=slots)


def _with_objects(slot: Slot, store: Offload) -> Slot:
    return replace(
        slot, result=_fetched(slot.result, store), exception=_fetched(slot.exception, store)
    )


def _fetched(payload: Payload | None, store: Offload) -> Payload | None:
    if payload is None or payload.data is None or is_pickle(payload.data):
        return payload
    try:
        names, body = peek(payload.data)
        if names[-1] != NAME:
            return payload
        data = store.get(Address.read(body))
    except (Damaged, OSError, ValueError):
        return payload
    return Payload(len(data), pack(names[:-1], data, _SHOWN))
