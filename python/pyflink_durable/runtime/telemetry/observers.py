"""The observers of one subtask, as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pyflink_durable.observer import Enter, Observer
from pyflink_durable.runtime.telemetry.counters import CallCounters
from pyflink_durable.runtime.telemetry.telemetry import Telemetry

Listener = Callable[..., Enter | None]

EVENTS = tuple(name for name in vars(Observer) if name[0] != "_" and name not in ("open", "close"))


class Observers(Observer):
    """The counters, and what the user has watch: each event goes to those who override it.

    There is an event for each step of each call, and mostly nobody who wants to know: that costs a
    call of a function that does nothing.

    Args:
        telemetry: Where the counters count, and where to log of an observer that fails.
        others: Those of the user.
        own: Those of the runtime, which are called as they are: they do not fail.
    """

    def __init__(
        self,
        telemetry: Telemetry,
        others: Iterable[Observer] = (),
        own: Iterable[Observer] = (),
    ) -> None:
        self._telemetry = telemetry
        self._others = tuple(others)
        self._own = (CallCounters(telemetry), *own)
        self._told: set[str] = set()
        for event in EVENTS:
            listeners = [getattr(one, event) for one in self._own if _listens(one, event)]
            listeners += [self._guarded(one, event) for one in self._others if _listens(one, event)]
            setattr(self, event, _as_one(listeners))

    def open(self) -> None:
        for one in (*self._own, *self._others):
            one.open()

    def close(self) -> None:
        for one in (*self._own, *self._others):
            one.close()

    def _guarded(self, observer: Observer, event: str) -> Listener:
        """An observer's method, which is not to do anything to the call that it is told of."""
        tell: Listener = getattr(observer, event)

        def guarded(*args: Any) -> Enter | None:
            try:
                enter = tell(*args)
            except Exception as error:
                self._warn(observer, event, error)
                return None
            return None if enter is None else lambda: guarded_enter(enter)

        def guarded_enter(enter: Enter) -> None:
            try:
                enter()
            except Exception as error:
                self._warn(observer, event, error)

        return guarded

    def _warn(self, observer: Observer, event: str, error: Exception) -> None:
        where = f"{type(observer).__qualname__}.{event}"
        if where not in self._told:
            self._told.add(where)
            self._telemetry.warning(
                f"observer={where} raised {error!r}; what it observes goes on, and of this method "
                "nothing more is logged in this attempt"
            )


def _listens(observer: Observer, event: str) -> bool:
    return getattr(type(observer), event) is not getattr(Observer, event)


def _as_one(listeners: list[Listener]) -> Listener:
    if not listeners:
        return _nobody
    if len(listeners) == 1:
        return listeners[0]

    def tell_all(*args: Any) -> Enter | None:
        enters = [enter for listener in listeners if (enter := listener(*args)) is not None]
        if not enters:
            return None
        return lambda: [enter() for enter in enters]

    return tell_all


def _nobody(*args: Any) -> None:
    """Nobody listens."""
