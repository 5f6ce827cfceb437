"""Checks whether what a cluster's jobs have in flight can be read from here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pyflink_durable.doctor.finding import Finding, ok, warning
from pyflink_durable.snapshot import SnapshotError, read_snapshot

_MOST_JOBS = 5
_CHECK = "checkpoints from here"
_REMEDY = (
    "inspect, replay, check-upgrade and watch read them: run those where the storage is reached, "
    "with the plugin of the file system in FLINK_HOME/plugins and its settings in FLINK_CONF_DIR."
)


def check_checkpoints(get: Callable[[str], Any]) -> Iterator[Finding]:
    """Reads the head of the newest checkpoint of each job that runs.

    Args:
        get: Asks the REST API for a path.
    """
    jobs = [job for job in get("/jobs/overview")["jobs"] if job["state"] == "RUNNING"]
    if not jobs:
        yield ok(_CHECK, "no job runs")
    for job in jobs[:_MOST_JOBS]:
        newest = get(f"/jobs/{job['jid']}/checkpoints")["latest"]["completed"]
        yield _of_job(job["name"], newest)


def _of_job(name: str, newest: dict[str, Any] | None) -> Finding:
    if newest is None:
        return ok(_CHECK, f"{name} has no completed checkpoint yet")
    path = str(newest["external_path"])
    if path.startswith("<"):
        return warning(
            _CHECK,
            f"those of {name} are in the JobManager's memory",
            "Set execution.checkpointing.storage to filesystem, and execution.checkpointing.dir.",
        )
    try:
        with read_snapshot(path) as snapshot:
            operators = [operator.shown for operator in snapshot.operators]
    except SnapshotError as error:
        return warning(_CHECK, f"{name}: {error}", _REMEDY)
    told = ", ".join(operators) or "none"
    return ok(_CHECK, f"{path} of {name} is read; durable operators: {told}")
