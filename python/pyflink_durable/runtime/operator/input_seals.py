"""Inputs on their way into the keyed state and back; Java's class has the same name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pyflink_durable.handler import Handler, process_function_of
from pyflink_durable.payload.inputs import InputPayloads
from pyflink_durable.payload.result_types import declared_value
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity


class InputSeals:
    """Makes payloads of inputs, each bound to operator, key and number.

    To the number, and not to the invocation's id: that may be made of the value.

    Args:
        uid: The operator's.
        payloads: Makes them.
        load: Reads pickled keys.
        handler: Declares the type of its inputs.
        previous: Handlers of earlier versions, which may declare others.
    """

    def __init__(
        self,
        uid: str,
        payloads: InputPayloads,
        load: Callable[[bytes], Any],
        handler: Handler,
        previous: Mapping[str | None, Handler],
    ) -> None:
        self._uid = uid
        self._payloads = payloads
        self._load = load
        self._kind = declared_value(process_function_of(handler))
        self._kinds = {
            version: declared_value(process_function_of(one)) for version, one in previous.items()
        }

    def is_needed(self, pickled: bool) -> bool:
        """See `InputPayloads.is_sealed`."""
        return self._payloads.is_sealed(pickled)

    def seal(
        self, key: bytes, sequence: int, version: str | None, data: bytes, pickled: bool
    ) -> bytes:
        """Makes a payload.

        Args:
            key: The pickled key.
            sequence: The number of the input among all of its key.
            version: That of the handler that has accepted it.
            data: The input, as the stream holds it.
            pickled: Whether that is a pickle.
        """
        place, kind = self._place(key, sequence), self._kinds.get(version, self._kind)
        return self._payloads.seal(data, pickled, place, kind)

    def open(
        self, key: bytes, sequence: int, version: str | None, payload: bytes, pickled: bool
    ) -> bytes:
        """Gives the input as the stream held it; see `seal`."""
        place, kind = self._place(key, sequence), self._kinds.get(version, self._kind)
        return self._payloads.open(payload, pickled, place, kind)

    def _place(self, key: bytes, sequence: int) -> bytes:
        owner = InvocationIdentity(lambda _: self._load(key), self._uid)
        return owner.key_digest(f"input {sequence}")
