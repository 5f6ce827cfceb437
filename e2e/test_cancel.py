"""Cancel under load."""

from __future__ import annotations

import time

from clusterkit import Cluster, Payments, wait_until
from clusterkit.orders import JOB, Inbox, make_orders
from clusterkit.procfs import thread_count

_PROMPT_SECONDS = 30


def test_cancel_with_calls_in_flight_is_prompt_and_leaves_no_thread(
    cluster: Cluster, payments: Payments, inbox: Inbox
) -> None:
    warm_up = make_orders("warm-up", 10)
    job = cluster.submit(JOB, *inbox.arguments(payments.url, "gated"))
    inbox.put(warm_up)
    inbox.wait_answered(warm_up)
    taskmanager = cluster.busy_taskmanager(job, "orders")
    payments.hold_answers()
    inbox.put(make_orders("load", 1_000))
    # 64 threads for calls, each with an order whose answer does not come.
    wait_until(lambda: payments.stats().orders_charged == 10 + 64, "every thread in a call")
    threads = thread_count(taskmanager.pid)

    started = time.monotonic()
    job.cancel()
    assert time.monotonic() - started < _PROMPT_SECONDS
    payments.release_answers()

    wait_until(lambda: thread_count(taskmanager.pid) <= threads - 64, "the end of the threads")
    assert payments.stats().charges == 10 + 64
