"""Where code of the user is: the lines of a handler or a function, for log lines."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

_OWN = ("pyflink_durable", "asyncio", "pyflink", "threading", "contextlib")
"""Packages whose frames say nothing to the user."""


def place_of_thread(thread: int) -> str:
    """What a callback of a loop is at: the outermost and the innermost line of the user's code.

    Args:
        thread: On which the loop runs.
    """
    frame = sys._current_frames().get(thread)
    places: list[tuple[str, str]] = []
    while frame is not None and frame.f_globals.get("__name__") != "asyncio.events":
        places.append(_place(frame))
        frame = frame.f_back  # none is kept: a frame keeps its local variables alive
    return _described(reversed(places))


def place_of_task(task: asyncio.Task[Any]) -> str:
    """What a task waits at: the outermost and the innermost line of the user's code."""
    return _described(map(_place, _frames_of(task.get_coro())))


def _frames_of(awaited: Any) -> Iterator[FrameType]:
    while awaited is not None:
        for kind in ("cr", "gi", "ag"):
            frame = getattr(awaited, f"{kind}_frame", None)
            if frame is not None:
                yield frame
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)


def _place(frame: FrameType) -> tuple[str, str]:
    code = frame.f_code
    module = frame.f_globals.get("__name__") or ""
    return module, f"{code.co_name} ({code.co_filename}:{frame.f_lineno})"


def _described(places: Iterable[tuple[str, str]]) -> str:
    all_places = list(places)
    users = [place for module, place in all_places if module.partition(".")[0] not in _OWN]
    shown = users or [place for _, place in all_places] or ["a place that is not known"]
    return shown[0] if len(shown) == 1 else f"{shown[0]} > {shown[-1]}"
