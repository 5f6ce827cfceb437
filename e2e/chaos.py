"""Random faults against a job of thousands of orders: `make chaos`.

    python e2e/chaos.py --orders 2000 --seconds 120 --seed 1 --durability gated

Orders come from one Kafka topic and answers go to another, exactly once; the payment service is as
slow and as unreliable as that of the demo, and charges every time it is asked. What counts is in
its database and in the topic of answers. Faults hit where calls are being made (`faults`).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

E2E = Path(__file__).resolve().parent
sys.path[:0] = [str(E2E), str(E2E.parent / "python")]
os.environ["PYTHONPATH"] = str(E2E.parent / "python")

from clusterkit import Broker, Cluster, Payments, ZooKeeper, artifact_jars, wait_until  # noqa: E402
from clusterkit.orders import JOB, make_orders  # noqa: E402
from faults import (  # noqa: E402
    AT_GATE,
    IN_FLIGHT,
    KILL_JOBMANAGER,
    KINDS,
    Fault,
    Faults,
    recovery_times,
)

from pyflink_durable.demo.orders import Order  # noqa: E402
from pyflink_durable.demo.proof.report import broken_promises  # noqa: E402
from pyflink_durable.demo.proof.verdict import Verdict  # noqa: E402
from pyflink_durable.options import Durability  # noqa: E402

TASKMANAGERS = 3
BATCHES_PER_SECOND = 2


@dataclass(frozen=True)
class Report:
    """What is printed and written; the counts are of the database and of the topic.

    ``broken`` has the promises that were broken, each with its orders.
    """

    seed: int
    durability: Durability
    orders: int
    charged: int
    charged_twice: int
    answered: int
    answered_twice: int
    lookups: int
    seconds: float
    recovery_p50: float
    recovery_p99: float
    broken: dict[str, list[str]]
    faults: list[Fault]


def main() -> int:
    options = _parser().parse_args()
    orders = make_orders("order", options.orders, customers=200)
    with ExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(prefix="chaos-")
        folder = options.folder or Path(stack.enter_context(temporary))
        folder.mkdir(parents=True, exist_ok=True)
        broker = stack.enter_context(Broker.running(folder))
        payments = stack.enter_context(Payments.running(folder, "--seed", str(options.seed)))
        kinds, settings = [*KINDS], {}
        moments = [IN_FLIGHT, AT_GATE] if options.durability == "gated" else [IN_FLIGHT]
        if options.jobmanager:
            kinds += [KILL_JOBMANAGER, KILL_JOBMANAGER]
            zookeeper = stack.enter_context(ZooKeeper.running(folder))
            settings = zookeeper.settings(folder / "ha")
        cluster = stack.enter_context(
            Cluster(
                folder / "cluster",
                taskmanagers=TASKMANAGERS,
                settings=settings,
                jars=artifact_jars("connector"),
            )
        )
        for topic in ("orders", "answers"):
            broker.create_topic(topic, partitions=2)
        arguments = _arguments(options, folder, broker, payments)
        job = cluster.submit(JOB, *arguments, parallelism=2)

        started = time.monotonic()
        sender = threading.Thread(target=_send, args=(broker, orders, options.seconds))
        sender.start()
        faults = Faults(cluster, job, "orders", payments, options.seed)
        made = faults.run(kinds, moments, options.seconds)
        sender.join()
        try:
            _wait_for_answers(broker, len(orders))
            job.wait_checkpoint()  # what is answered twice would be committed by now
        finally:  # an answer that never came is to be in the report, too
            seconds = time.monotonic() - started
            verdict = _verdict(options.durability, orders, broker, payments)
            report = _report(options.seed, verdict, payments.stats().lookups, seconds, made)
            _print(report, verdict)
            options.report.write_text(json.dumps(asdict(report), indent=2) + "\n")
    return 1 if verdict.broken else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Random faults against a job of many orders.")
    parser.add_argument("--orders", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=120, help="how long faults are made")
    parser.add_argument("--seed", type=int, default=1, help="fixes the faults and the payments")
    parser.add_argument(
        "--durability",
        choices=get_args(Durability),
        default="gated",
        help="level of the job's calls; default gated",
    )
    parser.add_argument("--handler", choices=("async", "def"), default="async")
    parser.add_argument("--log", choices=("files", "kafka"), default="files", help="at write-ahead")
    parser.add_argument("--jobmanager", action="store_true", help="kill the JobManager, too")
    parser.add_argument("--report", type=Path, default=E2E / "chaos.json", help="where to write")
    parser.add_argument("--folder", type=Path, help="a new one, to keep logs and data in")
    return parser


def _arguments(
    options: argparse.Namespace, folder: Path, broker: Broker, payments: Payments
) -> list[str]:
    """What the job file is given."""
    arguments = ["--kafka", broker.bootstrap, "--service", payments.url]
    arguments += ["--durability", options.durability, "--handler", options.handler]
    if options.durability == "write-ahead" and options.log == "kafka":
        arguments += ["--log-kafka", broker.bootstrap]
    elif options.durability == "write-ahead":
        arguments += ["--log-directory", str(folder / "call-log")]
    return arguments


def _send(broker: Broker, orders: list[Order], seconds: float) -> None:
    """Spreads the orders over the time of the faults."""
    batches = max(1, int(seconds * BATCHES_PER_SECOND))
    size = -(-len(orders) // batches)
    started = time.monotonic()
    for number, begin in enumerate(range(0, len(orders), size)):
        # By the clock: what a batch takes on a busy machine is not added to the pauses.
        time.sleep(max(0.0, started + number / BATCHES_PER_SECOND - time.monotonic()))
        broker.send("orders", orders[begin : begin + size])


def _wait_for_answers(broker: Broker, count: int) -> None:
    def answered() -> bool:
        return len({answer["order"] for answer in broker.committed("answers")}) >= count

    wait_until(answered, f"answers to all {count} orders", 300)


def _verdict(
    durability: Durability, orders: list[Order], broker: Broker, payments: Payments
) -> Verdict:
    ids = [order["id"] for order in orders]
    return Verdict(durability, ids, payments.charges(), broker.committed("answers"))


def _report(
    seed: int, verdict: Verdict, lookups: int, seconds: float, faults: list[Fault]
) -> Report:
    recovery_p50, recovery_p99 = recovery_times(faults)
    orders = len(verdict.orders)
    return Report(
        seed=seed,
        durability=verdict.level,
        orders=orders,
        charged=orders - len(verdict.not_charged),
        charged_twice=len(verdict.charged_again),
        answered=orders - len(verdict.not_answered),
        answered_twice=len(verdict.answered_again),
        lookups=lookups,
        seconds=seconds,
        recovery_p50=recovery_p50,
        recovery_p99=recovery_p99,
        broken=verdict.broken,
        faults=faults,
    )


def _print(report: Report, verdict: Verdict) -> None:
    kinds = Counter(fault.kind for fault in report.faults)
    print(f"\nseed {report.seed}, durability {report.durability}, {report.seconds:.0f} s")
    print(f"faults          {len(report.faults)}: {dict(kinds)}")
    print(f"recovery        p50 {report.recovery_p50:.1f} s, p99 {report.recovery_p99:.1f} s")
    print(f"orders          {report.orders}")
    print(f"charged         {report.charged}, of them twice {report.charged_twice}")
    print(f"answered        {report.answered}, of them twice {report.answered_twice}")
    print(f"look-ups        {report.lookups}")
    print("the promise     " + ("BROKEN" if report.broken else "kept"))
    for sentence in broken_promises(verdict):
        print(sentence)


if __name__ == "__main__":
    sys.exit(main())
