"""Inputs in flight, as the keyed state holds them."""

from __future__ import annotations

from typing import Any

from pyflink_durable.errors import ArgumentNotEncodable, PayloadNotLoadable, PayloadRefused
from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.payload.known_values import KnownValues
from pyflink_durable.payload.picklers import dumps, loads
from pyflink_durable.payload.results import NotSerializable
from pyflink_durable.payload.script_classes import ScriptClasses
from pyflink_durable.payload.seals import Seals
from pyflink_durable.payload.sizes import Notes
from pyflink_durable.payload.values import PickledValues, Values
from pyflink_durable.wording.one_line import one_line

FLINK = "flink"
"""Stands in a payload where a serializer's name does: Flink's own, of the type of the input."""


class InputPayloads:
    """Makes payloads of inputs that go into the state, and inputs of payloads.

    An input whose type is a pickle is written by the operator's serializer; the handler of an
    earlier attempt has seen the value itself, so what is not read back as exactly that stays a
    pickle. Any other input is what Flink wrote. All of them go through the codecs.

    Args:
        values: What the operator writes with.
        known: What reads payloads, by their serializers.
        seals: Encodes, frames and binds.
        classes: Those of the job's script.
        notes: Where it is told that one stays a pickle.
    """

    def __init__(
        self,
        values: Values,
        known: KnownValues,
        seals: Seals,
        classes: ScriptClasses | None,
        notes: Notes | None,
    ) -> None:
        self._values = values
        self._known = known
        self._seals = seals
        self._classes = classes
        self._notes = notes
        self._told = False

    def is_sealed(self, pickled: bool) -> bool:
        """Whether inputs are to be payloads at all.

        Args:
            pickled: Whether the type of the input is a pickle.
        """
        return self._seals.encodes or (pickled and self._values.typed)

    def seal(self, data: bytes, pickled: bool, place: bytes, kind: Any) -> bytes:
        """Makes a payload.

        Args:
            data: The input, as the stream holds it.
            pickled: Whether that is a pickle.
            place: Where it belongs.
            kind: The type that its handler declares for it; None for none.

        Raises:
            PayloadNotWritable: A codec has failed.
        """
        name = FLINK
        if pickled:
            name, data = self._written(data, kind)
        return self._seals.seal(data, place, serializer=name)

    def _written(self, pickle: bytes, kind: Any) -> tuple[str, bytes]:
        if not self._values.typed:
            return PickledValues.name, pickle
        value = loads(pickle, self._classes)
        try:
            passed, data = self._values.pass_value(value, kind)
            if not _is_same(passed, value):
                raise NotSerializable("is read back as another value; declare its type")
        except NotSerializable as error:
            self._tell(error)
            return PickledValues.name, pickle
        return self._values.name, data

    def _tell(self, reason: NotSerializable) -> None:
        if self._notes is None:
            return
        self._notes.count("pickledInputs")
        if not self._told:
            self._told = True
            self._notes.warning(
                f"inputs in flight stay pickles in the state where serializer {self._values.name} "
                f"has no form for them: one {one_line(str(reason))}. Declare the type of the "
                "handler's value, or give the input a type of pyflink.common.Types. Said once"
            )

    def open(self, payload: bytes, pickled: bool, place: bytes, kind: Any) -> bytes:
        """Gives the input as the stream held it.

        Args:
            payload: What `seal` made, perhaps under other settings.
            pickled: Whether the type of the input is a pickle.
            place: Where it belongs.
            kind: See `seal`.

        Raises:
            PayloadNotLoadable: It cannot be read, or must not be.
        """
        name, data = self._seals.open(payload, place)
        if pickled == (name == FLINK):
            raise PayloadRefused(
                f"an input in flight was written by {name!r}, which does not go with the type that "
                "the operator's input has now: let what is in flight finish before it is changed"
            )
        if name in (FLINK, PickledValues.name):
            return data
        try:
            return dumps(self._known.named(name).load(data, kind), self._classes)
        except PayloadRefused:
            raise
        except Exception as error:
            raise PayloadNotLoadable(
                f"an input in flight cannot be read as what the handler declares for its value "
                f"({type(error).__name__}: {error}). Deploy a handler that declares the type that "
                "it declared when the input came, let the invocations in flight finish, and change "
                "it afterwards."
            ) from error


def _is_same(passed: Any, value: Any) -> bool:
    """Whether a handler that is run again takes the same path with it."""
    try:
        return compute_args_digest((passed,), {}) == compute_args_digest((value,), {})
    except ArgumentNotEncodable:
        return False
