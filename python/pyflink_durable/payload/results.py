"""Results and exceptions of calls as bytes, and back.

What a call gives to the handler goes through its payload in the first run, too: a replay has the
payload only, and where the two differed the handler would take another path.
"""

from __future__ import annotations

import pickle
from typing import Any

from pyflink_durable.errors import PayloadNotLoadable, ResultNotSerializable
from pyflink_durable.payload.journaled_errors import bare_error, type_name
from pyflink_durable.payload.picklers import PROTOCOL, dumps, loads
from pyflink_durable.payload.plain_values import PLAIN_TYPES, are_leaves, is_plain
from pyflink_durable.payload.script_classes import ScriptClasses


class NotSerializable(Exception):
    """A value cannot be written and read back; the message completes "it ..."."""


def pass_value(value: Any, classes: ScriptClasses | None = None) -> tuple[Any, bytes]:
    """Serializes a value, and gives it as it will be read back.

    Args:
        value: The value.
        classes: Those of the job's script; None where the job is not submitted again.

    Raises:
        NotSerializable: Neither pickle nor cloudpickle can write it, or what they write cannot be
            read back.
    """
    if is_plain(value):
        return value, pickle.dumps(value, PROTOCOL)
    try:
        payload = _dump(value, classes)
    except Exception as error:
        raise NotSerializable(f"cannot be pickled ({type(error).__name__}: {error})") from error
    try:
        loaded = loads(payload, classes)
    except Exception as error:
        problem = f"cannot be read back once it is pickled ({type(error).__name__}: {error})"
        raise NotSerializable(problem) from error
    if type(loaded) is not type(value) and not isinstance(value, BaseException):
        raise NotSerializable(f"is read back as {type_name(loaded)} once it is pickled")
    return loaded, payload


def pass_result(value: Any, classes: ScriptClasses | None = None) -> tuple[Any, bytes]:
    """Serializes the result of a call, and gives it as a replay will.

    Args:
        value: What the call returned.
        classes: See `pass_value`.

    Returns:
        What the handler gets, and the payload for the journal.

    Raises:
        ResultNotSerializable: Neither pickle nor cloudpickle can write the value, or what they
            write cannot be read back.
    """
    if type(value) in PLAIN_TYPES:  # the fast path
        return value, pickle.dumps(value, PROTOCOL)
    try:
        return pass_value(value, classes)
    except NotSerializable as error:
        raise ResultNotSerializable(
            f"a durable call returned a value of type {type_name(value)}: it {error}. The call has "
            "run and is journaled as failed. Return plain data, not connections, locks, generators "
            "or files."
        ) from error.__cause__


def dump_result(value: object) -> bytes:
    """Serializes a value; see `pass_result`."""
    return pass_result(value)[1]


def _dump(value: Any, classes: ScriptClasses | None) -> bytes:
    kind = type(value)
    leaves = value if kind is list else value.values() if kind is dict else (value,)
    # most results; a pickler of its own costs a microsecond
    if are_leaves(leaves) and (kind is not dict or are_leaves(value)):
        return pickle.dumps(value, PROTOCOL)
    return dumps(value, classes)


def load_result(payload: bytes, classes: ScriptClasses | None = None) -> object:
    """Reads a result back from the journal.

    Args:
        payload: What `pass_result` returned, perhaps in an earlier attempt of the job.
        classes: Those of the job's script.

    Returns:
        The result.

    Raises:
        PayloadNotLoadable: The payload's classes are not there any more, or fail to load.
    """
    return _load(payload, "result", classes)


def pass_error(error: Exception, classes: ScriptClasses | None = None) -> tuple[Exception, bytes]:
    """Serializes the exception of a call, and gives it as a replay will.

    Args:
        error: What the call raised.
        classes: See `pass_value`.

    Returns:
        What the handler gets, a `RemoteError` if need be, and the payload for the journal.
    """
    payload = dumps(error, classes)
    return load_exception(payload, classes), payload


def load_exception(payload: bytes, classes: ScriptClasses | None = None) -> Exception:
    """Reads an exception back from the journal.

    Args:
        payload: What `pass_error` returned, perhaps in an earlier attempt of the job.
        classes: Those of the job's script.

    Returns:
        The exception to raise.

    Raises:
        PayloadNotLoadable: The payload's classes are not there any more, or it is no exception.
    """
    loaded = _load(payload, "exception", classes)
    if not isinstance(loaded, Exception):
        raise PayloadNotLoadable(
            f"the journaled exception of a call was read as {type_name(loaded)}, which is no "
            "exception: the journal was written by something else or is damaged"
        )
    return loaded


def _load(payload: bytes, what: str, classes: ScriptClasses | None) -> object:
    try:
        return loads(payload, classes)
    except Exception as error:
        raise PayloadNotLoadable(
            f"the journaled {what} of a call cannot be loaded ({type(error).__name__}: {error}). "
            "Deploy code in which its class can be imported under the name it had when the call "
            "ran, let the invocations in flight finish, and remove the class afterwards."
        ) from error


def _rebuild(kind: type[Exception], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    """An exception in a journal of release 0.1, which names this function."""
    error = bare_error(kind, args)
    vars(error).update(state)
    return error
