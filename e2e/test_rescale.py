"""Other numbers of subtasks through savepoints: 1, 3, 2, and 1 again."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from clusterkit import Cluster, Payments
from clusterkit.orders import Inbox, make_orders, once

from pyflink_durable.demo.orders import Order

JOB = Path(__file__).parent / "jobs" / "numbered.py"
CUSTOMERS = 8
PER_BATCH = 40


def numbers_per_customer(answers: list[dict[str, Any]]) -> dict[str, list[int]]:
    """The numbers that each customer's orders were given, in the order of the orders' ids."""
    numbers = defaultdict(list)
    for answer in sorted(answers, key=lambda one: int(one["order"].split("-")[1])):
        numbers[answer["customer"]].append(answer["number"])
    return numbers


def test_in_flight_calls_state_and_order_follow_their_keys(
    cluster: Cluster, payments: Payments, inbox: Inbox, tmp_path: Path
) -> None:
    """At each savepoint every customer has a call in flight, and orders in line behind it."""
    arguments = ["--orders", str(inbox.orders), "--output", str(inbox.answers)]
    arguments += ["--service", payments.url]
    orders = make_orders("order", 4 * PER_BATCH, customers=CUSTOMERS)
    batches = [orders[n : n + PER_BATCH] for n in range(0, len(orders), PER_BATCH)]
    before: list[Order] = []
    savepoint = None

    for batch, parallelism in zip(batches, (1, 3, 2), strict=False):
        job = cluster.submit(JOB, *arguments, parallelism=parallelism, savepoint=savepoint)
        inbox.wait_answered(before)
        payments.hold_answers()
        inbox.put(batch)
        payments.wait_charged(batch[:CUSTOMERS])  # of each customer the first
        savepoint = job.stop_with_savepoint(tmp_path / f"savepoint-{parallelism}")
        payments.release_answers()
        before += batch
    cluster.submit(JOB, *arguments, parallelism=1, savepoint=savepoint)
    inbox.put(batches[3])
    inbox.wait_answered(orders)

    assert payments.charges_per_order() == once(orders)
    assert inbox.answered() == once(orders)
    in_order = list(range(1, 4 * PER_BATCH // CUSTOMERS + 1))
    numbers = numbers_per_customer(inbox.lines())
    assert numbers == dict.fromkeys({order["customer"] for order in orders}, in_order)
