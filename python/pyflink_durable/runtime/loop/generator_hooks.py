"""What Python calls for asynchronous generators on the thread of the handlers' loop."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from threading import get_ident
from typing import Any

from pyflink_durable.runtime.loop.async_generators import Generator, InvocationGenerators
from pyflink_durable.runtime.loop.invocation_tasks import invocation_tasks
from pyflink_durable.runtime.loop.own_thread import KeepsToItsThread


class GeneratorHooks:
    """What Python calls for the asynchronous generators of a loop.

    Args:
        loop: The loop; it runs on one thread at a time.
        runs_here: Whether it runs the code that asks.
    """

    def __init__(self, loop: KeepsToItsThread, runs_here: Callable[[], bool]) -> None:
        self._loop = loop
        self._runs_here = runs_here
        self._owners: dict[int, InvocationGenerators] = {}
        self._stop_watching: weakref.finalize[Any, Any] | None = None
        self.collecting: int | None = None

    def begin(self, generator: Generator) -> None:
        """One is iterated for the first time."""
        tasks = invocation_tasks.get()
        if tasks is None:
            return
        if tasks.generators is None:
            tasks.generators = InvocationGenerators(self._owners)
            if self._stop_watching is None:
                self._stop_watching = _watch_collections(self)
        tasks.generators.begin(generator)

    def leave(self, generator: Generator) -> None:
        """One has been left before its end and has no references; called on any thread."""
        owner = self._owners.get(id(generator))
        if owner is None:  # of no invocation
            self._loop.hand_over(self._close, generator)
        elif self._lets_go(owner):
            owner.close_now(generator, self._loop)
        else:
            owner.keep(generator)

    def _lets_go(self, owner: InvocationGenerators) -> bool:
        """Whether it is the handler's code that has let go: then it does so in each run."""
        tasks = invocation_tasks.get()
        return (
            tasks is not None
            and tasks.generators is owner
            and self._runs_here()
            and self.collecting != get_ident()
        )

    def _close(self, generator: Generator) -> None:
        self._loop.create_task(generator.aclose())

    def close(self) -> None:
        """Forgets them all."""
        self._owners.clear()
        if self._stop_watching is not None:
            self._stop_watching()


def _watch_collections(hooks: GeneratorHooks) -> weakref.finalize[Any, Any]:
    """Has the hooks know on which thread the garbage collector runs; calling the result ends it."""
    known = weakref.ref(hooks)

    def on_collection(phase: str, info: Any) -> None:
        hooks = known()
        if hooks is not None:
            hooks.collecting = get_ident() if phase == "start" else None

    gc.callbacks.append(on_collection)
    return weakref.finalize(hooks, gc.callbacks.remove, on_collection)
