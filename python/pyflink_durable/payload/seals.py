"""Bytes of a serializer as they stand in the journal: encoded, framed, and bound to their place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from pyflink_durable.errors import PayloadNotWritable, PayloadRefused
from pyflink_durable.payload.frame import Damaged, context_of, is_pickle, pack, unpack
from pyflink_durable.payload.offload import NAME as OFFLOAD
from pyflink_durable.payload.offload import Address
from pyflink_durable.serializer import Codec, PayloadStore

_MIGRATE = (
    "restore the job once with allow_pickle=True, let what is in flight finish and write each "
    "ctx.state value again; then take a savepoint and leave it out"
)


class Offloaded(bytes):
    """A payload that names an object, which is to be in the store before it is journaled."""

    upload: Callable[[], None]


class Seals:
    """Encodes and decodes what one operator has in its journal.

    Args:
        serializer: The name of the one that writes.
        codecs: In the order in which they encode.
        bare: Whether what is written is not framed: pickles without codecs.
        allow_pickle: Whether pickles are given out to be read.
        known: Gives codecs for reading that are not among these.
        offload: Where large payloads go.
    """

    def __init__(
        self,
        serializer: str,
        codecs: Sequence[Codec],
        bare: bool,
        allow_pickle: bool,
        known: Callable[[str], Codec | None] = lambda name: None,
        offload: PayloadStore | None = None,
    ) -> None:
        self._codecs = tuple(codecs)
        self._by_name = {codec.name: codec for codec in codecs}
        self._names = (serializer, *(codec.name for codec in codecs))
        self._bare = bare
        self._allow_pickle = allow_pickle
        self._known = known
        self._offload = offload

    @property
    def encodes(self) -> bool:
        """Whether there are codecs."""
        return bool(self._codecs)

    def seal(
        self,
        data: bytes,
        place: bytes,
        is_outcome: bool = False,
        serializer: str | None = None,
    ) -> bytes:
        """Makes a payload, `Offloaded` if it is a large outcome.

        Args:
            data: What the serializer wrote.
            place: Where it belongs.
            is_outcome: Whether it is one of a call.
            serializer: Its name, if it is not that of the operator.

        Raises:
            PayloadNotWritable: A codec has failed.
        """
        if self._bare:
            return data
        names = self._names if serializer is None else (serializer, *self._names[1:])
        context = context_of(names, place)
        for codec in self._codecs:
            try:
                data = codec.encode(data, context)
            except Exception as error:
                raise PayloadNotWritable(
                    f"codec {codec.name} cannot encode a payload ({type(error).__name__}: {error})"
                ) from error
        offload = self._offload
        if offload is None or not is_outcome or len(data) <= offload.threshold:
            return pack(names, data, place)
        address = Address.of(data)
        offloaded = Offloaded(pack((*names, OFFLOAD), address.write(), place))
        offloaded.upload = partial(offload.put, address, data)
        return offloaded

    def open(self, payload: bytes, place: bytes) -> tuple[str, bytes]:
        """Takes a payload apart.

        Returns:
            The name of the serializer, and what it wrote.

        Raises:
            PayloadRefused: It is damaged, belongs elsewhere, cannot be decoded, or is a pickle that
                must not be read.
        """
        if is_pickle(payload):
            self._check_pickle("pickle")
            return "pickle", payload
        try:
            (serializer, *names), data = unpack(payload, place)
        except Damaged as damage:
            raise PayloadRefused(f"a payload of the journal {damage}: it is not read") from None
        self._check_pickle(serializer)
        if names[-1:] == [OFFLOAD]:
            names.pop()
            data = self._fetch(data)
        context = context_of((serializer, *names), place)
        for name in reversed(names):
            data = self._decode(name, data, context)
        return serializer, data

    def _check_pickle(self, serializer: str) -> None:
        if serializer == "pickle" and not self._allow_pickle:
            raise PayloadRefused(
                "a payload of the journal is a pickle, as release 0.1 and the default serializer "
                f"write them, and allow_pickle=False: it is not read. {_MIGRATE}"
            )

    def _fetch(self, written: bytes) -> bytes:
        if self._offload is None:
            raise PayloadRefused(
                "a payload of the journal is in a store, and this operator has none: keep "
                "offload=... until nothing of it is in flight"
            )
        try:
            return self._offload.get(Address.read(written))
        except Exception as error:
            raise PayloadRefused(
                f"a payload of the journal cannot be read from {self._offload.url} "
                f"({type(error).__name__}: {error})"
            ) from error

    def _decode(self, name: str, data: bytes, context: bytes) -> bytes:
        codec = self._by_name.get(name) or self._known(name)
        if codec is None:
            raise PayloadRefused(
                f"a payload of the journal was encoded by codec {name!r}, which this operator does "
                "not have: keep it among the codecs until nothing of it is in flight"
            )
        try:
            return codec.decode(data, context)
        except Exception as error:
            raise PayloadRefused(
                f"codec {name} cannot decode a payload of the journal ({type(error).__name__}: "
                f"{error})"
            ) from error
