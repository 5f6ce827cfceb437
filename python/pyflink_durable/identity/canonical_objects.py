"""Canonical text of objects that are known by their family; see `identity.canonical`."""

from __future__ import annotations

import copyreg
import dataclasses
import types
from collections.abc import Callable
from enum import Enum, Flag
from functools import partial
from hashlib import blake2b
from itertools import zip_longest
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from pyflink_durable.errors import ArgumentNotEncodable
from pyflink_durable.identity.canonical_leaves import SKIPPED, class_name

if TYPE_CHECKING:
    from pyflink_durable.identity.canonical import Encoder

_Writer = Callable[["Encoder", Any], str]

_BUILTINS = (str, bytes, bytearray, int, float, complex, tuple, list, dict, set, frozenset)
_CALLABLES = (
    type,
    types.FunctionType,
    types.MethodType,
    types.BuiltinFunctionType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
    types.MethodWrapperType,
    types.ClassMethodDescriptorType,
)
MISSING = object()
"""In place of an attribute that is not there."""


def object_writer_of(kind: type, of_models: _Writer) -> _Writer:
    """The writer of a type, by the family that it belongs to.

    Args:
        kind: The type.
        of_models: The writer of pydantic's models.
    """
    if issubclass(kind, Enum):
        return _enum
    if issubclass(kind, _CALLABLES):
        return _callable
    if issubclass(kind, partial):
        return _partial
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return _namedtuple
    if dataclasses.is_dataclass(kind) and not issubclass(kind, _BUILTINS):
        return _dataclass
    if hasattr(kind, "__pydantic_validator__") and hasattr(kind, "model_fields"):
        return of_models
    # By name: importing pyflink takes a second, which the tests of a handler need not pay.
    if kind.__module__ == "pyflink.common.types" and kind.__name__ == "Row":
        return _row
    return write_unknown


def _tagged(tag: str, value: object, text: str) -> str:
    return f"<{tag} {class_name(type(value))!a} {text}>"


def _enum(_: Encoder, value: Enum) -> str:
    # A combination of flags has no name before Python 3.11.
    return _tagged("enum", value, ascii(value.value if isinstance(value, Flag) else value.name))


def _callable(encoder: Encoder, value: Any) -> str:
    return f"<callable {encoder.name_callable(value, encoder.path)!a}>"


def _partial(encoder: Encoder, value: partial[Any]) -> str:
    return f"<partial {encoder.encode(value.func)} {encoder.call(value.args, value.keywords)}>"


def _namedtuple(encoder: Encoder, value: tuple[Any, ...]) -> str:
    return _tagged("namedtuple", value, encoder.join(value))


def _dataclass(encoder: Encoder, value: Any) -> str:
    names = [field.name for field in dataclasses.fields(value) if field.compare]
    return _tagged("dataclass", value, encoder.attributes(value, names))


def model_text(encoder: Encoder, value: Any) -> str:
    """Writes the fields of a pydantic model, and what it has beyond them."""
    fields = encoder.attributes(value, type(value).model_fields)
    extra = getattr(value, "__pydantic_extra__", None) or {}
    return f"{fields} {encoder.pairs(extra.items())}"


def write_model(encoder: Encoder, value: Any) -> str:
    """Writes a pydantic model with its private attributes, which count for its equality.

    Those of the instance of a method do not: counters and caches are private.
    """
    private = getattr(value, "__pydantic_private__", None)
    text = model_text(encoder, value)
    if private and encoder.fallback:
        text += " " + ", ".join(
            f"({name!a}, {_text_if_any(encoder, private[name])})" for name in sorted(private)
        )
    return _tagged("model", value, text)


def _text_if_any(encoder: Encoder, value: Any) -> str:
    try:
        return encoder.encode(value)
    except ArgumentNotEncodable:  # a client, a lock
        return SKIPPED


def writes_as_attrs(kind: type) -> bool:
    """Whether a type was made by the package attrs."""
    return hasattr(kind, "__attrs_attrs__") and not issubclass(kind, _BUILTINS)


def write_attrs(encoder: Encoder, value: Any) -> str:
    """Writes an object of the package attrs by the fields that count for its equality.

    Not that of a method: such an object is a client as often as a value.
    """
    if not encoder.fallback:
        return SKIPPED
    names = [field.name for field in value.__attrs_attrs__ if field.eq]
    return _tagged("attrs", value, encoder.attributes(value, names))


def _row(encoder: Encoder, value: Any) -> str:
    names = vars(value).get("_fields")
    kind = encoder.encode(value.get_row_kind())
    if names is None:
        return f"<row {kind} {encoder.join(value)}>"
    # The order of a row's named fields does not count for its equality.
    return f"<row {kind} {len(value)} {encoder.pairs(zip_longest(names, value))}>"


def write_zone(encoder: Encoder, value: ZoneInfo) -> str:
    """Writes a time zone by its name."""
    return f"<zone {value.key!a}>" if value.key else write_unknown(encoder, value)


def write_unknown(encoder: Encoder, value: Any) -> str:
    """Writes an object by what pickle would store of it, each part in canonical form.

    Pickling it as a whole would not do: pickle writes an object it has met before as a reference,
    so equal values would differ by which of their parts are the same object.
    """
    if not encoder.fallback:
        return SKIPPED
    if isinstance(value, (set, frozenset)):  # These reduce to a list, in the order of the set.
        state = encoder.encode(getattr(value, "__dict__", None))
        return _tagged("subset", value, f"{encoder.sorted(value)} {state}")
    try:
        reduced = _reduce(value)
    except Exception:
        return _cloudpickled(value)
    if isinstance(reduced, str):
        return f"<global {getattr(value, '__module__', None)!a} {reduced!a}>"
    make, args, state, items, pairs = (*reduced, None, None, None)[:5]
    body = encoder.join([make, args, state, list(items or ())])
    return f"<object {body} {encoder.pairs(pairs or ())}>"


def _reduce(value: Any) -> Any:
    registered = copyreg.dispatch_table.get(type(value))
    # Protocol 5 would hand out buffers, to be pickled out of band.
    return registered(value) if registered else value.__reduce_ex__(4)


def _cloudpickled(value: object) -> str:
    import cloudpickle  # Seldom needed, and slow.

    try:
        dumped = cloudpickle.dumps(value, 4)
    except Exception as error:
        raise ArgumentNotEncodable(
            f"an argument of a durable call is or holds a {class_name(type(value))}, which cannot "
            f"be pickled ({type(error).__name__}: {error}); pass plain data, and create such an "
            "object inside the function"
        ) from error
    return f"<pickle {blake2b(dumped, digest_size=16).hexdigest()}>"
