"""Runs the job on Flink's mini-cluster and watches it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyflink_durable.demo.arrivals import (
    Arrivals,
    FailurePlan,
    gap_between,
    orders_before_failure,
)
from pyflink_durable.demo.flinklog import FlinkLog, LogFollower
from pyflink_durable.demo.job import (
    CHECKPOINT_INTERVAL_MS,
    JobFiles,
    build_job,
    job_configuration,
    options_of,
    order_handler,
    read_results,
)
from pyflink_durable.demo.ledger import Ledger
from pyflink_durable.demo.orders import Order, write_orders
from pyflink_durable.demo.processes import DemoError, flink_process, payment_service
from pyflink_durable.demo.report import RunResult
from pyflink_durable.options import Durability

if TYPE_CHECKING:
    from pyflink.common import JobClient

# Room for failures that the demo did not make.
_SPARE_RESTARTS = 3
_LOOK_AGAIN_SECONDS = 0.2


@dataclass(frozen=True)
class Plan:
    """What the user asked for: what to charge, how often to fail, how many orders a second."""

    level: Durability
    orders: list[Order]
    failures: int
    seed: int
    rate: float


@dataclass(frozen=True)
class Progress:
    """How far the job is: orders charged according to the service, and Flink's log."""

    orders_charged: int
    log: FlinkLog


Watch = Callable[[Progress], None]


def run(plan: Plan, workspace: Path, watch: Watch) -> RunResult:
    """Runs service and job in an empty directory; both are gone when this returns or raises."""
    database = workspace / "payments.db"
    logs = new_folder(workspace, "log")
    files = JobFiles(
        orders=workspace / "orders.ndjson",
        results=workspace / "results",
        checkpoints=new_folder(workspace, "checkpoints"),
        scratch=new_folder(workspace, "tmp"),
    )
    write_orders(plan.orders, files.orders)
    follower = LogFollower(logs)
    with payment_service(database, plan.seed) as url, flink_process(files.scratch, logs):
        client = _submit(plan, url, files, markers=new_folder(workspace, "failures"))
        started = time.monotonic()
        wait_for_end(client, lambda: watch(Progress(_orders_charged(url), follower.catch_up())))
        seconds = time.monotonic() - started
    # Both processes have ended, so database and log are complete.
    with closing(Ledger(database)) as ledger:
        return RunResult(
            level=plan.level,
            orders=[order["id"] for order in plan.orders],
            stats=ledger.stats(),
            doubled=ledger.doubled(),
            answers=read_results(files.results),
            log=follower.catch_up(),
            seconds=seconds,
        )


def _submit(plan: Plan, url: str, files: JobFiles, markers: Path) -> JobClient:
    from pyflink.datastream import StreamExecutionEnvironment

    count = len(plan.orders)
    failures = FailurePlan(
        failures=plan.failures,
        orders=orders_before_failure(count, plan.failures),
        gap=1.5 * CHECKPOINT_INTERVAL_MS / 1000,
        url=url,
        checkpoints=files.checkpoints,
        markers=markers,
    )
    arrivals = Arrivals(gap_between(count, plan.failures, plan.rate), failures)
    env = StreamExecutionEnvironment.get_execution_environment(
        job_configuration(files, restarts=plan.failures + _SPARE_RESTARTS)
    )
    build_job(env, files, arrivals, order_handler(url), options_of(plan.level, files))
    return env.execute_async("pyflink-durable demo")


def wait_for_end(client: JobClient, watch: Callable[[], None]) -> None:
    result = client.get_job_execution_result()
    try:
        while not result.done():
            watch()
            time.sleep(_LOOK_AGAIN_SECONDS)
        watch()
    except BaseException:
        client.cancel()
        raise
    try:
        result.result()
    except Exception as problem:
        raise DemoError(f"the job failed: {_root_cause(problem)}") from problem


def _root_cause(problem: Exception) -> str:
    """The last cause in a Java stack trace: what a reader would scroll to."""
    lines = str(problem).splitlines()
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    return causes[-1] if causes else str(problem)


def _orders_charged(url: str) -> int:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{url}/stats", timeout=5) as answer:
            stats: dict[str, Any] = json.load(answer)
    except (urllib.error.URLError, TimeoutError) as problem:
        raise DemoError(f"the payment service is gone: {problem}") from problem
    return int(stats["orders_charged"])


def new_folder(workspace: Path, name: str) -> Path:
    folder = workspace / name
    folder.mkdir()
    return folder
