"""The declared types of the results of calls, and of what handlers take."""

from __future__ import annotations

import collections.abc
import inspect
from functools import partial
from types import FunctionType, MethodType
from typing import Any, NoReturn, TypeVar, get_args, get_origin, get_type_hints
from weakref import WeakKeyDictionary

from pyflink_durable.errors import ConfigurationError
from pyflink_durable.identity.digest import compute_function_id

_AWAITABLE = (collections.abc.Awaitable, collections.abc.Coroutine)
_NO_TYPES = (Any, object, NoReturn, inspect.Signature.empty)


class ResultTypes:
    """Finds and keeps the types that functions return, as they are annotated."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()

    def declared_by(self, func: Any) -> Any:
        """The type of a function's result, None if it declares none.

        Raises:
            ConfigurationError: The annotation names something that is not there.
        """
        while isinstance(func, partial):
            func = func.func
        if isinstance(func, type):
            return func
        if isinstance(func, MethodType):
            func = func.__func__
        elif not isinstance(func, FunctionType):
            func = getattr(type(func), "__call__", func)  # noqa: B004 - the method itself
        try:
            if func not in self._known:
                self._known[func] = _declared(func)
            return self._known[func]
        except TypeError:  # one that is not to be referred to weakly
            return _declared(func)


def declared_value(handler: Any) -> Any:
    """The type of the value that a handler takes; None if it declares none, or nobody can tell."""
    try:
        first = next(iter(inspect.signature(handler).parameters))
        func = inspect.unwrap(handler.func if isinstance(handler, partial) else handler)
        if not isinstance(func, (FunctionType, MethodType)):
            func = type(func).__call__
        found = get_type_hints(func, include_extras=True).get(first)
    except Exception:  # it names what is there for type checkers alone
        return None
    return None if found in _NO_TYPES or isinstance(found, TypeVar) else found


def _declared(func: Any) -> Any:
    func = inspect.unwrap(func)
    annotations = getattr(func, "__annotations__", None) or {}
    if "return" not in annotations:
        return None
    try:
        found = get_type_hints(func, include_extras=True)["return"]
    except Exception as error:
        raise ConfigurationError(
            f"the return annotation of {compute_function_id(func)} cannot be resolved "
            f"({type(error).__name__}: {error}), and the journal is written by it: import what it "
            "names outside of `if TYPE_CHECKING`, or give the call result_type=..."
        ) from error
    if get_origin(found) in _AWAITABLE:  # an ordinary function that gives a coroutine
        found = get_args(found)[-1]
    return None if found in _NO_TYPES or isinstance(found, TypeVar) else found
