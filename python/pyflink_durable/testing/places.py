"""Where a handler waits: the frames of its own code, while an attempt is at rest."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pyflink_durable
from pyflink_durable.testing.attempt import Attempt

_NOT_THE_HANDLERS = tuple(
    str(Path(module.__file__ or "").parent) for module in (pyflink_durable, asyncio)
)


def places_of(attempt: Attempt) -> list[FrameType]:
    """The innermost frame of the handler's own code, of it and of each task that it has started."""
    frames = [*map(_of_task, attempt.tasks()), *map(_of_thread, attempt.threads)]
    return [frame for frame in frames if frame is not None]


def _of_task(task: asyncio.Task[Any]) -> FrameType | None:
    return _innermost(reversed(list(_chain(task.get_coro()))))


def _chain(awaited: Any) -> Iterator[FrameType]:
    """The frames of a coroutine and of what it awaits, outermost first."""
    while awaited is not None:
        for kind in ("cr", "gi", "ag"):
            frame = getattr(awaited, f"{kind}_frame", None)
            if frame is not None:
                yield frame
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)


def _of_thread(thread: Any) -> FrameType | None:
    frame = sys._current_frames().get(thread.ident)
    frames = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return _innermost(iter(frames))


def _innermost(frames: Iterator[FrameType]) -> FrameType | None:
    return next((one for one in frames if _is_the_handlers(one.f_code.co_filename)), None)


def _is_the_handlers(file: str) -> bool:
    return not file.startswith(_NOT_THE_HANDLERS) and not file.endswith("threading.py")
