"""Copies of values that cross between a handler and the outside: nobody changes the other's.

A replay does not run the functions of calls that have ended. What such a function did to an object
of the handler's would be missing then, and the next call would be another one.
"""

from __future__ import annotations

import copyreg
import datetime as dt
import re
import types
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import partial
from pathlib import PurePath
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from pyflink_durable.errors import ArgumentNotEncodable
from pyflink_durable.payload.picklers import round_trip
from pyflink_durable.payload.plain_values import PLAIN_TYPES, are_leaves, is_plain

_Copy = Callable[["_Copier", Any], Any]

_SHARED = (Enum, type, PurePath, types.ModuleType, re.Pattern)
"""Families whose members are the same everywhere."""

_SHARED_TYPES = PLAIN_TYPES | {
    complex,
    range,
    type(...),
    type(NotImplemented),
    dt.date,
    dt.datetime,
    dt.time,
    dt.timedelta,
    dt.timezone,
    ZoneInfo,
    Decimal,
    Fraction,
    UUID,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,  # with its instance, which is the user's own: a client, a gateway
}


def copy_of(value: Any) -> Any:
    """Copies a value so that the copy is equal to it; what is immutable is not copied.

    What is one object within the value is one object within the copy. What cannot be copied (a
    client, a lock) is left as it is: where it counted for the identity of a call, the call would
    have been refused.

    Raises:
        ArgumentNotEncodable: It is nested too deep.
    """
    if is_plain(value):
        return value
    try:
        return _Copier().copy(value)
    except RecursionError:
        raise _too_deep() from None


