"""What a great many parked invocations cost: ``make bench-parked``.

One subtask with RocksDB and incremental checkpoints, in a JVM whose heap and managed memory are
those of a TaskManager of 2 GB. A first job parks invocations that wait for a signal, and is looked
at while nothing happens. A second one starts from its last checkpoint, takes 1,000 inputs a second,
and sends signals to what is parked, while others of its inputs sleep and are parked themselves.
Prints what it measured beside what the design asks for, and ends with 1 with ``--strict`` if a
limit is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

HEAP = "900m"
MANAGED = "700m"
INTERVAL = 1.0
QUIET_SECONDS = 20
RATE = 1_000
LIVE_SECONDS = 30
SLEEP_SECONDS = 3.0
PATIENCE = 3 * 3_600.0
A_WEEK = 7 * 86_400.0


class Figure(NamedTuple):
    """Something measured.

    Attributes:
        what: What it is.
        value: How much.
        unit: Of what.
        limit: What it must stay below; None if there is no limit.
    """

    what: str
    value: float
    unit: str
    limit: float | None = None

    @property
    def missed(self) -> bool:
        """Whether it is over its limit."""
        return self.limit is not None and self.value > self.limit


async def handle(element: Any, ctx: Any) -> Any:
    """Waits for what its input says, and gives how late it went on in milliseconds."""
    kind, _, _ = element
    if kind == "wait":
        sent = await ctx.wait_for_signal("go", timeout=A_WEEK)
        return "signal", (time.time() - sent) * 1000
    if kind == "sleep":
        due = ctx.now().timestamp() + SLEEP_SECONDS
        await ctx.sleep(SLEEP_SECONDS)
        return "deadline", (time.time() - due) * 1000
    return "input", 0.0


class Pace:
    """Makes the elements of the second job, so many a second from the first one on."""

    def __init__(self, parked: int) -> None:
        self._parked = parked
        self._began = 0.0

    def __call__(self, number: int) -> Any:
        self._began = self._began or time.time()
        pause = self._began + number / RATE - time.time()
        if pause > 0:
            time.sleep(pause)
        if number % 20 == 0:  # spread over all that is parked
            return "signal", (number // 20 * 7_919) % self._parked, time.time()
        return "sleep" if number % 20 == 1 else "new", self._parked + number, 0.0


def operator(env: Any, elements: Any, name: str) -> Any:
    """The durable operator behind a stream of inputs and signals."""
    from pyflink.common import Types

    from pyflink_durable import DurableOptions, Signal, durable_process

    inputs = elements.filter(lambda element: element[0] != "signal")
    signals = elements.filter(lambda element: element[0] == "signal").map(
        lambda element: Signal("go", element[2], invocation=element[1])
    )
    return durable_process(
        inputs.key_by(lambda element: element[1], Types.LONG()),
        handle,
        signals=signals.key_by(lambda signal: signal.invocation, Types.LONG()),
        output_type=Types.PICKLED_BYTE_ARRAY(),
        options=DurableOptions(park_after=0.5, invocation_id=lambda element: element[1]),
        name=name,
        uid="waits",
    )


def numbers(env: Any, count: int, uid: str) -> Any:
    from pyflink.common import Types, WatermarkStrategy
    from pyflink.datastream.connectors.number_seq import NumberSequenceSource

    source = NumberSequenceSource(0, count - 1)
    return env.from_source(source, WatermarkStrategy.no_watermarks(), uid, Types.LONG()).uid(uid)


class Cluster:
    """Jobs that share a folder of checkpoints, and what Flink tells of them."""

    def __init__(self, folder: Path) -> None:
        from state import _free_port

        self._folder = folder
        self._free_port = _free_port
        self._port = 0

    def environment(self, restore: str | None = None) -> Any:
        """That of a job, which goes on from a checkpoint."""
        from cases import environment

        self._port = self._free_port()
        settings = {
            "execution.checkpointing.storage": "filesystem",
            "execution.checkpointing.dir": self._folder.as_uri(),
            "execution.checkpointing.incremental": "true",
            "execution.checkpointing.unaligned.enabled": "true",
            "execution.checkpointing.timeout": "10min",
            "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
            "taskmanager.memory.managed.size": MANAGED,
            "execution.buffer-timeout.interval": "5 ms",  # a tenth of a second is what is measured
            "web.checkpoints.history": "1000",
            "rest.bind-port": str(self._port),
        }
        if restore is not None:
            settings["execution.state-recovery.path"] = restore
            settings["execution.state-recovery.ignore-unclaimed-state"] = "true"
        return environment("rocksdb", f"{INTERVAL * 1000:.0f} ms", settings)

    def ask(self, path: str) -> Any:
        """What Flink's REST interface says; None while it does not."""
        import json
        import urllib.request

        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(f"http://127.0.0.1:{self._port}{path}", timeout=30) as answer:
                return json.load(answer)
        except OSError:
            return None

    def checkpoints(self, job: Any) -> list[dict[str, Any]]:
        """Those that have completed, the newest first."""
        answer = self.ask(f"/jobs/{job.get_job_id()}/checkpoints") or {"history": []}
        return [one for one in answer["history"] if one["status"] == "COMPLETED"]

    def gauge(self, job: Any, name: str) -> float | None:
        """That of the durable operator."""
        job_id = job.get_job_id()
        for vertex in (self.ask(f"/jobs/{job_id}") or {"vertices": []})["vertices"]:
            metrics = f"/jobs/{job_id}/vertices/{vertex['id']}/metrics"
            for metric in self.ask(metrics) or ():
                if metric["id"].endswith(f".durable.{name}"):
                    [found] = self.ask(f"{metrics}?get={metric['id']}") or [{"value": "0"}]
                    return float(found["value"])
        return None


