"""Signals on their way into the keyed state, and out of it again if nobody takes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyflink_durable.payload.payloads import Payloads
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity


class SignalSeals:
    """Has signals encoded where the operator has codecs, bound to operator and key.

    Args:
        uid: The operator's.
        payloads: Encodes them.
        load: Reads pickles.
    """

    def __init__(self, uid: str, payloads: Payloads, load: Callable[[bytes], Any]) -> None:
        self._uid = uid
        self._payloads = payloads
        self.load = load

    def seal(self, content: bytes, key: bytes) -> bytes | None:
        """What is kept of a signal of a pickled key; None for its pickle, as it came."""
        return self._payloads.seal_signal(content, self._owner(key))

    def open(self, content: bytes, key: bytes) -> bytes:
        """Its pickle."""
        return self._payloads.open_signal(content, self._owner(key))

    def _owner(self, key: bytes) -> InvocationIdentity:
        return InvocationIdentity(lambda _: self.load(key), self._uid)
