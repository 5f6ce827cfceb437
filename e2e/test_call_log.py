"""The write-ahead level: what its log holds beyond the checkpoint survives ``kill -9``."""

from __future__ import annotations

from clusterkit import NO_CHECKPOINTS, Cluster, Payments, wait_until
from clusterkit.orders import JOB, Inbox, make_orders, once


def test_calls_beyond_the_checkpoint_are_replayed_or_reconciled(
    log_kafka: str | None, cluster: Cluster, payments: Payments, inbox: Inbox
) -> None:
    """The one checkpoint was before them; the new attempt merges what the log holds of them."""
    held, beyond, in_flight = (make_orders(n, 30) for n in ("held", "beyond", "in-flight"))
    arguments = inbox.arguments(payments.url, "write-ahead", log_kafka)
    job = cluster.submit(JOB, *arguments, parallelism=2, settings=NO_CHECKPOINTS)

    def wait_metrics(**expected: int) -> None:
        wait_until(
            lambda: cluster.durable_metrics(job, "orders", *expected) == expected, str(expected)
        )

    inbox.put(held)
    wait_metrics(executed=30, running=0)
    job.checkpoint()
    inbox.put(beyond)
    wait_metrics(executed=60, running=0)
    payments.hold_answers()
    inbox.put(in_flight)
    payments.wait_charged(held + beyond + in_flight)
    cluster.kill_busy_taskmanager(job, "orders")
    wait_metrics(recovered=60, replayed=30, reconciled=30, running=0)
    payments.release_answers()
    inbox.wait_answered(held + beyond + in_flight, meanwhile=job.checkpoint)

    assert payments.charges_per_order() == once(held + beyond + in_flight)
    assert payments.stats().lookups == 30, "an outcome in the log was asked about"
    assert inbox.answered() == once(held + beyond + in_flight)
