"""Runs the orders through one level: service and job in processes of their own."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pyflink_durable.demo.flinklog import FlinkLog, LogFollower
from pyflink_durable.demo.job import (
    JobFiles,
    build_job,
    job_configuration,
    options_of,
    read_results,
)
from pyflink_durable.demo.ledger import Ledger, Stats
from pyflink_durable.demo.orders import Order, write_orders
from pyflink_durable.demo.processes import flink_process, payment_service
from pyflink_durable.demo.proof.failures import Failures, Place
from pyflink_durable.demo.proof.job import FailingArrivals, failing_handler, failing_writer
from pyflink_durable.demo.proof.verdict import Verdict
from pyflink_durable.demo.runner import new_folder, wait_for_end
from pyflink_durable.options import Durability

if TYPE_CHECKING:
    from pyflink.common import JobClient

_CHECKPOINT_INTERVAL_MS = 200
_SECONDS_PER_FAILURE = 1.7
_SUBTASKS = 2
_SPARE_RESTARTS = 5  # room for failures that the proof did not make


@dataclass(frozen=True)
class Plan:
    """What is to be shown.

    Attributes:
        orders: What to charge.
        seconds: In which the orders arrive, if nothing fails.
        seed: Fixes where tasks fail and which payments do.
    """

    orders: list[Order]
    seconds: float
    seed: int

    @property
    def failures(self) -> int:
        return max(1, round(self.seconds / _SECONDS_PER_FAILURE))

    def spacing(self) -> dict[Place, int]:
        """How often each place is passed in the time of one failure, by one subtask."""
        orders = max(1, len(self.orders) // (self.failures + 1))
        checkpoints = int(self.seconds / (self.failures + 1) * 1000 / _CHECKPOINT_INTERVAL_MS)
        at_checkpoints = (Place.DURING_CHECKPOINT, Place.AFTER_CHECKPOINT)
        return {
            place: checkpoints // 2 if place in at_checkpoints else orders // _SUBTASKS
            for place in Place
        }


@dataclass(frozen=True)
class Run:
    """What one run came to."""

    verdict: Verdict
    stats: Stats
    failures: Counter[Place]
    log: FlinkLog
    seconds: float


def run(level: Durability, plan: Plan, workspace: Path) -> Run:
    """Charges all orders in an empty directory; both processes are gone when this returns.

    Raises:
        DemoError: The job did not come to its end.
    """
    database = workspace / "payments.db"
    logs = new_folder(workspace, "log")
    files = JobFiles(
        orders=workspace / "orders.ndjson",
        results=workspace / "results",
        checkpoints=new_folder(workspace, "checkpoints"),
        scratch=new_folder(workspace, "tmp"),
    )
    failures = Failures(plan.seed, plan.failures, plan.spacing(), new_folder(workspace, "failures"))
    write_orders(plan.orders, files.orders)
    with payment_service(database, plan.seed) as url, flink_process(files.scratch, logs):
        job = _submit(level, plan, url, files, failures)
        started = time.monotonic()
        wait_for_end(job, lambda: None)
        seconds = time.monotonic() - started
    with closing(Ledger(database)) as ledger:
        charges, stats = ledger.charges(), ledger.stats()
    orders = [order["id"] for order in plan.orders]
    verdict = Verdict(level, orders, charges, read_results(files.results))
    return Run(verdict, stats, failures.happened(), LogFollower(logs).catch_up(), seconds)


def _submit(
    level: Durability, plan: Plan, url: str, files: JobFiles, failures: Failures
) -> JobClient:
    from pyflink.datastream import StreamExecutionEnvironment

    env = StreamExecutionEnvironment.get_execution_environment(
        job_configuration(files, plan.failures + _SPARE_RESTARTS, _CHECKPOINT_INTERVAL_MS)
    )
    build_job(
        env,
        files,
        FailingArrivals(plan.seconds / len(plan.orders), files.checkpoints, failures),
        failing_handler(url, failures),
        options_of(level, files),
        failing_writer(failures),
    )
    return env.execute_async(f"pyflink-durable proof, {level}")
