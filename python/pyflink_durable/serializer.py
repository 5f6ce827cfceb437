"""What values in the journal are written by: a serializer, and codecs over its bytes."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Serializer(Protocol):
    """Writes values as bytes and reads them back. Its methods are called from several threads.

    It travels with the job: keep nothing on it that cannot be pickled.

    Attributes:
        name: Stands in the journal with what it has written; lower-case letters, digits and ``-``.
    """

    name: str

    def dumps(self, value: Any, type: Any) -> bytes:
        """Writes a value.

        Args:
            value: The value.
            type: Its declared type; None if there is none, and what is read back is still to be
                the value.

        Raises:
            Exception: It cannot; the message completes "the value ...".
        """

    def loads(self, data: bytes, type: Any) -> Any:
        """Reads what `dumps` has written of a value of this type."""


@runtime_checkable
class Codec(Protocol):
    """Turns bytes into other bytes, and back: compression, encryption.

    Called from several threads; it travels with the job, as a serializer does.

    Attributes:
        name: Stands in the journal with what it has encoded; lower-case letters, digits and ``-``.
    """

    name: str

    def encode(self, data: bytes, context: bytes) -> bytes:
        """Encodes bytes.

        Args:
            data: The bytes.
            context: What they are: operator, key, invocation, slot and kind as one digest, and how
                they were written. The same when they are decoded; other bytes have another one.
        """

    def decode(self, data: bytes, context: bytes) -> bytes:
        """Gives back what was encoded.

        Raises:
            Exception: The bytes are damaged, or were encoded in another context or by other means;
                the message says what is wrong.
        """


@runtime_checkable
class PayloadStore(Protocol):
    """Where large payloads are, see `Offload`.

    Attributes:
        url: Names it in errors.
        threshold: Bytes above which a payload goes there.
    """

    url: str
    threshold: int

    def put(self, address: Any, data: bytes) -> None:
        """Writes an object, wholly or not at all; raises whatever has gone wrong."""

    def get(self, address: Any) -> bytes:
        """Reads it, and no other; raises whatever has gone wrong."""