def copy_of_call(
    func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """Copies what a function is called with; also what a `functools.partial` is made of."""
    is_partial = type(func) is partial
    if are_leaves(args) and not kwargs and not is_partial:
        return func, args, kwargs
    copier = _Copier()
    try:
        # any other function is the user's own, as is the instance of a method
        func = copier.copy(func) if is_partial else func
        return func, _tuple(copier, args), _dict(copier, kwargs) if kwargs else kwargs
    except RecursionError:
        raise _too_deep() from None


def _too_deep() -> ArgumentNotEncodable:
    return ArgumentNotEncodable("a value is nested too deep; pass flatter data")


_PICKLE_METHODS: tuple[str, ...] = ("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__")
_PICKLE_METHODS += ("__getnewargs__", "__getnewargs_ex__")

# Keyed weakly by types: no job's data, and gone with the job's code.
_copies: WeakKeyDictionary[type, _Copy] = WeakKeyDictionary()


class _Copier:
    """Makes one copy.

    Attributes:
        made: The copies made so far by the id of what they are copies of; also `copy.deepcopy`'s
            memo, for types that have their own ``__deepcopy__``.
        kept: What would be gone otherwise, and its id another's, while the copy is made.
    """

    __slots__ = ("kept", "made")

    def __init__(self) -> None:
        self.made: dict[int, Any] = {}
        self.kept: list[Any] = []

    def copy(self, value: Any) -> Any:
        kind = type(value)
        if kind in _SHARED_TYPES:
            return value
        place = id(value)
        if place in self.made:
            return self.made[place]
        copied = (_CONTAINERS.get(kind) or _copies.get(kind) or _copy_for(value))(self, value)
        self.made[place] = copied
        return copied


def _copy_for(value: Any) -> _Copy:
    copy = _copies[type(value)] = _choose_for(type(value), value)
    return copy


def _choose_for(kind: type, value: Any) -> _Copy:
    if issubclass(kind, _SHARED):
        return _share
    if issubclass(kind, BaseException):
        return _through_pickle
    if hasattr(kind, "__deepcopy__") and kind.__deepcopy__ is not BaseModel.__deepcopy__:
        return _by_itself
    if issubclass(kind, BaseModel):
        return _model
    # PyFlink's rows are made of attributes, and have pickle make them by a function for old Pythons
    is_row = kind.__module__ == "pyflink.common.types" and kind.__name__ == "Row"
    return _attributes if is_row or _is_made_of_attributes(kind, value) else _object


def _is_made_of_attributes(kind: Any, value: Any) -> bool:
    """Whether pickle writes the ``__dict__`` of such an object and nothing else of it."""
    if kind in copyreg.dispatch_table or any(
        getattr(kind, name, None) is not getattr(object, name, None) for name in _PICKLE_METHODS
    ):
        return False
    if any(vars(base).get("__slots__") for base in kind.__mro__) or not hasattr(value, "__dict__"):
        return False
    try:
        make, args, _, *items = value.__reduce_ex__(4)
    except TypeError:  # it holds what only C code can reach: a file, a lock
        return False
    made_empty = (make, args) == (copyreg.__newobj__, (kind,))  # type: ignore[attr-defined]
    return made_empty and not any(part is not None for part in items)


def _share(copier: _Copier, value: Any) -> Any:
    return value


def _through_pickle(copier: _Copier, value: Any) -> Any:
    try:
        return round_trip(value)
    except Exception:
        return value


def _by_itself(copier: _Copier, value: Any) -> Any:
    try:
        return value.__deepcopy__(copier.made)
    except Exception:
        return value


def _dict(copier: _Copier, value: dict[Any, Any]) -> dict[Any, Any]:
    if are_leaves(value.values()) and are_leaves(value):
        return value.copy()
    copied = copier.made[id(value)] = {}
    copy = copier.copy
    for key, item in value.items():
        copied[copy(key)] = copy(item)
    return copied


def _list(copier: _Copier, value: list[Any]) -> list[Any]:
    if are_leaves(value):
        return value.copy()
    copied = copier.made[id(value)] = []
    copied.extend(map(copier.copy, value))
    return copied


def _tuple(copier: _Copier, value: tuple[Any, ...]) -> tuple[Any, ...]:
    return value if are_leaves(value) else tuple(map(copier.copy, value))


def _set(copier: _Copier, value: set[Any]) -> set[Any]:
    return set(map(copier.copy, value))


def _frozenset(copier: _Copier, value: frozenset[Any]) -> frozenset[Any]:
    return value if are_leaves(value) else frozenset(map(copier.copy, value))


def _mapping_proxy(copier: _Copier, value: types.MappingProxyType[Any, Any]) -> Any:
    items = dict(value)
    copier.kept.append(items)
    return types.MappingProxyType(copier.copy(items))


def _partial(copier: _Copier, value: partial[Any]) -> partial[Any]:
    copy = copier.copy
    return partial(copy(value.func), *copy(value.args), **copy(value.keywords))


def _model(copier: _Copier, value: BaseModel) -> BaseModel:
    """As pydantic does, but for private attributes that cannot be copied: a client, for example."""
    copied = copier.made[id(value)] = type(value).__new__(type(value))
    for name in ("__dict__", "__pydantic_extra__", "__pydantic_private__"):
        object.__setattr__(copied, name, copier.copy(getattr(value, name, None)))
    fields_set = set(value.__pydantic_fields_set__)
    object.__setattr__(copied, "__pydantic_fields_set__", fields_set)
    return copied


def _attributes(copier: _Copier, value: Any) -> Any:
    kind: Any = type(value)
    copied = copier.made[id(value)] = kind.__new__(kind)
    vars(copied).update(_dict(copier, vars(value)))
    return copied


def _object(copier: _Copier, value: Any) -> Any:
    """Any other object, as pickle takes it apart and puts it together."""
    try:
        reduce = copyreg.dispatch_table.get(type(value))
        reduced = reduce(value) if reduce else value.__reduce_ex__(4)
    except Exception:  # pickle cannot; cloudpickle may
        return _through_pickle(copier, value)
    if isinstance(reduced, str):  # the name of a global, of which there is one
        return value
    copier.kept.append(reduced)
    try:
        return _put_together(copier, value, *reduced)
    except RecursionError:
        raise
    except Exception:  # its class makes no second one, or takes no state
        return value


def _put_together(
    copier: _Copier,
    value: Any,
    make: Callable[..., Any],
    args: tuple[Any, ...],
    state: Any = None,
    items: Any = None,
    pairs: Any = None,
    set_state: Callable[[Any, Any], Any] | None = None,
) -> Any:
    copy = copier.copy
    copied = copier.made[id(value)] = make(*map(copy, args))
    if state is not None:
        state = copy(state)
        if set_state is not None:
            set_state(copied, state)
        elif hasattr(copied, "__setstate__"):
            copied.__setstate__(state)
        else:
            attributes, slots = state if isinstance(state, tuple) else (state, None)
            if attributes:
                vars(copied).update(attributes)
            for name, item in (slots or {}).items():
                setattr(copied, name, item)
    for item in items or ():
        copied.append(copy(item))
    for key, item in pairs or ():
        copied[copy(key)] = copy(item)
    return copied


_CONTAINERS: dict[type, _Copy] = {
    dict: _dict,
    list: _list,
    tuple: _tuple,
    set: _set,
    frozenset: _frozenset,
    bytearray: lambda copier, value: bytearray(value),
    memoryview: lambda copier, value: memoryview(bytes(value)),
    types.MappingProxyType: _mapping_proxy,
    partial: _partial,
}
