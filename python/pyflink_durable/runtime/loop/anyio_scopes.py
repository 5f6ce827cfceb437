"""anyio's cancel scopes on the handlers' loop: cancelled in the order in which they were entered.

anyio keeps the scopes inside of another one in a set, and each task of a group has its own. A set
of objects has the order of their addresses, which is another one in each run: tasks that a group
cancels would make the calls of their ``finally`` blocks in another order than before the failure.
"""

from __future__ import annotations

import importlib
import sys
from asyncio import events
from typing import Any

_ORDERED = "_pyflink_durable_ordered"


class InOrder(dict[Any, None]):
    """As much of a set as anyio uses, in the order in which the members came."""

    def add(self, member: Any) -> None:
        self[member] = None

    def remove(self, member: Any) -> None:
        del self[member]

    def discard(self, member: Any) -> None:
        self.pop(member, None)


def order_cancel_scopes(loop_class: type) -> None:
    """Has scopes that are made on loops of a class keep their order; others are left alone.

    Nothing is done if nobody has imported anyio.
    """
    if "anyio" not in sys.modules:
        return
    scope_class = importlib.import_module("anyio._backends._asyncio").CancelScope
    if _ORDERED in vars(scope_class):
        return
    make = scope_class.__init__

    def make_ordered(self: Any, *args: Any, **options: Any) -> None:
        make(self, *args, **options)
        inside = getattr(self, "_child_scopes", None)
        if isinstance(inside, set) and isinstance(events._get_running_loop(), loop_class):
            self._child_scopes = InOrder()

    scope_class.__init__ = make_ordered
    setattr(scope_class, _ORDERED, True)
