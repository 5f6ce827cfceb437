"""A TaskManager that was given up goes on: its late results and appends change nothing."""

from __future__ import annotations

import signal

from clusterkit import NO_CHECKPOINTS, Cluster, Payments
from clusterkit.orders import JOB, Inbox, make_orders, once


def test_late_results_of_a_stopped_taskmanager_touch_nothing(
    cluster: Cluster, payments: Payments, inbox: Inbox
) -> None:
    """Both the zombie and its successor get an answer for the same order; one of them counts.

    Both have calls at the gate, too; no checkpoint ever releases those of the zombie.
    """
    arguments = inbox.arguments(payments.url, "gated")
    job = cluster.submit(JOB, *arguments, settings=NO_CHECKPOINTS)
    # Not as many in one as in the other: metrics may be those of a moment ago.
    first, at_gate = make_orders("first", 30), make_orders("at-gate", 20)
    later = make_orders("later", 30)

    payments.hold_answers()
    inbox.put(first)
    cluster.wait_at_gate(job, "orders", len(first))
    job.checkpoint()
    payments.wait_charged(first)
    inbox.put(at_gate)
    cluster.wait_at_gate(job, "orders", len(at_gate))
    restarts = job.restarts()
    zombie = cluster.busy_taskmanager(job, "orders")

    pid = zombie.send(signal.SIGSTOP)
    job.wait_restarted(restarts)
    # by the successor, whose reconcilers found the charges
    inbox.wait_answered(first, meanwhile=job.checkpoint)
    payments.release_answers()  # they wait in the zombie's sockets
    zombie.send(signal.SIGCONT)
    inbox.put(later)
    inbox.wait_answered(at_gate + later, meanwhile=job.checkpoint)

    orders = first + at_gate + later
    assert payments.charges_per_order() == once(orders)
    assert inbox.answered() == once(orders)
    assert zombie.pid == pid, "the zombie ended, so nothing of it was late"
    assert cluster.busy_taskmanager(job, "orders").pid != pid


def test_a_stopped_taskmanager_appends_nothing_to_the_log_of_its_successor(
    log_kafka: str | None, cluster: Cluster, payments: Payments, inbox: Inbox
) -> None:
    """The outcomes of its calls come late; a third attempt reads what the second has found out."""
    arguments = inbox.arguments(payments.url, "write-ahead", log_kafka)
    job = cluster.submit(JOB, *arguments, settings=NO_CHECKPOINTS)
    first, later, last = (make_orders(name, 30) for name in ("first", "later", "last"))

    payments.hold_answers()
    inbox.put(first)
    payments.wait_charged(first)
    restarts = job.restarts()
    zombie = cluster.busy_taskmanager(job, "orders")
    pid = zombie.send(signal.SIGSTOP)
    job.wait_restarted(restarts)
    # by the successor, whose reconcilers found the charges that the log told of
    inbox.wait_answered(first, meanwhile=job.checkpoint)
    assert payments.stats().lookups == 30
    payments.release_answers()  # they wait in the zombie's sockets
    zombie.send(signal.SIGCONT)
    inbox.put(later)
    inbox.wait_answered(later, meanwhile=job.checkpoint)
    assert zombie.pid == pid, "the zombie ended, so nothing of it was late"

    payments.hold_answers()
    inbox.put(last)
    payments.wait_charged(last)
    cluster.kill_busy_taskmanager(job, "orders")
    payments.release_answers()
    inbox.wait_answered(last, meanwhile=job.checkpoint)

    orders = first + later + last
    assert payments.charges_per_order() == once(orders)
    assert payments.stats().lookups == 60
    assert inbox.answered() == once(orders)
