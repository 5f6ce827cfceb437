"""Reads a snapshot, as a stream: it may be larger than memory."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyflink_durable.errors import DurableExecutionError
from pyflink_durable.snapshot.content import Content, Invocation, OperatorInfo
from pyflink_durable.snapshot.jvm import start_reader
from pyflink_durable.snapshot.lines import content_of, operators_of
from pyflink_durable.snapshot.operator_id import operator_id

Progress = Callable[[int, int], None]
"""Told how many parts of how many have been read."""


class SnapshotError(DurableExecutionError):
    """A snapshot cannot be read: it is not there, not whole, or of a newer release."""


class Snapshot:
    """A checkpoint or savepoint that is being read; `read_snapshot` gives it.

    Attributes:
        path: Where it is.
        checkpoint_id: Its number in its job.
        operators: Its durable operators; those that were asked for.
    """

    def __init__(
        self,
        path: str,
        lines: Iterator[dict[str, Any]],
        uid: str | None,
        progress: Progress | None,
    ) -> None:
        self.path = path
        self._lines = lines
        self._progress = progress
        head = next(lines)
        self.checkpoint_id: int = head["checkpoint"]
        uids = {} if uid is None else {operator_id(uid): uid}
        self.operators = operators_of(head, uids)
        if uid is not None:
            self.operators = self._only(uid)

    def _only(self, uid: str) -> list[OperatorInfo]:
        found = [operator for operator in self.operators if operator.uid == uid]
        if not found:
            known = ", ".join(operator.shown for operator in self.operators) or "none"
            raise SnapshotError(
                f"the snapshot {self.path} has no durable operator with the uid {uid!r}; its "
                f"durable operators: {known}"
            )
        return found

    def __iter__(self) -> Iterator[Content]:
        """All that is in it, once, key by key."""
        operators = {operator.id: operator for operator in self.operators}
        for line in self._lines:
            if line["line"] == "progress":
                if self._progress is not None:
                    self._progress(line["done"], line["all"])
            elif line["line"] != "end":
                yield from content_of(line, operators[line["operator"]])

    def invocations(self) -> Iterator[Invocation]:
        """The invocations in flight, once; those of a key follow each other in their order."""
        for content in self:
            if isinstance(content, Invocation):
                yield content


@contextmanager
def read_snapshot(
    path: str | Path,
    *,
    uid: str | None = None,
    payloads: bool = False,
    all_state: bool = False,
    progress: Progress | None = None,
    memory: str = "768m",
) -> Iterator[Snapshot]:
    """Opens a checkpoint or savepoint.

    Nothing of it is changed, no call is made and none of the job's code is imported. What is
    there is handed over as it is read: not much of it is in memory at a time.

    Args:
        path: Its folder, or the ``_metadata`` in it; a URI for any file system that Flink is set
            up for (``s3://...``: with the plugin and Flink's configuration, as for a job).
        uid: The durable operator to read; None for all.
        payloads: Whether inputs, results, exceptions and state are handed over, or only their
            sizes.
        all_state: Whether `ctx.state` of keys with nothing in flight is handed over, too, as
            `KeptState`.
        progress: Called now and then.
        memory: The heap of the JVM that reads.

    Raises:
        SnapshotError: It cannot be read; also while it is being read.
    """
    wanted = [str(path)]
    wanted += ["payloads"] if payloads else []
    wanted += ["state"] if all_state else []
    wanted += [] if uid is None else [operator_id(uid)]
    with tempfile.TemporaryFile() as errors:
        try:
            process = start_reader(wanted, memory, errors)
        except FileNotFoundError as error:
            raise SnapshotError(
                f"a snapshot is read by Java, and there is none: {error}. Install one (11, 17 or "
                "21), or set JAVA_HOME"
            ) from error
        try:
            yield Snapshot(str(path), _lines(process, str(path), errors), uid, progress)
        finally:
            process.kill()
            assert process.stdout is not None
            process.stdout.close()
            process.wait()


def _lines(process: subprocess.Popen[bytes], path: str, errors: Any) -> Iterator[dict[str, Any]]:
    assert process.stdout is not None
    for text in process.stdout:
        line: dict[str, Any] = json.loads(text)
        if line["line"] == "error":
            raise SnapshotError(f"the snapshot {path} cannot be read: {line['message']}")
        yield line
        if line["line"] == "end":
            return
    errors.seek(0)
    said = errors.read().decode(errors="replace").strip()[-2000:]
    raise SnapshotError(
        f"the snapshot {path} cannot be read: the JVM that reads it ended ({process.wait()}). "
        f"{said}"
    )
