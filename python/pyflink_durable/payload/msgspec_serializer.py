"""MessagePack in the journal, by msgspec and the declared types."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from pyflink_durable.errors import ConfigurationError
from pyflink_durable.payload.json_serializer import JsonSerializer, check_plain_data

_MOST_DECODERS = 1024


class MsgspecSerializer:
    """Writes results, exceptions and `ctx.state` as MessagePack: shorter and faster than JSON.

    By msgspec, and the same declared types as `JsonSerializer`; ``msgspec.Struct`` is one of them.
    What declares none may be None, bool, int, float, str, and lists and dicts of them. An int has
    64 bits at most, and a datetime with a zone comes back in UTC. A pydantic model is JSON inside.

    Needs the package ``msgspec``: ``pip install 'pyflink-durable[msgspec]'``.
    """

    name = "msgspec"

    def __init__(self) -> None:
        _library()
        self._models = JsonSerializer()
        self._decoders: dict[Any, Any] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()

    def dumps(self, value: Any, type: Any) -> bytes:
        """See `Serializer`."""
        if type is None:
            check_plain_data(value)
        data: bytes = _library().msgpack.encode(value, enc_hook=self._write_model)
        return data

    def loads(self, data: bytes, type: Any) -> Any:
        """See `Serializer`."""
        return self._decoder(Any if type is None else type).decode(data)

    def check_type(self, type: Any) -> None:
        """Raises if there can be no values of a type in MessagePack."""
        if type is not None:
            self._decoder(type)

    def _decoder(self, type: Any) -> Any:
        try:
            decoder = self._decoders.get(type)
        except TypeError:  # not hashable
            return self._decoder_of(type)
        if decoder is None:
            if len(self._decoders) >= _MOST_DECODERS:  # the handler makes types as it goes
                self._decoders.clear()
            decoder = self._decoders[type] = self._decoder_of(type)
        return decoder

    def _decoder_of(self, type: Any) -> Any:
        _check_classes(_library().inspect.type_info(type), set())
        return _library().msgpack.Decoder(type, dec_hook=self._read_model)

    def _write_model(self, value: Any) -> str:
        if not isinstance(value, BaseModel):
            raise TypeError(f"holds a {type(value).__module__}.{type(value).__qualname__}")
        return self._models.dumps(value, type(value)).decode()

    def _read_model(self, kind: Any, text: Any) -> Any:
        return self._models.loads(text, kind)


def _check_classes(info: Any, seen: set[int]) -> None:
    """Refuses classes that msgspec leaves to a hook and that are no pydantic models."""
    library = _library()
    if isinstance(info, (list, tuple)):
        for part in info:
            _check_classes(part, seen)
    if not isinstance(info, (library.inspect.Type, library.inspect.Field)) or id(info) in seen:
        return
    seen.add(id(info))
    if isinstance(info, library.inspect.CustomType):
        kind = info.cls
        if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
            raise TypeError(f"msgspec does not know {kind!r}")
    for name in info.__struct_fields__:
        _check_classes(getattr(info, name), seen)


def _library() -> Any:
    try:
        import msgspec.inspect
    except ImportError:
        raise ConfigurationError(
            "MsgspecSerializer needs the package msgspec, here and in the TaskManagers: "
            "pip install 'pyflink-durable[msgspec]'"
        ) from None
    return msgspec
