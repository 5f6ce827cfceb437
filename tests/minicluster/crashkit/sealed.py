"""Options under which nothing in the journal is a pickle, and nothing in it can be read."""

from __future__ import annotations

from typing import Any

from pyflink_durable import AesGcm, JsonSerializer, Zstd

MARK = b"json|zstd|aes-gcm"
"""What stands in front of each payload."""


def key_of(key_id: str) -> bytes:
    """Runs where the calls do."""
    return key_id.encode().ljust(32)


def sealed(**more: Any) -> dict[str, Any]:
    """As options of an operator."""
    codecs = [Zstd(), AesGcm(key_of, active="2026-11")]
    return {"serializer": JsonSerializer(), "codecs": codecs, **more}
