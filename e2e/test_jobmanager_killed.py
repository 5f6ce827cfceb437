"""``kill -9`` of the JobManager, with ZooKeeper for high availability."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clusterkit import Cluster, Payments, ZooKeeper, wait_until
from clusterkit.orders import JOB, Inbox, make_orders, once


@pytest.fixture
def available_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster whose jobs survive its JobManager."""
    with ZooKeeper.running(tmp_path) as zookeeper:
        settings = zookeeper.settings(tmp_path / "ha")
        with Cluster(tmp_path / "cluster", taskmanagers=2, settings=settings) as running:
            yield running


def test_the_job_goes_on_from_its_checkpoint(
    available_cluster: Cluster, payments: Payments, inbox: Inbox
) -> None:
    """Nobody submits it again; calls in flight are reconciled as after any other failure.

    At the gated level they started when ZooKeeper knew of a checkpoint that holds them.
    """
    cluster = available_cluster
    job = cluster.submit(JOB, *inbox.arguments(payments.url, "gated"))
    done, in_flight, later = (make_orders(name, 20) for name in ("done", "in-flight", "later"))
    inbox.put(done)
    inbox.wait_answered(done)
    payments.hold_answers()
    inbox.put(in_flight)
    payments.wait_charged(in_flight)

    before = cluster.jobmanager.kill()
    wait_until(lambda: cluster.jobmanager.pid != before, "another JobManager")
    wait_until(lambda: job.is_running() and job.restored_checkpoint(), "the job, restored")
    payments.release_answers()
    inbox.wait_answered(in_flight)
    inbox.put(later)
    inbox.wait_answered(later)

    assert payments.charges_per_order() == once(done + in_flight + later)
    assert payments.stats().lookups == len(in_flight)
    assert inbox.answered() == once(done + in_flight + later)
