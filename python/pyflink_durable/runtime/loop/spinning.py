"""Handlers that go round without waiting for anything: they must not hold the task for ever.

``while not task.done(): await asyncio.sleep(0)`` waits for nothing: the loop never comes to rest,
takes in no outcome that would end it, and no checkpoint comes. A handler that computes for long
with many tasks and queues looks the same for a while. So the step ends now and then, with nothing
given to any handler meanwhile, and a handler that goes on like that for seconds is put aside: it
goes round a few times now and then, and whenever something is given to it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from pyflink_durable.runtime.loop.invocation_tasks import InvocationTasks, invocation_tasks

ROUNDS = 10_000
"""After so many rounds through the ready callbacks without rest the step ends for a while."""

LOOK_SECONDS = 0.05
"""How often a handler that was put aside goes round, to see what no journal tells."""

ROUNDS_OF_A_LOOK = 100

SPIN_SECONDS = 2.0
"""How long a handler may go round before it is put aside."""

_Ready = deque[asyncio.Handle]


class Spinners:
    """The handlers of one loop that go round, and their callbacks, which wait aside.

    Args:
        on_spinning: Told of an invocation that is put aside for the first time, with its callback.
        look_at: Has `look` called at a time of the monotonic clock.

    Attributes:
        active: Whether there is anything to do here; most loops never have.
        rounds: So many rounds through the ready callbacks are allowed.
    """

    def __init__(
        self,
        on_spinning: Callable[[asyncio.Handle, InvocationTasks], None],
        look_at: Callable[[float], None],
    ) -> None:
        self._on_spinning = on_spinning
        self._look_at = look_at
        self._look_planned = False
        self._busy_since: float | None = None
        self._aside: list[asyncio.Handle] = []
        self.active = False
        self.rounds = ROUNDS

    def came_to_rest(self) -> None:
        """No callback is ready."""
        self._busy_since = None
        self.rounds = ROUNDS
        self.active = bool(self._aside)

    def put_aside(self, ready: _Ready) -> bool:
        """Puts aside what goes round for too long, after that many rounds.

        Returns:
            False if it is given more time.
        """
        self.active = True
        self.rounds = ROUNDS
        owners = [_owner_of(handle) for handle in ready]
        new = {id(owner): at for at, owner in enumerate(owners) if owner and not owner.spins}
        if new:
            now = time.monotonic()
            if self._busy_since is None:
                self._busy_since = now
            if now < self._busy_since + SPIN_SECONDS:
                return False
        for at in new.values():
            owner = owners[at]
            assert owner is not None
            owner.spins = True
            self._on_spinning(ready[at], owner)
        self._aside += ready
        ready.clear()
        if not self._look_planned:
            self._look_planned = True
            self._look_at(time.monotonic() + LOOK_SECONDS)
        return True

    def rejoin(self, ready: _Ready) -> None:
        """Has those go on to whose handlers something was given."""
        given = {id(_owner_of(handle)) for handle in ready}
        joining = [handle for handle in self._aside if id(_owner_of(handle)) in given]
        if joining:
            self._aside = [handle for handle in self._aside if handle not in joining]
            ready += joining

    def look(self, ready: _Ready) -> None:
        """Has all of them go round a few times."""
        self._look_planned = False
        self.active = True
        self.rounds = ROUNDS_OF_A_LOOK
        ready += self._aside
        self._aside.clear()

    def close(self) -> None:
        """Forgets them."""
        self._aside.clear()


def _owner_of(handle: asyncio.Handle) -> InvocationTasks | None:
    """The invocation whose callback this is."""
    return handle._context.get(invocation_tasks)  # type: ignore[attr-defined,no-any-return]
