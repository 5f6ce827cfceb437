"""The JSON form in which a tool's result is journaled, emitted and shown to a model."""

from __future__ import annotations

from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json

from pyflink_durable.errors import ResultNotSerializable


def to_json_form(value: Any, origin: str) -> Any:
    """Turns a value into what JSON can carry; numbers that it cannot carry become null.

    Args:
        value: Plain data, or enums, dataclasses, pydantic models, dates and the like.
        origin: Where the value comes from, for the error.

    Raises:
        ResultNotSerializable: It has no JSON form.
    """
    try:
        return from_json(to_json(value, bytes_mode="base64", inf_nan_mode="null"))
    except (PydanticSerializationError, ValueError) as error:
        raise ResultNotSerializable(
            f"{origin} returned a {type(value).__name__} that has no JSON form: {error}. Return "
            "plain data, dataclasses or pydantic models"
        ) from error
