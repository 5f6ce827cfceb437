"""What tells one invocation from all others, in every attempt of the job."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from pyflink_durable.identity.digest_rule_1 import RULE_1

_SEPARATOR = b"\0"


class InvocationIdentity:
    """The operator's uid, the key and the invocation's id.

    Apart from the context, so that the context and its journal do not refer to each other: that
    would leave every finished invocation to the garbage collector.

    Args:
        load_key: Gives the key of an invocation's number; asked at most once, from any thread.
        operator: The operator's uid.
        invocation: The number of the input among all of its key, or the id that the user gives it.
        number: The invocation's number in this attempt of the subtask.
    """

    __slots__ = ("_key", "_load_key", "_number", "_seed", "id", "operator")

    def __init__(
        self,
        load_key: Callable[[int], Any] = lambda number: None,
        operator: str = "",
        invocation: int | str = 0,
        number: int = 0,
    ) -> None:
        self.operator = operator
        self.id = invocation
        self._load_key: Callable[[int], Any] | None = load_key
        self._number = number
        self._seed: bytes | None = None

    @property
    def key(self) -> Any:
        load = self._load_key
        if load is not None:
            self._key = load(self._number)
            self._load_key = None
        return self._key

    def digest(self, purpose: str) -> bytes:
        """16 bytes that are the same in every attempt, and others for every other purpose."""
        if self._seed is None:
            # the key in canonical form, so that 1 and "1" are two keys; not the digest of calls:
            # that tells the few calls of one invocation apart, this all calls of all times; and
            # by the first rule for good: the outside knows the keys that it made
            parts = (self.operator, RULE_1.text((self.key, self.id), {}))
            joined = _SEPARATOR.join(part.encode() for part in parts)
            self._seed = blake2b(joined, digest_size=32).digest()
        return blake2b(self._seed + _SEPARATOR + purpose.encode(), digest_size=16).digest()

    def key_digest(self, purpose: str) -> bytes:
        """As `digest`, the same for all invocations of the key."""
        parts = (self.operator, RULE_1.text((self.key,), {}), purpose)
        joined = _SEPARATOR.join(part.encode() for part in parts)
        return blake2b(joined, digest_size=16).digest()

    def idempotency_key(self, slot: int, durable_id: str | None, occurrence: int = 1) -> str:
        """The key of a call: 32 hexadecimal digits; see `CurrentCall.idempotency_key`."""
        purpose = f"slot {slot}"
        if durable_id is not None:
            # another word for the second one: a durable_id may itself begin with a number
            purpose = f"id {durable_id}" if occurrence == 1 else f"next {occurrence} {durable_id}"
        return self.digest(purpose).hex()

    def describe(self) -> str:
        """Names the invocation in log lines and errors."""
        try:
            return f"key={self.key!r} invocation={self.id}"
        except Exception as error:  # the invocation is gone from the operator
            return f"key unknown: {error}"
