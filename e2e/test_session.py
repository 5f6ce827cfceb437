"""Several jobs in one session cluster, as many teams run theirs."""

from __future__ import annotations

from pathlib import Path

from clusterkit import Cluster, Payments
from clusterkit.orders import JOB, Inbox, make_orders, once


def test_a_second_and_a_third_job_in_the_same_taskmanagers(
    cluster: Cluster, payments: Payments, tmp_path: Path
) -> None:
    """The Python in a TaskManager outlives its first job, and serves the ones after it.

    The functions around the durable operator run in processes of their own, as by default.
    """
    for number in range(3):
        inbox = Inbox.make(tmp_path / f"inbox-{number}")
        orders = make_orders(f"job-{number}", 20)
        inbox.put(orders)
        job = cluster.submit(
            JOB,
            *inbox.arguments(payments.url, "checkpoint"),
            parallelism=3,
            settings={"python.execution-mode": "process"},
        )
        inbox.wait_answered(orders)
        job.cancel()
        assert inbox.answered() == once(orders)
