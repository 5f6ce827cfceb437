"""Compression of what is in the journal."""

from __future__ import annotations

from typing import Any

from pyflink_durable.errors import ConfigurationError

_AS_IT_IS, _COMPRESSED = b"\0", b"\1"
_WORTH_IT = 128
"""Bytes below which nothing gets smaller that matters."""


class Zstd:
    """Compresses payloads by Zstandard, where that makes them smaller.

    Needs the package ``zstandard``: ``pip install 'pyflink-durable[zstd]'``. Put it before an
    encryption: encrypted bytes do not get smaller.

    Args:
        level: From 1, the fastest, to 22.
    """

    name = "zstd"

    def __init__(self, level: int = 3) -> None:
        if not 1 <= level <= 22:
            raise ConfigurationError(f"the level of Zstd goes from 1 to 22, it is not {level}")
        _library()
        self.level = level

    def encode(self, data: bytes, context: bytes) -> bytes:
        """See `Codec`."""
        if len(data) >= _WORTH_IT:
            compressed: bytes = _library().compress(data, self.level)
            if len(compressed) < len(data):
                return _COMPRESSED + compressed
        return _AS_IT_IS + data

    def decode(self, data: bytes, context: bytes) -> bytes:
        """See `Codec`."""
        if data[:1] == _AS_IT_IS:
            return data[1:]
        if data[:1] != _COMPRESSED:
            raise ValueError("this was not compressed by Zstd")
        decompressed: bytes = _library().decompress(data[1:])
        return decompressed


def _library() -> Any:
    try:
        import zstandard
    except ImportError:
        raise ConfigurationError(
            "Zstd needs the package zstandard, here and in the TaskManagers: "
            "pip install 'pyflink-durable[zstd]'"
        ) from None
    return zstandard
