"""A TaskManager that was given up goes on: its late results change nothing."""

from __future__ import annotations

import signal

from clusterkit import Cluster, Payments, wait_until
from clusterkit.orders import JOB, Inbox, make_orders


def test_late_results_of_a_stopped_taskmanager_touch_nothing(
    cluster: Cluster, payments: Payments, inbox: Inbox
) -> None:
    """Both the zombie and its successor get an answer for the same order; one of them counts."""
    job = cluster.submit(JOB, *inbox.arguments(payments.url, "gated"))
    first, later = make_orders("first", 30), make_orders("later", 30)
    payments.hold_answers()
    inbox.put(first)
    wait_until(lambda: payments.stats().orders_charged == len(first), "charges for all orders")
    restarts = job.restarts()
    zombie = cluster.busy_taskmanager(job, "orders")

    pid = zombie.send(signal.SIGSTOP)
    job.wait_restarted(restarts)
    inbox.wait_answered(first)  # by the successor, whose reconcilers found the charges
    payments.release_answers()  # they wait in the zombie's sockets
    zombie.send(signal.SIGCONT)
    inbox.put(later)
    inbox.wait_answered(later)
    job.wait_checkpoint()

    assert payments.charges_per_order() == {one["id"]: 1 for one in first + later}
    assert inbox.answered() == {one["id"]: 1 for one in first + later}
    assert zombie.pid == pid, "the zombie ended, so nothing of it was late"
    assert cluster.busy_taskmanager(job, "orders").pid != pid
