"""Tokens of callbacks: what an answer from outside carries back, so that it finds its handler."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Any, NamedTuple

from pyflink.common import Row

_FORM = "pfd1"
"""Of tokens; it stands in front of each."""

_PURPOSE = b"pyflink-durable callback 1\0"

CALLBACK_PREFIX = "pyflink_durable.callback."
"""In front of a ticket's slot: the name of the signal that it waits for."""


class CallbackToken(NamedTuple):
    """What a token says; whether it is genuine, only the operator can tell.

    Attributes:
        key: The key of the handler that waits.
        invocation: The id of its invocation.
        slot: The place of the ticket in its journal.
        content: These three as bytes.
        mac: Tells that an operator has made it.
    """

    key: Any
    invocation: int | str
    slot: int
    content: bytes
    mac: bytes

    @classmethod
    def parse(cls, token: str) -> CallbackToken:
        """Reads a token.

        Raises:
            ValueError: It is none, or is cut off.
        """
        try:
            form, content, mac = token.split(".")
            if form != _FORM:
                raise ValueError(form)
            written = urlsafe_b64decode(content)
            key, invocation, slot = json.loads(written)
            if type(slot) is not int or type(invocation) not in (int, str):
                raise TypeError(slot, invocation)
            return cls(_plain_key(key), invocation, slot, written, urlsafe_b64decode(mac))
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise ValueError(
                "this is no token of a callback: pass on what ticket.token gave, as it is"
            ) from None

    @property
    def name(self) -> str:
        """The name of the signal that the ticket waits for."""
        return f"{CALLBACK_PREFIX}{self.slot}"

    @property
    def id(self) -> str:
        """Of its answers the first counts."""
        return f"{CALLBACK_PREFIX}{self.invocation}.{self.slot}"

    def is_genuine(self, secrets: Sequence[bytes], operator: str) -> bool:
        """Whether an operator has made it with one of the secrets."""
        made = [_mac(secret, operator, self.content) for secret in secrets]
        # all of them are looked at: the time that it takes tells nothing
        return any([hmac.compare_digest(one, self.mac) for one in made])


def make_token(secret: bytes, operator: str, key: Any, invocation: int | str, slot: int) -> str:
    """Makes the token of a callback.

    Args:
        secret: The operator's secret.
        operator: The operator's uid.
        key: The key of the handler.
        invocation: The id of its invocation.
        slot: The place of the ticket in its journal.

    Raises:
        TypeError: The key cannot travel in a token.
    """
    parts = [_json_key(key), invocation, slot]
    content = json.dumps(parts, separators=(",", ":"), ensure_ascii=False).encode()
    return ".".join((_FORM, _text(content), _text(_mac(secret, operator, content))))


def _mac(secret: bytes, operator: str, content: bytes) -> bytes:
    return hmac.new(secret, _PURPOSE + operator.encode() + b"\0" + content, hashlib.sha256).digest()


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode("ascii")


def _json_key(key: Any) -> Any:
    """A key in JSON: what JSON has no word for is an object with its kind."""
    if isinstance(key, (str, bool, int, type(None))):
        return key
    if isinstance(key, bytes):
        return {"bytes": b64encode(key).decode("ascii")}
    if isinstance(key, (tuple, Row)):
        return {type(key).__name__: [_json_key(part) for part in key]}
    raise TypeError(
        f"ctx.callback cannot put a key of type {type(key).__qualname__} into its token: it takes "
        "str, int, bool, bytes, and tuples and Rows of these"
    )


def _plain_key(key: Any) -> Any:
    if not isinstance(key, dict):
        if not isinstance(key, (str, bool, int, type(None))):
            raise TypeError(type(key))
        return key
    [(kind, parts)] = key.items()
    if kind == "bytes":
        return b64decode(parts)
    values = [_plain_key(part) for part in parts]
    if kind == "tuple":
        return tuple(values)
    if kind == "Row":
        return Row(*values)
    raise TypeError(kind)
