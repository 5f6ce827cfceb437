"""What reads payloads that were written in another way than the operator writes them now."""

from __future__ import annotations

from collections.abc import Callable

from pyflink_durable.errors import PayloadRefused
from pyflink_durable.payload.error_forms import ErrorForms
from pyflink_durable.payload.json_serializer import JsonSerializer
from pyflink_durable.payload.msgspec_serializer import MsgspecSerializer
from pyflink_durable.payload.values import PickledValues, SerializedValues, Values
from pyflink_durable.payload.zstd import Zstd
from pyflink_durable.serializer import Codec, Serializer

_SERIALIZERS: dict[str, Callable[[], Serializer]] = {
    JsonSerializer.name: JsonSerializer,
    MsgspecSerializer.name: MsgspecSerializer,
}


class KnownValues:
    """Finds what reads a payload, by the name of its serializer that stands in it.

    Args:
        own: What the operator writes with.
        pickled: What reads pickles.
        errors: Makes exceptions of their forms.
    """

    def __init__(self, own: Values, pickled: PickledValues, errors: ErrorForms) -> None:
        self._by_name: dict[str, Values] = {pickled.name: pickled, own.name: own}
        self._errors = errors

    def named(self, name: str) -> Values:
        """What reads the payloads of a serializer.

        Raises:
            PayloadRefused: The operator has none of this name.
            ConfigurationError: The serializer needs a package that is not there.
        """
        values = self._by_name.get(name)
        if values is None:
            make = _SERIALIZERS.get(name)
            if make is None:
                raise PayloadRefused(
                    f"a payload of the journal was written by serializer {name!r}, which this "
                    "operator does not have: let what is in flight finish with it, then change "
                    "the serializer"
                )
            values = self._by_name[name] = SerializedValues(make(), self._errors)
        return values


def known_codec(name: str) -> Codec | None:
    """What decodes without settings of its own."""
    return Zstd() if name == Zstd.name else None
