"""CPython's `TestLoop`, whose time a generator moves, made of the handlers' loop."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from typing import Any

from driven_loop import DrivenLoop


class Clock:
    """Stands in for the module `time` in the runtime: virtual while a `VirtualLoop` runs."""

    def __init__(self) -> None:
        self.now: float | None = None

    def install(self) -> None:
        """Takes the place of `time` in every module of the runtime."""
        for name, module in list(sys.modules.items()):
            if name.startswith("pyflink_durable.runtime") and vars(module).get("time") is time:
                module.time = self  # type: ignore[attr-defined]

    def monotonic(self) -> float:
        return time.monotonic() if self.now is None else self.now

    def time(self) -> float:
        # a little ahead, so that rounding makes no timer late
        return time.time() if self.now is None else self.now + 1e-7


CLOCK = Clock()


def _no_timers() -> Generator[float, float, None]:
    yield 0.0


class VirtualLoop(DrivenLoop):
    """As `test.test_asyncio.utils.TestLoop`.

    Args:
        gen: Is sent the time of each timer that is started, and gives by how much time moves then.
    """

    _clock_resolution = 1e-9

    def __init__(self, gen: Callable[[], Generator[Any, Any, Any]] | None = None) -> None:
        self._virtual_now = 0.0
        self._whens: list[float] = []
        self._started = False
        self._must_be_finished = gen is not None
        self._moves = (gen or _no_timers)()
        next(self._moves)
        CLOCK.now = 0.0  # when the invocation begins
        super().__init__()
        CLOCK.now = None

    def time(self) -> float:
        return self._virtual_now if CLOCK.now is None else CLOCK.now

    def advance_time(self, seconds: float) -> None:
        moved = round(self.time() + (seconds or 0.0), 6)
        if CLOCK.now is None:
            self._virtual_now = moved
        else:
            CLOCK.now = moved
        assert self.invocation.context is not None
        self.invocation.context.clock.move(round(moved * 1_000_000))

    def call_at(self, when: float, *args: Any, **options: Any) -> Any:
        self._whens.append(when)
        return super().call_at(when, *args, **options)

    def run_forever(self) -> None:
        CLOCK.now = self._virtual_now
        try:
            super().run_forever()
        finally:
            self._virtual_now, CLOCK.now = CLOCK.now, None

    def after_step(self) -> None:
        whens, self._whens = self._whens, []
        self._started = bool(whens)
        for when in whens:
            self.advance_time(self._moves.send(when))

    def wait(self) -> None:
        """Time moves by itself only if nothing has: to the next timer."""
        if self._started or self._woken.is_set():
            self._woken.clear()
            return
        # the loop asks to be woken a millisecond after its timer is due
        later = [at for at in self._wakes_at if at > self.time() + 0.0015]
        is_due = len(later) < len(self._wakes_at)
        self._wakes_at = later
        if not is_due:
            raise RuntimeError("nothing will wake this loop: its time stands still")

    def close(self) -> None:
        if self.is_closed():
            return
        super().close()
        if self._must_be_finished:
            try:
                self._moves.send(0)
            except StopIteration:
                return
            raise AssertionError("Time generator is not finished")
