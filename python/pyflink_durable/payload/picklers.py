"""Picklers that keep of a value what plain pickle would lose.

The C picklers ask `reducer_override` for all but plain data, so plain data costs nothing.
"""

from __future__ import annotations

import pickle
from functools import partial
from io import BytesIO
from typing import Any

import cloudpickle

from pyflink_durable.payload.journaled_errors import (
    Form,
    is_plain_form,
    make_error,
    reduce_error,
)
from pyflink_durable.payload.script_classes import ScriptClasses, ScriptUnpickler, is_importable

PROTOCOL = 5

_MARKS = (b"script_classes", b"cloudpickle")
"""What a payload holds that names a class of a script, or has it as code."""


class _ByName(pickle.Pickler):
    """Writes classes and functions as names, which is several times faster than as code."""

    def __init__(self, file: BytesIO, classes: ScriptClasses | None) -> None:
        super().__init__(file, PROTOCOL)
        self._classes = classes

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, BaseException):
            return reduce_error(value, partial(_read_back, self._classes), chain=True)
        if self._classes is not None and isinstance(value, type):
            return self._classes.reduce(value)
        return NotImplemented


class _AsCode(cloudpickle.Pickler):  # type: ignore[misc]
    """Writes classes and functions that cannot be imported by name as code."""

    chain = True

    def __init__(self, file: BytesIO, classes: ScriptClasses | None) -> None:
        super().__init__(file, PROTOCOL)
        self._classes = classes

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, BaseException):
            return reduce_error(value, partial(_read_back, self._classes), self.chain)
        if self._classes is not None and isinstance(value, type):
            return self._reduce_class(value, self._classes)
        return super().reducer_override(value)

    def _reduce_class(self, kind: type, classes: ScriptClasses) -> Any:
        named = classes.reduce(kind)
        if named is not NotImplemented:
            return named
        reduced = super().reducer_override(kind)
        if isinstance(reduced, tuple):
            classes.check(kind)
        return reduced


class _Unchained(_AsCode):
    """Leaves out what led to an exception, which can be longer than pickle may nest."""

    chain = False


class _OneError(_AsCode):
    """Writes the form of one exception; the others in it are kept beside."""

    def __init__(
        self, file: BytesIO, classes: ScriptClasses | None, kept: list[BaseException]
    ) -> None:
        super().__init__(file, classes)
        self._kept = kept

    def persistent_id(self, value: Any) -> int | None:
        if not isinstance(value, BaseException):
            return None
        self._kept.append(value)
        return len(self._kept) - 1


class _OneErrorUnpickler(ScriptUnpickler):
    def __init__(
        self, file: BytesIO, classes: ScriptClasses | None, kept: list[BaseException]
    ) -> None:
        super().__init__(file, classes or ScriptClasses())
        self._kept = kept

    def persistent_load(self, place: int) -> BaseException:
        return self._kept[place]


def dumps(value: object, classes: ScriptClasses | None = None) -> bytes:
    """Writes a value; `loads` reads it.

    Args:
        value: The value.
        classes: Classes to be written as names; None where the job is not submitted again.

    Raises:
        Exception: Whatever has gone wrong.
    """
    for kind in (_ByName, _AsCode):
        try:
            return _dumps(kind, value, classes)
        except Exception:  # any failure means: not this way
            continue
    return _dumps(_Unchained, value, classes)


def loads(payload: bytes, classes: ScriptClasses | None = None) -> Any:
    """Reads what `dumps` or release 0.1 has written; raises whatever has gone wrong."""
    # classes of a script are seldom, and an unpickler of its own costs a microsecond
    if classes and any(mark in payload for mark in _MARKS):
        return classes.loads(payload)
    return pickle.loads(payload)


def as_code(payload: bytes | None, classes: ScriptClasses) -> bytes | None:
    """A payload that can be read where the script's classes are not known."""
    if payload is None or not (classes and _MARKS[0] in payload):
        return payload
    return dumps(classes.loads(payload))


def round_trip(value: object) -> Any:
    """A copy of a value, as it is read back; raises as `dumps` and `loads` do."""
    return pickle.loads(dumps(value))


def _dumps(kind: Any, value: object, classes: ScriptClasses | None) -> bytes:
    file = BytesIO()
    kind(file, classes).dump(value)
    return file.getvalue()


def _read_back(classes: ScriptClasses | None, form: Form) -> BaseException:
    if is_plain_form(form) and is_importable(form[0]):
        return make_error(form)
    kept: list[BaseException] = []
    file = BytesIO()
    _OneError(file, classes, kept).dump(form)
    file.seek(0)
    return make_error(_OneErrorUnpickler(file, classes, kept).load())
