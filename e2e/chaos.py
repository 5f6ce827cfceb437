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
from dataclasses import asdict, dataclass, field
from pathlib import Path

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

TASKMANAGERS = 3
BATCHES_PER_SECOND = 2


@dataclass
class Report:
    """What is printed and written; the counts are of the database and of the topic."""

    seed: int
    durability: str
    orders: int
    charged: int = 0
    charged_twice: int = 0
    answered: int = 0
    answered_twice: int = 0
    lookups: int = 0
    seconds: float = 0.0
    recovery_p50: float = 0.0
    recovery_p99: float = 0.0
    faults: list[Fault] = field(default_factory=list)

    def kept_its_promise(self) -> bool:
        """Nothing lost and no answer twice; beyond the checkpoint level no charge twice either."""
        complete = self.charged == self.answered == self.orders and not self.answered_twice
        return complete and (self.durability == "checkpoint" or not self.charged_twice)


def main() -> int:
    options = _parser().parse_args()
    orders = make_orders("order", options.orders, customers=200)
    report = Report(options.seed, options.durability, options.orders)
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
        arguments = ["--kafka", broker.bootstrap, "--service", payments.url]
        arguments += ["--durability", options.durability]
        if options.durability == "write-ahead":
            arguments += ["--log-directory", str(folder / "call-log")]
        job = cluster.submit(JOB, *arguments, parallelism=2)

        started = time.monotonic()
        sender = threading.Thread(target=_send, args=(broker, orders, options.seconds))
        sender.start()
        faults = Faults(cluster, job, "orders", payments, options.seed)
        report.faults = faults.run(kinds, moments, options.seconds)
        sender.join()
        _wait_for_answers(broker, len(orders))
        job.wait_checkpoint()  # what is answered twice would be committed by now
        report.seconds = time.monotonic() - started
        _count(report, broker, payments)
    _print(report)
    options.report.write_text(json.dumps(asdict(report), indent=2) + "\n")
    return 0 if report.kept_its_promise() else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Random faults against a job of many orders.")
    parser.add_argument("--orders", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=120, help="how long faults are made")
    parser.add_argument("--seed", type=int, default=1, help="fixes the faults and the payments")
    parser.add_argument("--durability", default="gated", help="level of the job's calls")
    parser.add_argument("--jobmanager", action="store_true", help="kill the JobManager, too")
    parser.add_argument("--report", type=Path, default=E2E / "chaos.json", help="where to write")
    parser.add_argument("--folder", type=Path, help="a new one, to keep logs and data in")
    return parser


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


def _count(report: Report, broker: Broker, payments: Payments) -> None:
    charges = payments.charges_per_order()
    answers = Counter(answer["order"] for answer in broker.committed("answers"))
    report.charged = len(charges)
    report.charged_twice = sum(count > 1 for count in charges.values())
    report.answered = len(answers)
    report.answered_twice = sum(count > 1 for count in answers.values())
    report.lookups = payments.stats().lookups
    report.recovery_p50, report.recovery_p99 = recovery_times(report.faults)


def _print(report: Report) -> None:
    kinds = Counter(fault.kind for fault in report.faults)
    print(f"\nseed {report.seed}, durability {report.durability}, {report.seconds:.0f} s")
    print(f"faults          {len(report.faults)}: {dict(kinds)}")
    print(f"recovery        p50 {report.recovery_p50:.1f} s, p99 {report.recovery_p99:.1f} s")
    print(f"orders          {report.orders}")
    print(f"charged         {report.charged}, of them twice {report.charged_twice}")
    print(f"answered        {report.answered}, of them twice {report.answered_twice}")
    print(f"look-ups        {report.lookups}")
    print("the promise     " + ("kept" if report.kept_its_promise() else "BROKEN"))


if __name__ == "__main__":
    sys.exit(main())
