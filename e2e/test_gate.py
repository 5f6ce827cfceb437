"""The gate on a real cluster, with checkpoints only where the test asks for them."""

from __future__ import annotations

from pathlib import Path

from clusterkit import NO_CHECKPOINTS, Cluster, Payments, wait_until
from clusterkit.orders import JOB, Inbox, make_orders, once


def test_no_call_starts_before_a_checkpoint_holds_it_and_none_is_repeated(
    cluster: Cluster, payments: Payments, inbox: Inbox, tmp_path: Path
) -> None:
    """A TaskManager is killed before the checkpoint and after it; then comes a savepoint."""
    arguments = inbox.arguments(payments.url, "gated")
    first, second = make_orders("first", 30), make_orders("second", 25)

    job = cluster.submit(JOB, *arguments, parallelism=2, settings=NO_CHECKPOINTS)
    inbox.put(first[:20])
    cluster.wait_at_gate(job, "orders", 20)
    cluster.kill_busy_taskmanager(job, "orders")
    inbox.put(first[20:])
    cluster.wait_at_gate(job, "orders", 30)
    assert payments.stats().charge_requests == payments.stats().lookups == 0

    payments.hold_answers()
    job.checkpoint()
    payments.wait_charged(first)
    cluster.kill_busy_taskmanager(job, "orders")
    wait_until(lambda: payments.stats().lookups == 30, "a look-up of each of them")
    payments.release_answers()

    inbox.put(second)
    cluster.wait_at_gate(job, "orders", 25)
    savepoint = job.stop_with_savepoint(tmp_path / "savepoints")
    assert payments.stats().charges == 30
    job = cluster.submit(
        JOB, *arguments, parallelism=2, savepoint=savepoint, settings=NO_CHECKPOINTS
    )
    inbox.wait_answered(first + second, meanwhile=job.checkpoint)

    assert payments.charges_per_order() == once(first + second)
    assert payments.stats().lookups == 30 + 25
    assert inbox.answered() == once(first + second)
