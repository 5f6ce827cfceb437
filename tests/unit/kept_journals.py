"""Journals that go from one process of the tests to another, which has another hash seed."""

from __future__ import annotations

import pickle
from hashlib import sha256
from pathlib import Path

import pytest
from recordings import Moment, Recording
from replays import replay_all


class KeptJournals:
    """What the handlers of one test left after each of their steps.

    Args:
        file: Where it is kept.
        replays: Whether it was kept by another process, and is to be replayed.
    """

    def __init__(self, file: Path, replays: bool) -> None:
        self._file = file
        self._replays = replays

    @classmethod
    def of(cls, item: pytest.Item) -> KeptJournals | None:
        """Those of a test; None if the options ask for none."""
        to, origin = (item.config.getoption(f"{name}_journals") for name in ("keep", "replay"))
        if not (to or origin):
            return None
        name = sha256(item.nodeid.encode()).hexdigest()[:32]
        return cls(Path(origin or to) / name, bool(origin))

    def exchange(self, recorded: list[Recording]) -> None:
        """Keeps what was recorded, or replays what the other process has kept."""
        if not recorded:
            return
        if not self._replays:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_bytes(pickle.dumps([recording.moments for recording in recorded]))
            return
        kept: list[list[Moment]] = pickle.loads(self._file.read_bytes())
        assert len(kept) == len(recorded), "the test has run its handlers another number of times"
        for moments, recording in zip(kept, recorded, strict=True):
            replay_all(recording.with_moments(moments))
