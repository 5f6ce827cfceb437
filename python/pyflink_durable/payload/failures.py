"""What is told of a value that does not cross the journal."""

from __future__ import annotations

from typing import Any

from pyflink_durable.errors import PayloadNotLoadable, ResultNotSerializable
from pyflink_durable.payload.journaled_errors import type_name
from pyflink_durable.payload.results import NotSerializable


def not_serializable(
    call: str, value: Any, error: NotSerializable, typed: bool
) -> ResultNotSerializable:
    """A result that cannot be written and read back.

    Args:
        call: The name of the call.
        value: What it returned.
        error: What is wrong with it.
        typed: Whether the serializer goes by declared types.
    """
    remedy = "Return plain data, not connections, locks, generators or files"
    if typed:
        remedy = (
            "Annotate what the function returns, or give the call result_type=...: a "
            "pydantic model, a dataclass, a TypedDict, list[...], ..."
        )
    return ResultNotSerializable(
        f"{call}: a durable call returned a value of type {type_name(value)}: it {error}. The call "
        f"has run and is journaled as failed. {remedy}."
    )


def not_loadable(what: str, error: Exception) -> PayloadNotLoadable:
    """A payload that is not read as a value."""
    return PayloadNotLoadable(
        f"the journaled {what} of a call cannot be loaded ({type(error).__name__}: {error}). "
        "Deploy code in which its class can be imported under the name it had, and its function "
        "declares the type that it declared when the call ran, let the invocations in flight "
        "finish, and change it afterwards."
    )


def checked(loaded: Any) -> Exception:
    """What was read of a journaled exception.

    Raises:
        PayloadNotLoadable: It is none.
    """
    if isinstance(loaded, Exception):
        return loaded
    raise PayloadNotLoadable(
        f"the journaled exception of a call was read as {type_name(loaded)}, which is no "
        "exception: the journal was written by something else or is damaged"
    )
