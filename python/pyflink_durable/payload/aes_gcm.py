"""Encryption of what is in the journal."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from pyflink_durable.errors import ConfigurationError

_NONCE = 12
_LONGEST_ID = 255
_KEY_SIZES = (16, 24, 32)


class AesGcm:
    """Encrypts and authenticates payloads by AES-GCM.

    Operator, key, invocation, slot and kind of a payload are authenticated with it: it cannot be
    moved elsewhere, nor be changed. Needs the package ``cryptography``:
    ``pip install 'pyflink-durable[crypto]'``.

    Args:
        keys: Gives the key of an id, 16, 24 or 32 bytes: from the environment, a file, a client of
            a key management service. It is called in the TaskManager, once for each id, from any
            thread. It travels with the job, so it must not hold a key itself.
        active: The id of the key that encrypts. To rotate, have `keys` know another id and make it
            the active one; the old one is needed until nothing that it encrypted is in flight, or
            in the state.
    """

    name = "aes-gcm"

    def __init__(self, keys: Callable[[str], bytes], active: str) -> None:
        if not callable(keys):
            raise ConfigurationError(
                "AesGcm takes a function that gives the key of an id, and runs in the TaskManager: "
                f"a {type(keys).__name__} of keys would be in the job graph"
            )
        if not isinstance(active, str) or not 0 < len(active.encode()) <= _LONGEST_ID:
            raise ConfigurationError(
                f"the id of a key is a str of 1 to {_LONGEST_ID} bytes, not {active!r}"
            )
        _library()
        self._keys = keys
        self.active = active
        self._ciphers: dict[str, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"_keys": self._keys, "active": self.active, "_ciphers": {}}

    def __repr__(self) -> str:
        return f"AesGcm(active={self.active!r})"

    def encode(self, data: bytes, context: bytes) -> bytes:
        """See `Codec`."""
        key_id = self.active.encode()
        nonce = os.urandom(_NONCE)
        head = bytes((len(key_id),)) + key_id
        encrypted: bytes = self._cipher(self.active).encrypt(nonce, data, context + head)
        return head + nonce + encrypted

    def decode(self, data: bytes, context: bytes) -> bytes:
        """See `Codec`."""
        from cryptography.exceptions import InvalidTag

        end = 1 + (data[0] if data else 0)
        if len(data) < end + _NONCE:
            raise ValueError("this was not encrypted by AesGcm, or is cut off")
        head, nonce, encrypted = data[:end], data[end : end + _NONCE], data[end + _NONCE :]
        key_id = head[1:].decode("utf-8", "replace")
        try:
            decrypted: bytes = self._cipher(key_id).decrypt(nonce, encrypted, context + head)
        except InvalidTag:
            raise ValueError(
                f"key {key_id!r} does not fit: `keys` gives another key for this id than when it "
                "was encrypted, or the bytes were changed or moved"
            ) from None
        return decrypted

    def _cipher(self, key_id: str) -> Any:
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            cipher = self._ciphers[key_id] = _library()(self._key(key_id))
        return cipher

    def _key(self, key_id: str) -> bytes:
        try:
            key = self._keys(key_id)
        except Exception as error:  # its text may hold what is none of the log's business
            raise LookupError(
                f"`keys` has no key {key_id!r}: it raised {type(error).__name__}"
            ) from None
        if not isinstance(key, bytes) or len(key) not in _KEY_SIZES:
            given = f"{len(key)} bytes" if isinstance(key, bytes) else f"a {type(key).__name__}"
            raise ValueError(
                f"`keys` gives {given} for key {key_id!r}; a key has 16, 24 or 32 bytes"
            )
        return key


def _library() -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise ConfigurationError(
            "AesGcm needs the package cryptography, here and in the TaskManagers: "
            "pip install 'pyflink-durable[crypto]'"
        ) from None
    return AESGCM
