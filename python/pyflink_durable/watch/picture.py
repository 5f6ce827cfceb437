"""What a running job looks like at a moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pyflink_durable.inspection.findings import Findings
from pyflink_durable.watch.rest import Checkpoints, Job

GAUGES = (
    "running",
    "waiting",
    "atGate",
    "parked",
    "notBack",
    "inDoubt",
    "oldestRunningMillis",
    "oldestWaitingMillis",
    "stalledSeconds",
)
"""What is told of each subtask; metrics of operators, see docs/operations.md."""

COUNTERS = (
    "executed",
    "replayed",
    "reconciled",
    "reexecuted",
    "retried",
    "timedOut",
    "unknown",
    "mismatched",
    "handlerErrors",
    "deadLetters",
)
"""What is told of each operator, with its rate."""


@dataclass(frozen=True)
class Count:
    """A counter, over all subtasks.

    Attributes:
        total: Since the attempts of the subtasks have started.
        rate: How much it has grown per second, lately; None if that is not known yet.
    """

    total: int
    rate: float | None


@dataclass(frozen=True)
class CallPicture:
    """The calls of one name.

    Attributes:
        name: Their function or ``durable_id``, as Flink writes names: with ``_`` for a dot.
        counts: What was counted, by the metrics' names.
        median: Milliseconds within which half of the attempts ended, in the slowest subtask; None
            if none has ended yet.
        p99: The same of 99 of 100 attempts.
    """

    name: str
    counts: Mapping[str, Count]
    median: float | None
    p99: float | None


@dataclass(frozen=True)
class OperatorPicture:
    """A durable operator.

    Attributes:
        name: Its name in Flink.
        subtasks: The gauges of each subtask, by its number; one that has not started has none.
        counts: What was counted, by the metrics' names.
        calls: What is known of calls by their names, with ``call_metrics=True``.
        vertex: The id of the part of the job that it begins, which is its own id, too.
    """

    name: str
    subtasks: Mapping[int, Mapping[str, float]]
    counts: Mapping[str, Count]
    calls: tuple[CallPicture, ...]
    vertex: str = ""


@dataclass(frozen=True)
class InFlightPicture:
    """What is in flight, as the newest checkpoint that was read has it.

    Attributes:
        findings: What was found; None if none has been read yet.
        checkpoint: The number of that checkpoint.
        taken: When it was taken.
        trouble: Why the newest one was not read; None if it was.
    """

    findings: Findings | None = None
    checkpoint: int = 0
    taken: datetime | None = None
    trouble: str | None = None


@dataclass(frozen=True)
class Picture:
    """A job at a moment.

    Attributes:
        moment: When.
        job: The job.
        checkpoints: Its checkpoints.
        operators: Its durable operators that have told metrics.
        in_flight: What its newest checkpoint holds.
        trouble: Why this picture is old: the JobManager does not answer.
    """

    moment: datetime
    job: Job
    checkpoints: Checkpoints
    operators: tuple[OperatorPicture, ...]
    in_flight: InFlightPicture
    trouble: str | None = None
