"""What the commands of the demo and of the proof have in common."""

from __future__ import annotations

import importlib.util
import logging
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from pyflink_durable.doctor.client import java_program

_INTERRUPTED = 130


class _Interruption:
    """Ends a command in an orderly way, and only once, when it is told to stop."""

    def __init__(self) -> None:
        self.happened = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._interrupt)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        # What is left to do takes seconds; a second Ctrl-C must not leave half of it.
        if not self.happened:
            self.happened = True
            raise KeyboardInterrupt


def interruptible(run: Callable[[], int]) -> int:
    """Runs a command, and ends it in an orderly way when it is told to stop."""
    # py4j logs a stack trace for whatever Ctrl-C interrupts; with no handler it would be shown.
    logging.getLogger().addHandler(logging.NullHandler())
    interruption = _Interruption()
    try:
        return run()
    except (KeyboardInterrupt, Exception):
        # Flink's imports turn a KeyboardInterrupt into errors of their own.
        if not interruption.happened:
            raise
        print("interrupted", file=sys.stderr)
        return _INTERRUPTED


@contextmanager
def workspace(prefix: str, keep: bool) -> Iterator[Path]:
    """A directory of the command's own, gone at its end unless it is kept."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield folder
    finally:
        if keep:
            print(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def missing() -> str:
    """What to install before the command can run; empty if nothing."""
    if importlib.util.find_spec("httpx") is None:
        return "error: httpx is not installed: pip install 'pyflink-durable[demo]'"
    if java_program() is None:
        return "error: no Java found: install a JDK, 11 or newer, or set JAVA_HOME"
    return ""
