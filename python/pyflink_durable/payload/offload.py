"""Large payloads in a store of objects; the journal holds where they are."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import uuid4

from pyflink_durable.errors import ConfigurationError

NAME = "offload"
_DIGEST = 32
_SMALLEST = 1024


class Address(NamedTuple):
    """Where an object is, and what it is.

    Attributes:
        digest: The SHA-256 of its bytes.
        size: How many there are.
    """

    digest: bytes
    size: int

    @classmethod
    def of(cls, data: bytes) -> Address:
        """The address of an object."""
        return cls(sha256(data).digest(), len(data))

    @classmethod
    def read(cls, written: bytes) -> Address:
        """What `write` has written.

        Raises:
            ValueError: It has not.
        """
        if len(written) != _DIGEST + 8:
            raise ValueError("this is no address of an offloaded payload")
        return cls(written[:_DIGEST], int.from_bytes(written[_DIGEST:], "big"))

    def write(self) -> bytes:
        """As it stands in the journal."""
        return self.digest + self.size.to_bytes(8, "big")


class Offload:
    """Keeps results and exceptions over a size in a store, and their addresses in the journal.

    An object is named by its content, and is there before the slot that names it. Memory,
    checkpoints and the call log hold some fifty bytes of it. What is encrypted is so in the store,
    too. Values of `ctx.state` stay in the state. Needs the package ``fsspec``, and that of the
    store (``s3fs``, ``gcsfs``): ``pip install 'pyflink-durable[offload]'``.

    While the store cannot be written to, calls are not made (`PayloadStoreDown`). One that has been
    made by then is held up: its result is tried again, with a warning, and it is in doubt until
    then. A store that cannot be read fails the task that replays the call.

    Args:
        url: A folder, for this operator or for several: ``file:///mnt/journal``,
            ``s3://bucket/journal``, whatever fsspec opens. A bucket has to be there.
        threshold: Bytes above which a payload goes there.
        options: Of fsspec's file system. They are in the job graph: no secrets.
    """

    def __init__(self, url: str, threshold: int = 256 * 1024, **options: Any) -> None:
        if not isinstance(url, str) or "://" not in url:
            raise ConfigurationError(
                "Offload takes a url, such as file:///mnt/journal or s3://bucket/journal, not "
                f"{url!r}"
            )
        if threshold < _SMALLEST:
            raise ConfigurationError(
                f"threshold must be {_SMALLEST} bytes at least, not {threshold}: an object costs "
                "more than it saves"
            )
        _library()
        self.url = url
        self.threshold = threshold
        self.options = options
        self._opened: tuple[Any, str] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_opened": None}

    def __repr__(self) -> str:
        return f"Offload({self.url!r}, threshold={self.threshold})"

    def put(self, address: Address, data: bytes) -> None:
        """Writes an object; one that is there is written again, which makes it young."""
        store, root = self.open()
        path = _path(root, address.digest.hex())
        if "file" in _protocols(store):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            _write_whole(path, data)
            return
        try:
            store.pipe_file(path, data)
        except FileNotFoundError:  # there are folders there; a bucket is nobody's to make here
            store.mkdir(store._parent(path), create_parents=False)
            store.pipe_file(path, data)

    def get(self, address: Address) -> bytes:
        """Reads an object.

        Raises:
            FileNotFoundError: It is not there.
            ValueError: It is another one.
        """
        store, root = self.open()
        data: bytes = store.cat_file(_path(root, address.digest.hex()))
        if Address.of(data) != address:
            raise ValueError(f"the object {address.digest.hex()} of {self.url} is damaged")
        return data

    def open(self) -> tuple[Any, str]:
        """The file system, and the folder in it."""
        if self._opened is None:
            self._opened = _library().core.url_to_fs(self.url, **self.options)
        return self._opened


def _path(root: str, name: str) -> str:
    return f"{root.rstrip('/')}/{name[:2]}/{name}"


def _protocols(store: Any) -> tuple[str, ...]:
    protocol = store.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)


def _write_whole(path: str, data: bytes) -> None:
    """All of it or nothing, and on the disk."""
    part = f"{path}.{uuid4().hex}.part"
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        if os.path.exists(part):
            os.unlink(part)
        raise


def _library() -> Any:
    try:
        import fsspec
        import fsspec.core
    except ImportError:
        raise ConfigurationError(
            "Offload needs the package fsspec, here and in the TaskManagers: "
            "pip install 'pyflink-durable[offload]'"
        ) from None
    return fsspec
