"""Stop with a savepoint and resume with a changed handler, as docs/operations says.

In the savepoint each order has been reserved and charged, and its shipment is in doubt.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from clusterkit import Cluster, wait_until
from clusterkit.orders import Inbox, make_orders, once
from crashkit import World

JOB = Path(__file__).parent / "jobs" / "upgrade.py"
ORDERS = make_orders("order", 6)
IDS = [order["id"] for order in ORDERS]


def arguments(inbox: Inbox, world: World, handler: str, *more: str) -> list[str]:
    files = ["--orders", str(inbox.orders), "--output", str(inbox.answers)]
    return [*files, "--world", world.folder, "--handler", handler, *more]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Where calls leave their traces."""
    folder = tmp_path / "world"
    folder.mkdir()
    return World(str(folder))


@pytest.fixture
def savepoint(cluster: Cluster, inbox: Inbox, world: World, tmp_path: Path) -> str:
    """Of the original handler, with every order in flight."""
    job = cluster.submit(JOB, *arguments(inbox, world, "original"))
    inbox.put(ORDERS)
    shipments = [f"{order}/ship" for order in IDS]
    wait_until(lambda: world.has_all("run", shipments), "every shipment under way")
    return job.stop_with_savepoint(tmp_path / "savepoints")


def per_order(**counts: int) -> dict[str, int]:
    return {f"{order}/{call}": count for order in IDS for call, count in counts.items()}


@pytest.mark.parametrize(
    ("handler", "runs", "reconciled"),
    [
        ("original", {"reserve": 1, "charge": 1, "ship": 1}, True),
        ("one-more-at-the-end", {"reserve": 1, "charge": 1, "ship": 1, "thank": 1}, True),
        ("one-less-at-the-end", {"reserve": 1, "charge": 1, "ship": 1}, False),
        # The slot of the charge holds another call now: it and the shipment's are dropped.
        ("one-less-in-the-middle", {"reserve": 1, "charge": 1, "ship": 2}, False),
        ("reordered", {"reserve": 2, "charge": 2, "ship": 2}, False),
    ],
)
def test_resumed_with_another_handler(
    cluster: Cluster,
    inbox: Inbox,
    world: World,
    savepoint: str,
    handler: str,
    runs: dict[str, int],
    reconciled: bool,
) -> None:
    cluster.submit(JOB, *arguments(inbox, world, handler), savepoint=savepoint)
    inbox.wait_answered(ORDERS)

    assert Counter(world.subjects("run")) == per_order(**runs)
    assert Counter(world.subjects("reconcile")) == (per_order(ship=1) if reconciled else {})
    assert inbox.answered() == once(ORDERS)


def test_resumed_at_another_level(
    cluster: Cluster, inbox: Inbox, world: World, savepoint: str
) -> None:
    """Only the last call is made after the change, and waits for its checkpoint."""
    gated = arguments(inbox, world, "one-more-at-the-end", "--durability", "gated")
    cluster.submit(JOB, *gated, savepoint=savepoint)
    inbox.wait_answered(ORDERS)

    assert Counter(world.subjects("run")) == per_order(reserve=1, charge=1, ship=1, thank=1)
    assert Counter(world.subjects("reconcile")) == per_order(ship=1)


def test_a_mismatch_stops_the_upgrade_and_the_old_handler_goes_on(
    cluster: Cluster, inbox: Inbox, world: World, savepoint: str
) -> None:
    stopping = arguments(inbox, world, "reordered", "--on-mismatch", "protect")
    job = cluster.start(JOB, *stopping, savepoint=savepoint)
    wait_until(lambda: "JournalMismatch" in job.root_exception(), "the mismatch")
    job.cancel()
    assert Counter(world.subjects("run")) == per_order(reserve=1, charge=1, ship=1)

    cluster.submit(JOB, *arguments(inbox, world, "original"), savepoint=savepoint)
    inbox.wait_answered(ORDERS)

    assert Counter(world.subjects("run")) == per_order(reserve=1, charge=1, ship=1)
    assert Counter(world.subjects("reconcile")) == per_order(ship=1)