def wait_until(what: str, job: Any, condition: Any, pause: float = 1.0) -> Any:
    """Waits until a condition gives something."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        if job.get_job_status().result().name in ("FAILED", "FINISHED", "CANCELED"):
            job.get_job_execution_result().result()
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come")
        time.sleep(pause)
    return found


def memory() -> tuple[float, float]:
    """Used heap of the JVM, and the memory of its process, with Python's in it, in MB."""
    from memory import _used_heap
    from pyflink.java_gateway import get_gateway

    heap = _used_heap() / 1e6
    pid = get_gateway().jvm.java.lang.ProcessHandle.current().pid()
    status = Path(f"/proc/{pid}/status").read_text()
    [rss] = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")]
    return heap, int(rss) / 1e3


def park(cluster: Cluster, count: int) -> tuple[list[Figure], str]:
    """Parks so many, and looks at the job while nothing happens; gives its last checkpoint."""
    from cases import discard
    from memory import never_ending

    env = cluster.environment()
    waits = numbers(env, count, "waits-source").map(lambda number: ("wait", number, 0.0))
    quiet = never_ending(env).map(lambda number: ("never", number, 0.0))
    discard(operator(env, waits.union(quiet), "waits"))
    began = time.monotonic()
    job = env.execute_async("park")

    def parked_at_least(least: int) -> bool:
        return (cluster.gauge(job, "parked") or 0) >= least

    wait_until("a tenth", job, lambda: parked_at_least(count // 10))
    heap_at_first, rss_at_first = memory()
    wait_until("parked invocations", job, lambda: parked_at_least(count))
    took = time.monotonic() - began
    heap, rss = memory()
    before = len(cluster.checkpoints(job))
    wait_until("checkpoints", job, lambda: len(cluster.checkpoints(job)) >= before + 5)
    settled = cluster.checkpoints(job)[0]["id"]
    time.sleep(QUIET_SECONDS)
    quiet_ones = [one for one in cluster.checkpoints(job) if one["id"] > settled]
    sizes = sorted(one["checkpointed_size"] for one in quiet_ones)
    times = sorted(one["end_to_end_duration"] for one in quiet_ones)
    newest = cluster.ask(
        f"/jobs/{job.get_job_id()}/checkpoints/details/{cluster.checkpoints(job)[0]['id']}"
    )
    job.cancel().result()
    more = count - count // 10
    return [
        Figure("parked per second", count / took, "/s"),
        Figure("heap with a tenth of them", heap_at_first, "MB"),
        Figure("heap with all", heap, "MB"),
        Figure("heap per parked one", (heap - heap_at_first) * 1e6 / more, "B", 20.0),
        Figure("process with a tenth of them", rss_at_first, "MB"),
        Figure("process with all", rss, "MB", 2_000.0),
        Figure("checkpoint of a quiet second, median", sizes[len(sizes) // 2] / 1e6, "MB", 1.0),
        Figure("checkpoint of a quiet second, largest", sizes[-1] / 1e6, "MB"),
        Figure("its time, median", times[len(times) // 2] / 1e3, "s", 1.0),
        Figure("its time, longest", times[-1] / 1e3, "s"),
        Figure("all of the state", newest["state_size"] / 1e6, "MB"),
    ], str(newest["external_path"])


def wake(cluster: Cluster, count: int, checkpoint: str, folder: Path) -> list[Figure]:
    """Goes on from a checkpoint; inputs, signals and sleeps together."""
    from cases import discard
    from pyflink.common import Types

    came = folder / "came"

    def note(output: Any) -> int:
        kind, late = output
        with came.open("a", buffering=1) as file:
            file.write(f"{time.time()} {kind} {late}\n")
        return 0

    env = cluster.environment(checkpoint)
    live = numbers(env, LIVE_SECONDS * RATE, "live-source").map(Pace(count))
    discard(operator(env, live, "waits").map(note, Types.LONG()))
    began = time.time()
    job = env.execute_async("wake")
    expected = LIVE_SECONDS * RATE

    def outputs() -> list[list[str]]:
        return [line.split() for line in came.read_text().splitlines()] if came.exists() else []

    wait_until("what was sent", job, lambda: len(outputs()) >= expected)
    parked = cluster.gauge(job, "parked")
    lines = outputs()
    job.cancel().result()
    late: dict[str, list[float]] = {}
    for _, kind, millis in lines:
        late.setdefault(kind, []).append(float(millis))
    first = min(float(at) for at, kind, _ in lines if kind == "input")
    span = float(lines[-1][0]) - first
    return [
        Figure("from the start to the first new input handled", first - began, "s", 10.0),
        Figure("handled meanwhile", len(lines) / span, "/s"),
        Figure("still parked", parked or 0.0, ""),
        *(
            Figure(f"wake-up by {kind}, {what}", percentile(late[kind], at), "ms", limit)
            for kind in ("signal", "deadline")
            for what, at, limit in (("median", 50, None), ("p99", 99, 100.0))
        ),
    ]


def percentile(values: list[float], percent: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parked", type=int, default=100_000, help="how many are parked")
    parser.add_argument("--strict", action="store_true", help="exit 1 if a limit is missed")
    arguments = parser.parse_args()
    here = Path(__file__).parent.resolve()
    # the interpreter inside the JVM unpickles the handlers of this module by reference
    paths = (str(here), os.environ.get("PYTHONPATH"))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    os.environ["JVM_ARGS"] = f"-Xmx{HEAP}"

    from rich.console import Console
    from rich.table import Table

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cluster = Cluster(folder / "checkpoints")
        figures, checkpoint = park(cluster, arguments.parked)
        figures += wake(cluster, arguments.parked, checkpoint, folder)
    table = Table(f"{arguments.parked:,} parked", "", "", "limit")
    for figure in figures:
        style = "red" if figure.missed else "default"
        limit = "" if figure.limit is None else f"{figure.limit:,.0f}"
        table.add_row(figure.what, f"[{style}]{figure.value:,.2f}[/]", figure.unit, limit)
    Console(width=None if sys.stdout.isatty() else 100).print(table)
    return 1 if arguments.strict and any(figure.missed for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
