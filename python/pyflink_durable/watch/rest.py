"""Asks Flink's REST API, which a JobManager answers; it is only read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pyflink_durable.errors import ConfigurationError, DurableExecutionError

if TYPE_CHECKING:
    import httpx

_PATIENCE_SECONDS = 10
_LONGEST_QUERY = 3_000
"""Characters of names in one request: Flink refuses a first line of more than 4,096."""


class RestError(DurableExecutionError):
    """A JobManager does not answer, or does not know the job."""


@dataclass(frozen=True)
class Job:
    """A job of a cluster, as the list of jobs tells it."""

    id: str
    name: str
    state: str


@dataclass(frozen=True)
class Vertex:
    """Operators of a job that run together."""

    id: str
    parallelism: int


@dataclass(frozen=True)
class Checkpoint:
    """A completed checkpoint.

    Attributes:
        id: Its number.
        path: Its folder; None if it is in the JobManager's memory.
        taken: When it began, in milliseconds since the epoch.
        millis: How long it took.
        size: The bytes of its state.
        discarded: Whether Flink has deleted it meanwhile.
    """

    id: int
    path: str | None
    taken: int
    millis: int
    size: int
    discarded: bool


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of a job.

    Attributes:
        newest: The newest that is complete.
        completed: How many are complete, since the JobManager has had the job.
        failed: How many were given up.
        failure: What the last of these failed of.
    """

    newest: Checkpoint | None
    completed: int
    failed: int
    failure: str | None


class FlinkRest:
    """The REST API of a cluster.

    Args:
        address: ``host:port`` of the JobManager, or a URL.
        transport: What carries the requests; None is the network.
    """

    def __init__(self, address: str, transport: httpx.BaseTransport | None = None) -> None:
        try:
            import httpx
        except ImportError as error:
            raise ConfigurationError(
                'watch needs httpx: python -m pip install "pyflink-durable[watch]"'
            ) from error
        self.address = address if "://" in address else f"http://{address}"
        # no proxy: a cluster is inside
        self._client = httpx.Client(
            base_url=self.address,
            timeout=_PATIENCE_SECONDS,
            transport=transport,
            trust_env=False,
            follow_redirects=True,  # a JobManager that does not lead points to the one that does
        )

    def __enter__(self) -> FlinkRest:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._client.close()

    def jobs(self) -> list[Job]:
        """The jobs that the cluster knows, also those that have ended."""
        return [
            Job(job["jid"], job["name"], job["state"])
            for job in self._get("/jobs/overview")["jobs"]
        ]

    def vertices(self, job: str) -> list[Vertex]:
        """The parts of a job."""
        vertices = self._get(f"/jobs/{job}")["vertices"]
        return [Vertex(one["id"], one["parallelism"]) for one in vertices]

    def checkpoints(self, job: str) -> Checkpoints:
        """The checkpoints of a job; savepoints do not count."""
        told = self._get(f"/jobs/{job}/checkpoints")
        failed = told["latest"]["failed"]
        return Checkpoints(
            newest=_checkpoint(told["latest"]["completed"]),
            completed=told["counts"]["completed"],
            failed=told["counts"]["failed"],
            failure=None if failed is None else failed.get("failure_message"),
        )

    # ---------------------------------------------------------------- metrics

    def metric_names(self, job: str, vertex: str) -> list[str]:
        """The metrics that any subtask of a vertex has: ``OPERATOR.durable.running``."""
        return [one["id"] for one in self._get(f"/jobs/{job}/vertices/{vertex}/subtasks/metrics")]

    def sums(self, job: str, vertex: str, names: Sequence[str]) -> dict[str, tuple[float, float]]:
        """The sum and the maximum of metrics over all subtasks; of those that are numbers."""
        path = f"/jobs/{job}/vertices/{vertex}/subtasks/metrics?agg=sum,max"
        return {
            one["id"]: (float(one["sum"]), float(one["max"])) for one in self._values(path, names)
        }

    def of_subtasks(
        self, job: str, vertex: Vertex, names: Sequence[str]
    ) -> dict[tuple[int, str], float]:
        """The values of gauges in each subtask, by its number and the metric's name."""
        path = f"/jobs/{job}/vertices/{vertex.id}/metrics?"
        asked = [f"{subtask}.{name}" for subtask in range(vertex.parallelism) for name in names]
        found = {}
        for one in self._values(path, asked):
            subtask, _, name = one["id"].partition(".")
            found[int(subtask), name] = float(one["value"])
        return found

    def _values(self, path: str, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        for part in _portions(names):
            yield from self._get(f"{path}&get={part}")

    def _get(self, path: str) -> Any:
        import httpx

        try:
            answer = self._client.get(path)
            answer.raise_for_status()
            return answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise RestError(
                f"{self.address} does not answer as Flink's REST API: {error or type(error)}. Give "
                "rest.address and rest.port of the JobManager, by default port 8081"
            ) from error


def _portions(names: Sequence[str]) -> Iterator[str]:
    """Lists of names, each short enough for one request."""
    part: list[str] = []
    length = 0
    for name in names:
        quoted = quote(name, safe="")
        if part and length + len(quoted) > _LONGEST_QUERY:
            yield ",".join(part)
            part, length = [], 0
        part.append(quoted)
        length += len(quoted) + 1
    if part:
        yield ",".join(part)


def _checkpoint(told: dict[str, Any] | None) -> Checkpoint | None:
    if told is None:
        return None
    path = told.get("external_path")
    return Checkpoint(
        id=told["id"],
        path=None if path is None or path.startswith("<") else path,
        taken=told["trigger_timestamp"],
        millis=told["end_to_end_duration"],
        size=told["state_size"],
        discarded=told["discarded"],
    )
