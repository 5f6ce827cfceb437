"""What is in flight in the newest checkpoint of a job, read beside the watching."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone

from pyflink_durable.inspection.findings import Findings
from pyflink_durable.snapshot import SnapshotError, read_snapshot
from pyflink_durable.watch.picture import InFlightPicture
from pyflink_durable.watch.rest import Checkpoint, RestError

SHOWN = 20
"""How many invocations are shown: the slowest."""

_PAUSE_SECONDS = 10.0
_TRIES = 3
"""Flink may delete a checkpoint while it is read: then a newer one is there."""

Newest = Callable[[], "Checkpoint | None"]
"""Asks for the newest checkpoint."""


def read_in_flight(newest: Newest) -> InFlightPicture:
    """Reads the newest checkpoint, which takes seconds."""
    trouble = "there is no completed checkpoint yet"
    tried = 0
    for _ in range(_TRIES):
        try:
            checkpoint = newest()
        except RestError as error:
            return InFlightPicture(trouble=str(error))
        if checkpoint is None or checkpoint.id == tried:
            break
        if checkpoint.path is None:
            return InFlightPicture(
                trouble="checkpoints are in the JobManager's memory, where nobody else reads them: "
                "set execution.checkpointing.storage to filesystem"
            )
        tried = checkpoint.id
        try:
            return _read(checkpoint, checkpoint.path)
        except SnapshotError as error:
            trouble = str(error)
    return InFlightPicture(trouble=trouble)


def _read(checkpoint: Checkpoint, path: str) -> InFlightPicture:
    findings = Findings(SHOWN, oldest_first=True)
    with read_snapshot(path) as snapshot:
        findings.add_operators(snapshot.operators)
        for invocation in snapshot.invocations():
            findings.add(invocation)
    taken = datetime.fromtimestamp(checkpoint.taken / 1e3, tz=timezone.utc)
    return InFlightPicture(findings, checkpoint.id, taken)


class InFlightReader:
    """Reads the newest checkpoint, when it is asked to, or again and again on a thread of its own.

    Args:
        newest: Asks for it.
    """

    def __init__(self, newest: Newest) -> None:
        self._newest = newest
        self._last = InFlightPicture(trouble="the newest checkpoint is being read")
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    @property
    def last(self) -> InFlightPicture:
        """What was read last."""
        return self._last

    def read(self) -> None:
        """Reads the newest checkpoint now."""
        found = read_in_flight(self._newest)
        if found.findings is None:  # what was read before still says something
            last = self._last
            found = InFlightPicture(last.findings, last.checkpoint, last.taken, found.trouble)
        self._last = found

    def start(self) -> None:
        """Begins to read, again and again, for no more than half of the time."""
        self._thread.start()

    def stop(self) -> None:
        """Reads no more."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            began = time.monotonic()
            self.read()
            self._stopped.wait(max(_PAUSE_SECONDS, time.monotonic() - began))
