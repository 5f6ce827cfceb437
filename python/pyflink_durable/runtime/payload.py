"""Results and exceptions of calls as bytes, and back.

Plain pickle comes first because it is several times faster than cloudpickle and enough for nearly
every result; cloudpickle takes over for classes and functions that cannot be imported by name.
"""

from __future__ import annotations

import pickle
import traceback
from typing import Any

import cloudpickle

from pyflink_durable.errors import PayloadNotLoadable, RemoteError, ResultNotSerializable

_PROTOCOL = 5


def dump_result(value: object) -> bytes:
    """Serializes the result of a call.

    Args:
        value: What the call returned.

    Returns:
        The payload for the journal.

    Raises:
        ResultNotSerializable: Neither pickle nor cloudpickle can write the value.
    """
    try:
        return pickle.dumps(value, _PROTOCOL)
    except Exception:
        return _cloudpickle_result(value)


def load_result(payload: bytes) -> object:
    """Reads a result back from the journal.

    Args:
        payload: What `dump_result` returned, perhaps in an earlier attempt of the job.

    Returns:
        The result.

    Raises:
        PayloadNotLoadable: The payload's classes are not there any more, or fail to load.
    """
    return _load(payload, "result")


def dump_exception(exc: Exception) -> bytes:
    """Serializes the exception of a call; see `prepare_exception` for the one to raise with it.

    Args:
        exc: What the call raised.

    Returns:
        A payload that is known to load, if necessary as a `RemoteError`.
    """
    return prepare_exception(exc)[1]


def load_exception(payload: bytes) -> Exception:
    """Reads an exception back from the journal.

    Args:
        payload: What `dump_exception` returned, perhaps in an earlier attempt of the job.

    Returns:
        The exception to raise on replay.

    Raises:
        PayloadNotLoadable: The payload's classes are not there any more, or it is no exception.
    """
    loaded = _load(payload, "exception")
    if not isinstance(loaded, Exception):
        raise PayloadNotLoadable(
            f"the journaled exception of a call was read as {_type_name(loaded)}, which is no "
            "exception: the journal was written by something else or is damaged"
        )
    return loaded


def prepare_exception(exc: Exception) -> tuple[Exception, bytes]:
    """Serializes the exception of a call and names the one the first run has to raise.

    The first run and every replay must raise the same type, or a handler's ``except`` would take
    another path on replay.

    Args:
        exc: What the call raised.

    Returns:
        The exception to raise now (`exc`, or a `RemoteError` caused by it) and its payload.
    """
    payload = _dump_faithfully(exc)
    if payload is not None:
        return exc, payload
    remote = RemoteError(_type_name(exc), _text(exc), _traceback_text(exc))
    remote.__cause__ = exc
    return remote, pickle.dumps(remote, _PROTOCOL)


def _cloudpickle_result(value: object) -> bytes:
    try:
        dumped: bytes = cloudpickle.dumps(value, _PROTOCOL)
    except Exception as error:
        raise ResultNotSerializable(
            f"a durable call returned a value of type {_type_name(value)} that cannot be "
            f"serialized ({type(error).__name__}: {error}). The call has run and is journaled as "
            "failed. Return plain data, not connections, locks, generators or files."
        ) from error
    return dumped


def _load(payload: bytes, what: str) -> object:
    try:
        return pickle.loads(payload)
    except Exception as error:
        raise PayloadNotLoadable(
            f"the journaled {what} of a call cannot be loaded ({type(error).__name__}: {error}). "
            "Deploy code in which its class can be imported under the name it had when the call "
            "ran, let the invocations in flight finish, and remove the class afterwards."
        ) from error


def _dump_faithfully(exc: Exception) -> bytes | None:
    """Returns a payload that loads as the type of `exc`, or None.

    An exception whose ``__init__`` takes other arguments than it hands to ``super().__init__`` does
    not survive its own pickling: loading fails or, worse, yields a changed message. Those are
    written in a form that restores them as pickle restores any other object, without ``__init__``.
    """
    own = _dump_if_same_type(exc, exc)
    if own is not None and _has_same_args(pickle.loads(own), exc):
        return own
    rebuilt = _dump_if_same_type(_Rebuilt(exc), exc) if _is_rebuildable(exc) else None
    if rebuilt is not None and _has_same_args(pickle.loads(rebuilt), exc):
        return rebuilt
    return own


def _is_rebuildable(exc: Exception) -> bool:
    """Tells whether pickling is the default one, so that all there is to keep is known."""
    kind = type(exc)
    default = (BaseException.__reduce__, object.__reduce_ex__)
    return (kind.__reduce__, kind.__reduce_ex__) == default


def _dump_if_same_type(value: object, exc: Exception) -> bytes | None:
    for dumps in (pickle.dumps, cloudpickle.dumps):
        try:
            payload: bytes = dumps(value, _PROTOCOL)
            if type(pickle.loads(payload)) is type(exc):
                return payload
        except Exception:  # Any failure means: not this way.
            continue
    return None


def _has_same_args(loaded: Any, exc: Exception) -> bool:
    try:
        return bool(loaded.args == exc.args)
    except Exception:
        return False


class _Rebuilt:
    """Pickles as a call of `_rebuild`, in place of the exception it holds."""

    def __init__(self, exc: Exception) -> None:
        self._exc = exc

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self._exc), self._exc.args, dict(vars(self._exc)))


def _rebuild(kind: type[Exception], args: tuple[Any, ...], state: dict[str, Any]) -> Exception:
    exc = kind.__new__(kind, *args)
    exc.args = args
    vars(exc).update(state)
    return exc


def _type_name(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _text(exc: Exception) -> str:
    try:
        return str(exc)
    except Exception as error:
        return f"<str() of the exception failed: {type(error).__name__}>"


def _traceback_text(exc: Exception) -> str:
    try:
        return "".join(traceback.format_exception(exc))
    except Exception as error:
        return f"<the traceback could not be formatted: {type(error).__name__}>"
