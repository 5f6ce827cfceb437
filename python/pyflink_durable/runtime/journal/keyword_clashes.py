"""Says once of each function that an option of a call is the name of a parameter of its, too."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from pyflink_durable.checks.keywords import options_that_are_parameters
from pyflink_durable.identity.digest import compute_function_id

_NONE: frozenset[str] = frozenset()


class KeywordClashes:
    """``durable_execute(httpx.get, url, timeout=5)`` sets the call's timeout, not that of `get`.

    Args:
        warn: Gets one line for each function.
    """

    def __init__(self, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._of: dict[Any, tuple[Any, frozenset[str]]] = {}

    def look(self, func: Callable[..., Any], **options: Any) -> None:
        """Looks at a call; the options that it does not set are None."""
        shared, bound = _shared_of(func)
        key = id(shared), bound  # to hash code is to read all of it
        _, taken = self._of.get(key, (None, None))
        if taken is None:
            taken = options_that_are_parameters(func)
            self._of[key] = shared, taken
        if not taken:
            return
        names = [name for name, value in options.items() if value is not None and name in taken]
        if names:
            self._of[key] = shared, _NONE
            self._tell(func, names)

    def _tell(self, func: Callable[..., Any], names: list[str]) -> None:
        options = ", ".join(f"{name}=" for name in names)
        self._warn(
            f"function={compute_function_id(func)} options={options} is taken by the durable call; "
            "the function, which takes such an argument, too, does not get it. Bind it if it was "
            f"meant for the function: functools.partial(func, {names[0]}=...)"
        )


def _shared_of(func: Any) -> tuple[Any, tuple[str, ...]]:
    """What all objects of one function share, and which keywords are bound to it."""
    bound: tuple[str, ...] = ()
    while isinstance(func, partial):
        bound += tuple(func.keywords)
        func = func.func
    return getattr(func, "__code__", None) or type(func), bound
