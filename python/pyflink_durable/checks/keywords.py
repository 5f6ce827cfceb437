"""Keyword arguments of a durable call: those that are its options, and those of its function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import lru_cache, partial
from types import FunctionType
from typing import Any

from pyflink_durable.identity.digest import compute_function_id

OPTIONS = (
    "reconciler",
    "durable_id",
    "durability",
    "in_doubt",
    "retry",
    "timeout",
    "result_type",
)

_NEAR = 0.8
"""How much of two names is the same, as `difflib` counts; 1 is all."""


def check_keywords(func: Callable[..., Any], keywords: Mapping[str, Any]) -> None:
    """Refuses what is meant as an option and would go to the function, into its ``**kwargs``.

    Args:
        func: The function.
        keywords: Those that it is to get.

    Raises:
        TypeError: One is nearly the name of an option, and of no parameter of the function.
    """
    for name in keywords:
        option = _option_near(name)
        if option is not None and not has_parameter(func, name):
            raise TypeError(
                f"a durable call has no option {name!r}; did you mean {option}=...? If it is for "
                f"{compute_function_id(func)}, bind it: functools.partial(func, {name}=...)"
            )


def options_that_are_parameters(func: Callable[..., Any]) -> frozenset[str]:
    """The options whose names the function takes, too, and would get if it were called plainly.

    A function with ``**kwargs`` takes those that other libraries have as well.
    """
    parameters = _parameters_of(func)
    taken = {name for name in OPTIONS if name in parameters}
    if takes_any_keyword(func):
        taken |= {"retry", "timeout", "durability"}
    while isinstance(func, partial):  # what is bound is known to be the function's
        taken -= func.keywords.keys()
        func = func.func
    return frozenset(taken)


def takes_any_keyword(func: Callable[..., Any]) -> bool:
    """Whether a function has ``**kwargs``."""
    kinds = [parameter.kind for parameter in _parameters_of(func).values()]
    return inspect.Parameter.VAR_KEYWORD in kinds


@lru_cache(maxsize=1024)
def _option_near(name: str) -> str | None:
    return next(iter(get_close_matches(name, OPTIONS, 1, _NEAR)), None)


def has_parameter(func: Callable[..., Any], name: str) -> bool:
    """Whether a function has a parameter of this very name."""
    if type(func) is FunctionType:
        code = func.__code__
        if name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
            return True
    return name in _parameters_of(func)


def _parameters_of(func: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(func).parameters
    except (TypeError, ValueError):  # a builtin that tells none
        return {}
