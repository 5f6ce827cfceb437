"""From topic to topic, exactly once, with a TaskManager killed on the way."""

from __future__ import annotations

from collections import Counter

from clusterkit import Broker, Cluster, Payments, wait_until
from clusterkit.orders import JOB, make_orders, once


def test_every_order_has_one_answer_in_the_topic(
    cluster: Cluster, broker: Broker, payments: Payments
) -> None:
    """And is charged once, at the gated level, whenever the crash comes."""
    broker.create_topic("orders", partitions=2)
    broker.create_topic("answers", partitions=2)
    arguments = ["--kafka", broker.bootstrap, "--service", payments.url]
    job = cluster.submit(JOB, *arguments, "--durability", "gated", parallelism=2)
    first, in_flight, later = (make_orders(name, 20) for name in ("first", "in-flight", "later"))
    orders = first + in_flight + later

    def answered() -> Counter[str]:
        return Counter(answer["order"] for answer in broker.committed("answers"))

    broker.send("orders", first)
    wait_until(lambda: len(answered()) == 20, "the first answers")
    payments.hold_answers()
    broker.send("orders", in_flight)
    payments.wait_charged(in_flight)
    cluster.kill_busy_taskmanager(job, "orders")
    payments.release_answers()
    broker.send("orders", later)
    wait_until(lambda: len(answered()) == len(orders), "all answers")
    job.wait_checkpoint()

    assert answered() == once(orders)
    assert payments.charges_per_order() == once(orders)
