"""A second Python with another hash seed: sets of strings have another order there."""

from __future__ import annotations

import atexit
import logging
import os
import pickle
import struct
import subprocess
import sys
from contextlib import suppress
from typing import IO, NamedTuple

import cloudpickle

from pyflink_durable.errors import JournalMismatch
from pyflink_durable.handler import Handler
from pyflink_durable.options import DurableOptions
from pyflink_durable.testing.saved_journal import SavedJournal

logger = logging.getLogger("pyflink_durable.testing")

_LENGTH = struct.Struct(">Q")


def replay_under_another_seed(
    handler: Handler, journal: SavedJournal, options: DurableOptions
) -> str | None:
    """Replays a journal in the other Python; gives what was different, None if nothing was.

    A handler that cannot be pickled is not replayed there, with a warning: that it takes the same
    path under this hash seed is what is known of it.

    Raises:
        RuntimeError: The other Python has ended, by something that the handler or its module does.
    """
    try:
        job = cloudpickle.dumps((handler, journal, options))
    except Exception as error:
        _tell_not_replayed(f"it cannot be pickled: {error}")
        return None
    answer = _ask(pickle.dumps((sys.path, job)))
    if answer.not_loaded is not None:
        _tell_not_replayed(f"it cannot be loaded there: {answer.not_loaded}")
    return answer.told


class _Answer(NamedTuple):
    """What was different, and why the handler was not replayed; None for nothing."""

    told: str | None = None
    not_loaded: str | None = None


def _tell_not_replayed(why: str) -> None:
    logger.warning("the handler is not replayed under another hash seed, since %s", why)


def _ask(job: bytes) -> _Answer:
    other = _other()
    try:
        return other.replay(job)
    except (EOFError, OSError) as error:
        _running.clear()
        code = other.close()
        raise RuntimeError(
            "the second Python, in which a handler is replayed under another hash seed, has ended "
            + _how_it_ended(code)
        ) from error


def _how_it_ended(code: int) -> str:
    if code < 0:
        return (
            f"by signal {-code}, from outside: by a machine without memory, say. Run the test again"
        )
    return f"with {code}: the handler, or the module that it is in, ends its process"


class _OtherPython:
    """The other process: it is handed jobs, one after another."""

    def __init__(self) -> None:
        own = os.environ.get("PYTHONHASHSEED", "random")
        seed = "1" if own != "1" else "2"
        environment = os.environ | {"PYTHONHASHSEED": seed}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def replay(self, job: bytes) -> _Answer:
        assert self._process.stdin is not None and self._process.stdout is not None
        write(self._process.stdin, job)
        return _Answer(*pickle.loads(read(self._process.stdout)))

    def close(self) -> int:
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        return self._process.wait()


_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[1:]; "
    "from pyflink_durable.testing.other_seed import serve; serve()"
)

_running: list[_OtherPython] = []


def _other() -> _OtherPython:
    """The process, which is started once: to import Flink's Python takes seconds."""
    if not _running or not _running[0].alive:
        _running[:] = [_OtherPython()]
        atexit.register(_running[0].close)
    return _running[0]


def write(stream: IO[bytes], data: bytes) -> None:
    """Writes one message."""
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def read(stream: IO[bytes]) -> bytes:
    """Reads one message.

    Raises:
        EOFError: There is none.
    """
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    return stream.read(_LENGTH.unpack(head)[0])


def serve() -> None:
    """The other Python's work, until nobody has any for it."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what handlers print is no answer
    try:
        while True:
            write(answers, pickle.dumps(tuple(_replayed(read(sys.stdin.buffer)))))
    except EOFError:
        return


def _replayed(message: bytes) -> _Answer:
    from pyflink_durable.testing.replay import replay

    sys.path[:], job = pickle.loads(message)  # that of the test: it may have got longer
    try:
        handler, journal, options = pickle.loads(job)
    except Exception as error:
        return _Answer(not_loaded=f"{type(error).__name__}: {error}")
    try:
        replay(handler, journal, options)
    except (JournalMismatch, AssertionError) as error:
        return _Answer(f"under another hash seed {error}")
    except Exception:
        return _Answer()  # what it raises, it raises under this one, too
    return _Answer()
