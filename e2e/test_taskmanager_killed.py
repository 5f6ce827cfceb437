"""``kill -9`` of a TaskManager with calls in flight."""

from __future__ import annotations

import pytest
from clusterkit import Cluster, Payments
from clusterkit.orders import JOB, Inbox, make_orders, once


@pytest.mark.parametrize("durability", ["checkpoint", "gated", "write-ahead"])
def test_calls_in_flight_are_not_repeated(
    durability: str, cluster: Cluster, payments: Payments, inbox: Inbox
) -> None:
    """They were charged and not answered: the reconciler finds each charge in their place."""
    done, in_flight, later = (make_orders(name, 30) for name in ("done", "in-flight", "later"))
    job = cluster.submit(JOB, *inbox.arguments(payments.url, durability), parallelism=2)
    inbox.put(done)
    inbox.wait_answered(done)

    payments.hold_answers()
    inbox.put(in_flight)
    payments.wait_charged(in_flight)
    job.wait_remembered(durability)
    cluster.kill_busy_taskmanager(job, "orders")
    payments.release_answers()
    inbox.wait_answered(in_flight)
    inbox.put(later)
    inbox.wait_answered(later)

    assert payments.charges_per_order() == once(done + in_flight + later)
    assert payments.stats().lookups == len(in_flight)
    assert inbox.answered() == once(done + in_flight + later)
