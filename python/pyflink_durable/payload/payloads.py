"""The one way of values into the journal and back; one object for each operator."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

from pyflink_durable.errors import (
    ConfigurationError,
    PayloadNotLoadable,
    PayloadStoreDown,
    PayloadTooLarge,
)
from pyflink_durable.options import DurableOptions
from pyflink_durable.payload.described import DescribedCall, Owner
from pyflink_durable.payload.error_forms import ErrorForms
from pyflink_durable.payload.failures import checked, not_loadable, not_serializable
from pyflink_durable.payload.frame import PICKLE, is_pickle
from pyflink_durable.payload.inputs import InputPayloads
from pyflink_durable.payload.known_values import KnownValues, known_codec
from pyflink_durable.payload.large_inputs import LargeInputs
from pyflink_durable.payload.picklers import PROTOCOL, loads
from pyflink_durable.payload.plain_values import PLAIN_TYPES
from pyflink_durable.payload.result_types import ResultTypes
from pyflink_durable.payload.results import NotSerializable, pass_value
from pyflink_durable.payload.script_classes import ScriptClasses
from pyflink_durable.payload.seals import Seals
from pyflink_durable.payload.sizes import Notes, Sizes
from pyflink_durable.payload.store_watch import StoreWatch
from pyflink_durable.payload.values import PickledValues, SerializedValues, Values


class Payloads:
    """Writes what crosses the journal as the operator's options say, and reads what stands there.

    What it passes, to the handler, is what a replay will read: the first run and all others see the
    same. Bytes say how they were written, so that journals of several releases and settings are
    read as what they are.

    Args:
        options: The operator's; by default `DurableOptions()`.
        classes: Those of the job's script; None where the job is not submitted again.
        notes: Where sizes are told, and what is lost of an exception.

    Attributes:
        typed: Whether calls are to be checked before they are made, see `check`.
        store: Looks at the store into which large outcomes go first, see `Offloaded`; None if
            there is none.
    """

    def __init__(
        self,
        options: DurableOptions | None = None,
        classes: ScriptClasses | None = None,
        notes: Notes | None = None,
    ) -> None:
        options = options or DurableOptions()
        warn = (lambda line: None) if notes is None else notes.warning
        self._errors = ErrorForms(options.errors, warn)
        self._classes = classes
        self._pickled = PickledValues(classes)
        self._loads = partial(loads, classes=classes) if classes else pickle.loads
        serializer = options.serializer
        self._values: Values = self._pickled
        if serializer is not None and serializer.name != PickledValues.name:
            self._values = SerializedValues(serializer, self._errors)
        self.store = None if options.offload is None else StoreWatch(options.offload)
        self._is_bare = not options.writes_frames
        self._known = KnownValues(self._values, self._pickled, self._errors)
        self._seals = Seals(
            self._values.name,
            options.codecs,
            self._is_bare,
            options.allow_pickle,
            known_codec,
            options.offload,
        )
        self._notes = notes
        self._sizes = Sizes(options.max_payload, notes)
        self._noted_from = self._sizes.noted_from
        self._types = ResultTypes()
        self._state_types = options.state_types
        self._serializer = serializer
        self.typed = self._values.typed

    def probe(self) -> None:
        """Tries codecs and store, so that a missing key, or a wrong address, is told at the start.

        Raises:
            PayloadNotWritable: A codec cannot encode.
            PayloadRefused: One cannot decode what it has encoded.
            PayloadStoreDown: The store cannot be written to.
        """
        if self.store is not None:
            self.store.check()
        self._seals.open(self._seals.seal(b"\x80probe", b"probe"), b"probe")

    # ---------------------------------------------------------------- calls

    def check(self, call: DescribedCall) -> None:
        """Refuses a call whose declared result the serializer has no way for, before it is made.

        Raises:
            ConfigurationError: It has none.
        """
        kind = self._kind_of(call)
        check = getattr(self._serializer, "check_type", None)
        if check is None:
            return
        try:
            check(kind)
        except Exception as error:
            raise ConfigurationError(
                f"{call.name} declares the result {kind!r}, for which serializer "
                f"{self._values.name} has no form ({type(error).__name__}): give the call "
                "result_type=..., or have the function return plain data, a dataclass or a "
                "pydantic model"
            ) from error

    def _kind_of(self, call: DescribedCall) -> Any:
        kind = call.options.result_type
        return self._types.declared_by(call.func) if kind is None else kind

    def pass_result(
        self, value: Any, call: DescribedCall, owner: Owner, slot: int
    ) -> tuple[Any, bytes]:
        """Writes the result of a call, and gives it as a replay will.

        Args:
            value: What the call returned.
            call: The call.
            owner: The identity of its invocation.
            slot: Its slot.

        Raises:
            ResultNotSerializable: The value cannot be written and read back.
            PayloadTooLarge: It is larger than the operator admits.
            PayloadNotWritable: A codec has failed.
        """
        try:
            if not self._is_bare:
                value, payload = self._pass_framed(value, call, owner, slot)
            elif type(value) in PLAIN_TYPES:  # the fast path
                payload = pickle.dumps(value, PROTOCOL)
            else:
                value, payload = pass_value(value, self._classes)
        except NotSerializable as error:
            raise not_serializable(call.name, value, error, self.typed) from error.__cause__
        if len(payload) >= self._noted_from:
            self._sizes.note(len(payload), call.name)
        return value, payload

    def _pass_framed(
        self, value: Any, call: DescribedCall, owner: Owner, slot: int
    ) -> tuple[Any, bytes]:
        kind = self._kind_of(call) if self.typed else None
        value, data = self._values.pass_value(value, kind)
        return value, self._seals.seal(data, _place(owner, "result", slot), is_outcome=True)

    def pass_error(
        self, error: Exception, call: DescribedCall, owner: Owner, slot: int
    ) -> tuple[Exception, bytes]:
        """As `pass_result`, for what a call raised; a `RemoteError` if need be."""
        passed, payload = self._values.pass_error(error)
        if not self._is_bare:
            # that the store is down cannot be told by way of the store
            is_outcome = not isinstance(error, PayloadStoreDown)
            payload = self._seals.seal(payload, _place(owner, "error", slot), is_outcome)
        if len(payload) >= self._noted_from:
            try:
                self._sizes.note(len(payload), call.name)
            except PayloadTooLarge as too_large:
                if isinstance(error, PayloadTooLarge):  # the limit is below even this error
                    return passed, payload
                return self.pass_error(too_large, call, owner, slot)
        return checked(passed), payload

    def load_result(self, payload: bytes, call: DescribedCall, owner: Owner, slot: int) -> Any:
        """Reads the result of a call.

        Raises:
            PayloadNotLoadable: It cannot be read, or must not be.
        """
        if self._is_bare and payload[:1] == PICKLE:  # no call more than there must be
            try:
                return self._loads(payload)
            except Exception as error:
                raise not_loadable("result", error) from error
        values, data = self._open(payload, owner, "result", slot)
        kind = self._kind_of(call) if values.typed else None
        return self._load(values, data, kind, "result")

    def load_error(self, payload: bytes, owner: Owner, slot: int) -> Exception:
        """As `load_result`, for what a call raised."""
        values, data = self._open(payload, owner, "error", slot)
        try:
            return checked(values.load_error(data))
        except PayloadNotLoadable:
            raise
        except Exception as error:
            raise not_loadable("exception", error) from error

    def open(self, payload: bytes | None, kind: str, owner: Owner, slot: int) -> bytes | None:
        """What the serializer wrote of a call, for those who know nothing of the operator.

        Args:
            payload: It may be None.
            kind: ``"result"`` or ``"error"``.
            owner: The identity of its invocation.
            slot: Its slot.
        """
        if payload is None:
            return None
        values, data = self._open(payload, owner, kind, slot)
        return values.open(data)

    # ---------------------------------------------------------------- what is the runtime's own

    def dump_own(self, value: Any, kind: Any, owner: Owner, slot: int) -> bytes:
        """Writes what the runtime itself has in a slot: that a timer has fired, a time."""
        if self._is_bare:
            return pickle.dumps(value, PROTOCOL)
        _, data = self._values.pass_value(value, kind)
        return self._seals.seal(data, _place(owner, "own", slot))

    def load_own(self, payload: bytes, kind: Any, owner: Owner, slot: int) -> Any:
        """Reads it; raises as `load_result` does."""
        values, data = self._open(payload, owner, "own", slot)
        return self._load(values, data, kind, "time")

    # ---------------------------------------------------------------- ctx.state

    def pass_state(self, name: str, value: Any, owner: Owner) -> tuple[Any, bytes]:
        """Writes a value of `ctx.state`, and gives it as it will be read.

        Raises:
            NotSerializable: It cannot be written and read back.
            PayloadTooLarge: It is larger than the operator admits.
            PayloadNotWritable: A codec has failed.
        """
        value, payload = self._values.pass_value(value, self._state_types.get(name))
        if not self._is_bare:
            payload = self._seals.seal(payload, owner.key_digest(f"state {name}"))
        if len(payload) >= self._noted_from:
            self._sizes.note(len(payload), f"ctx.state[{name!r}]")
        return value, payload

    def load_state(self, name: str, payload: bytes, owner: Owner) -> Any:
        """Reads a value of `ctx.state`; raises as `load_result` does."""
        place = b"" if is_pickle(payload) else owner.key_digest(f"state {name}")
        values, data = self._opened(payload, place)
        return self._load(values, data, self._state_types.get(name), f"value {name!r}")

    # ---------------------------------------------------------------- inputs

    def inputs(self) -> InputPayloads:
        """What makes payloads of inputs for the state; see `InputPayloads`."""
        return InputPayloads(self._values, self._known, self._seals, self._classes, self._notes)

    def large_inputs(self, load: Callable[[bytes], Any]) -> LargeInputs:
        """What finds those that are large; see `LargeInputs`."""
        return LargeInputs(load, self._sizes, self._classes)

    # ---------------------------------------------------------------- signals

    def seal_signal(self, content: bytes, owner: Owner) -> bytes | None:
        """A signal that waits, as the state is to hold it; None for its pickle, as it came."""
        if not self._seals.encodes:
            return None
        return self._seals.seal(content, owner.key_digest("signal"), serializer=PickledValues.name)

    def open_signal(self, content: bytes, owner: Owner) -> bytes:
        """Its pickle; raises as `load_result` does."""
        place = b"" if is_pickle(content) else owner.key_digest("signal")
        return self._seals.open(content, place)[1]

    # ---------------------------------------------------------------- reading

    def _open(self, payload: bytes, owner: Owner, kind: str, slot: int) -> tuple[Values, bytes]:
        place = b"" if is_pickle(payload) else _place(owner, kind, slot)
        return self._opened(payload, place)

    def _opened(self, payload: bytes, place: bytes) -> tuple[Values, bytes]:
        name, data = self._seals.open(payload, place)
        return self._known.named(name), data

    def _load(self, values: Values, data: bytes, kind: Any, what: str) -> Any:
        try:
            return values.load(data, kind)
        except Exception as error:
            raise not_loadable(what, error) from error


def _place(owner: Owner, kind: str, slot: int) -> bytes:
    """What a payload is and where it belongs."""
    return owner.digest(f"payload {kind} {slot}")
