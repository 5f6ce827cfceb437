"""Where a handler makes a call: its file and line, for those who have to change it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import NamedTuple

_OF_THE_RUNTIME = (
    "pyflink_durable.context",
    "pyflink_durable.durable_calls",
    "pyflink_durable.payload",
    "pyflink_durable.runtime",
    "pyflink_durable.tools",
)
_OF_OTHERS = ("asyncio", "contextlib", "anyio", "collections.abc")


class CallSite(NamedTuple):
    """A place in code; its line is looked up when it is told."""

    code: CodeType
    instruction: int

    def __str__(self) -> str:
        for start, end, line in self.code.co_lines():
            if start <= self.instruction < end:
                return f"{self.code.co_filename}:{line} in {self.code.co_name}"
        return f"{self.code.co_filename} in {self.code.co_name}"


def call_site() -> CallSite | None:
    """The place outside of the package that asks for a call; None if none does.

    Each call asks for it, so it looks first where it mostly is: three frames above its caller.
    """
    frame = sys._getframe(4)
    if frame.f_globals.get("__name__", "").startswith(_OF_THE_RUNTIME):
        return _first(frame, lambda module: module.startswith(_OF_THE_RUNTIME))
    return CallSite(frame.f_code, frame.f_lasti)


def site_on_the_stack() -> CallSite | None:
    """As `call_site`, also behind what the standard library does for the handler: a sleep, say."""
    skipped = _OF_THE_RUNTIME + _OF_OTHERS
    return _first(sys._getframe(1), lambda module: module.startswith(skipped))


def _first(frame: FrameType | None, skips: Callable[[str], bool]) -> CallSite | None:
    while frame is not None:
        if not skips(frame.f_globals.get("__name__") or ""):
            return CallSite(frame.f_code, frame.f_lasti)
        frame = frame.f_back
    return None
