"""Where an exception was raised, in a form that a journal can hold: places, not frames.

A handler that sends `traceback.format_exc()` somewhere has to send the same text in each run. So
the first run sees no live traceback either, but one that is made of the journaled places.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from pathlib import Path
from types import FrameType, FunctionType, GeneratorType, TracebackType

Place = tuple[str, int, str]
"""A file, a line in it, and the name of the function."""

_MOST_PLACES = 32
"""Of a recursion without end the places near the error are enough."""

_OF_THE_RUNTIME = tuple(str(Path(__file__).parents[1] / room) for room in ("payload", "runtime"))


def places_of(traceback: TracebackType | None) -> list[Place]:
    """The places of a traceback from the outermost in, without those of the runtime."""
    places = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not code.co_filename.startswith(_OF_THE_RUNTIME):
            places.append((code.co_filename, traceback.tb_lineno, code.co_name))
        traceback = traceback.tb_next
    return places[-_MOST_PLACES:]


def traceback_of(places: list[Place]) -> TracebackType | None:
    """A traceback that shows these places; its frames hold no variables."""
    traceback = None
    for file, line, name in reversed(places):
        # without an instruction, as the columns of this code are not those of that place
        traceback = TracebackType(traceback, _frame(file, name), -1, line)
    return traceback


def _frame(file: str, name: str) -> FrameType:
    code = _never_started.__code__.replace(co_filename=file, co_name=name)
    if sys.version_info >= (3, 11):
        code = code.replace(co_qualname=name)
    # no globals of this module: tools that look for a loader find none, and read the file
    generator: GeneratorType[None, None, None] = FunctionType(code, {})()
    frame = generator.gi_frame
    assert frame is not None
    return frame


def _never_started() -> Generator[None, None, None]:
    """Its frame knows no caller, whom it would keep alive with all variables."""
    yield
