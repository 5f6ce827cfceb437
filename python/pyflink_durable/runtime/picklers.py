"""Picklers that keep of a value what plain pickle would lose.

The C picklers ask `reducer_override` for all but plain data, so plain data costs nothing.
"""

from __future__ import annotations

import pickle
from io import BytesIO
from typing import Any

import cloudpickle

from pyflink_durable.runtime.journaled_errors import Form, make_error, reduce_error

PROTOCOL = 5


class _ByName(pickle.Pickler):
    """Writes classes and functions as names, which is several times faster than as code."""

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, BaseException):
            return reduce_error(value, _read_back, chain=True)
        return NotImplemented


class _AsCode(cloudpickle.Pickler):  # type: ignore[misc]
    """Writes classes and functions that cannot be imported by name as code."""

    chain = True

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, BaseException):
            return reduce_error(value, _read_back, self.chain)
        return super().reducer_override(value)


class _Unchained(_AsCode):
    """Leaves out what led to an exception, which can be longer than pickle may nest."""

    chain = False


class _OneError(_AsCode):
    """Writes the form of one exception; the others in it are kept beside."""

    def __init__(self, file: BytesIO, kept: list[BaseException]) -> None:
        super().__init__(file, PROTOCOL)
        self._kept = kept

    def persistent_id(self, value: Any) -> int | None:
        if not isinstance(value, BaseException):
            return None
        self._kept.append(value)
        return len(self._kept) - 1


class _OneErrorUnpickler(pickle.Unpickler):
    def __init__(self, file: BytesIO, kept: list[BaseException]) -> None:
        super().__init__(file)
        self._kept = kept

    def persistent_load(self, place: int) -> BaseException:
        return self._kept[place]


def dumps(value: object) -> bytes:
    """Writes a value; `pickle.loads` reads it.

    Raises:
        Exception: Whatever has gone wrong.
    """
    for kind in (_ByName, _AsCode):
        try:
            return _dumps(kind, value)
        except Exception:  # any failure means: not this way
            continue
    return _dumps(_Unchained, value)


def round_trip(value: object) -> Any:
    """A copy of a value, as it is read back; raises as `dumps` and `pickle.loads` do."""
    return pickle.loads(dumps(value))


def _dumps(kind: Any, value: object) -> bytes:
    file = BytesIO()
    kind(file, PROTOCOL).dump(value)
    return file.getvalue()


def _read_back(form: Form) -> BaseException:
    kept: list[BaseException] = []
    file = BytesIO()
    _OneError(file, kept).dump(form)
    file.seek(0)
    return make_error(_OneErrorUnpickler(file, kept).load())
