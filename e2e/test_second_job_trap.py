"""flink-python only in the job: the job after the first one fails, and says what to do."""

from __future__ import annotations

from pathlib import Path

from clusterkit import Cluster, Payments, wait_until
from clusterkit.orders import JOB, Inbox, make_orders

REMEDY = r"Copy opt/flink-python-\*\.jar"


def test_the_first_job_warns_and_the_second_says_the_remedy(
    payments: Payments, tmp_path: Path
) -> None:
    """Without a connector in it, the lib folder is as the distribution has it.

    Only the durable operator loads Python into the TaskManager. In thread mode PyFlink's own do,
    too, and the first to fail may be one of them, which knows no remedy.
    """
    settings = {"python.execution-mode": "process"}
    first, second = Inbox.make(tmp_path / "first"), Inbox.make(tmp_path / "second")
    orders = make_orders("order", 5)
    with Cluster(tmp_path / "cluster", taskmanagers=1, flink_python_in_lib=False) as cluster:
        job = cluster.submit(JOB, *first.arguments(payments.url, "checkpoint"), settings=settings)
        first.put(orders)
        first.wait_answered(orders)
        assert cluster.log_lines(f"WARN.*came with the job.*{REMEDY}")
        job.cancel()

        job = cluster.start(JOB, *second.arguments(payments.url, "checkpoint"), settings=settings)
        failure = wait_until(job.root_exception, "the failure of the second job")

    assert "Another job has loaded Python in this TaskManager before" in failure
    assert "Copy opt/flink-python-*.jar" in failure
