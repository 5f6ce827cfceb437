"""What a handler has made and not awaited: it never happens, and nobody else would say so.

Python warns of a coroutine that is never awaited when its memory is freed, on the error output of a
TaskManager. The handler would succeed, and nothing be charged.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from pyflink_durable.errors import CallNotAwaited
from pyflink_durable.runtime.journal.call_site import CallSite, call_site

T = TypeVar("T")


class ToBeAwaited(Protocol):
    """A call, or what stands for several."""

    @property
    def name(self) -> str:
        """How it is told."""

    @property
    def site(self) -> CallSite | None:
        """Where in the handler's code it was made."""

    @property
    def given_up(self) -> bool:
        """Whether nobody wants it any more."""

    def drop(self) -> None:
        """Lets go of it: the handler has ended."""


Unmade = dict[int, ToBeAwaited]
"""What has not begun, by the object's id."""


class _Noted:
    """A coroutine of the context's."""

    __slots__ = ("coroutine", "name", "site")

    coroutine: Coroutine[Any, Any, Any]

    def __init__(self, name: str, site: CallSite | None) -> None:
        self.name = name
        self.site = site

    @property
    def given_up(self) -> bool:
        """A task that is cancelled before its first step closes its coroutine."""
        return inspect.getcoroutinestate(self.coroutine) != inspect.CORO_CREATED

    def drop(self) -> None:
        """Now, and not when the garbage collector comes by, of which Python would warn again."""
        if not self.given_up:
            self.coroutine.close()


def to_be_awaited(
    unmade: Unmade, name: str, make: Callable[[], Coroutine[Any, Any, T]]
) -> Coroutine[Any, Any, T]:
    """Notes a coroutine as unmade until it begins; for the context, three frames below the handler.

    Args:
        unmade: Where.
        name: How it is told.
        make: Makes it.
    """
    noted = _Noted(name, call_site())
    unmade[id(noted)] = noted
    noted.coroutine = coroutine = _begin(unmade, id(noted), make)
    return coroutine


async def _begin(unmade: Unmade, noted: int, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
    unmade.pop(noted, None)
    return await make()


def not_awaited(unmade: Unmade) -> CallNotAwaited | None:
    """Why a handler that ends here has failed; None if it has awaited everything."""
    if not unmade:  # as nearly always
        return None
    left = [f"{one.name} of {one.site}" for one in unmade.values() if not one.given_up]
    return CallNotAwaited(tuple(left)) if left else None


def forget(unmade: Unmade) -> None:
    """Drops what the handler has left."""
    for one in unmade.values():
        one.drop()
    unmade.clear()
