"""Watches one job: a picture of it, again and again."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

from pyflink_durable.watch.in_flight import InFlightReader
from pyflink_durable.watch.metrics import OperatorMetrics
from pyflink_durable.watch.picture import Picture
from pyflink_durable.watch.rest import FlinkRest, Job, RestError

_RUNS = ("RUNNING", "RESTARTING", "CREATED", "INITIALIZING", "FAILING")


def find_job(rest: FlinkRest, wanted: str | None) -> Job:
    """The job to watch.

    Args:
        rest: Where it runs.
        wanted: Its id or name; None is the only one that runs.

    Raises:
        RestError: There is none, or it is not said which.
    """
    jobs = rest.jobs()
    running = [job for job in jobs if job.state in _RUNS]
    if wanted is None:
        found = running
    else:
        found = [job for job in jobs if job.id == wanted]
        found = found or [job for job in running if job.name == wanted]
    if len(found) == 1:
        return found[0]
    told = "; ".join(f"{job.id} {job.name}" for job in found or running) or "none"
    if not found:
        what = "no job runs" if wanted is None else f"there is no job {wanted}"
        raise RestError(f"{what} at {rest.address}; running: {told}")
    raise RestError(f"several jobs are there, name one of them with --job and its id: {told}")


class Watcher:
    """Makes pictures of a job; `reader` is what its checkpoints are read by.

    Args:
        rest: Where the job runs.
        job: The job.
        reader: Reads what is in flight; the caller starts and stops it.
    """

    def __init__(self, rest: FlinkRest, job: Job, reader: InFlightReader) -> None:
        self._rest = rest
        self._job = job
        self._metrics = OperatorMetrics(rest, job.id)
        self._reader = reader
        self._last: Picture | None = None

    def look(self) -> Picture:
        """The job as it is now; as it was, if the JobManager does not answer at the moment.

        Raises:
            RestError: It does not answer, and has not before.
        """
        try:
            self._last = self._picture()
        except RestError as error:
            if self._last is None:
                raise
            self._last = replace(self._last, trouble=str(error), in_flight=self._reader.last)
        return self._last

    def _picture(self) -> Picture:
        job = next((one for one in self._rest.jobs() if one.id == self._job.id), None)
        if job is None:
            raise RestError(f"{self._rest.address} does not know the job {self._job.id} any more")
        return Picture(
            moment=datetime.now(tz=timezone.utc),
            job=job,
            checkpoints=self._rest.checkpoints(job.id),
            operators=self._metrics.operators(),
            in_flight=self._reader.last,
        )
