"""Random faults against a job of thousands of orders: `make chaos`.

    python e2e/chaos.py --orders 2000 --seconds 120 --seed 1 --durability checkpoint

Orders come from one Kafka topic and answers go to another, exactly once; the payment service is as
slow and as unreliable as that of the demo, and charges every time it is asked. What counts is in
its database and in the topic of answers. The seed fixes which fault comes when.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import quantiles

E2E = Path(__file__).resolve().parent
sys.path[:0] = [str(E2E), str(E2E.parent / "python")]
os.environ["PYTHONPATH"] = str(E2E.parent / "python")

from clusterkit import Broker, Cluster, Job, Payments, ZooKeeper, artifact_jars, wait_until  # noqa: E402
from clusterkit.orders import JOB, make_orders  # noqa: E402
from clusterkit.process import Process  # noqa: E402

KILL, STOP, KILL_JOBMANAGER = "kill TaskManager", "stop TaskManager", "kill JobManager"
TASKMANAGERS = 3
BATCHES_PER_SECOND = 4
# A stopped process is given up after the heartbeat's timeout of 3 s, or goes on before it.
STOPS_SECONDS = (1.0, 6.0)
PAUSE_SECONDS = (2.0, 8.0)
NOTICED_SECONDS = 8.0


@dataclass
class Fault:
    """One fault; `recovered` is how long the job did not run for it, 0 if it did not notice."""

    at: float
    kind: str
    target: str
    recovered: float = 0.0


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


class Chaos:
    """Makes faults, one after another, each when the job has recovered from the one before."""

    def __init__(self, cluster: Cluster, job: Job, seed: int, kinds: list[str]) -> None:
        self._cluster = cluster
        self._job = job
        self._draw = random.Random(seed)
        self._kinds = kinds
        self._started = time.monotonic()

    def run(self, seconds: float) -> list[Fault]:
        faults = []
        while (left := self._started + seconds - time.monotonic()) > 0:
            time.sleep(min(left, self._draw.uniform(*PAUSE_SECONDS)))
            faults.append(self._fault())
            fault = faults[-1]
            took = f"{fault.recovered:.1f} s" if fault.recovered else "not noticed"
            print(f"{fault.at:7.1f} s  {fault.kind:16} {fault.target:14} {took}", flush=True)
        return faults

    def _fault(self) -> Fault:
        kind = self._draw.choice(self._kinds)
        target = self._draw.choice(self._cluster.taskmanagers)
        if kind == KILL_JOBMANAGER:
            target = self._cluster.jobmanager
        restarts = self._job.restarts()
        began = time.monotonic()
        fault = Fault(began - self._started, kind, target.name)
        self._make(kind, target)
        if self._noticed(restarts):
            self._job.wait_running()
            fault.recovered = time.monotonic() - began
        return fault

    def _make(self, kind: str, target: Process) -> None:
        if kind == STOP:
            target.send(signal.SIGSTOP)
            time.sleep(self._draw.choice(STOPS_SECONDS))
            target.send(signal.SIGCONT)
        else:
            target.kill()

    def _noticed(self, restarts: int) -> bool:
        """Whether its tasks are deployed anew; it need not have had any on the target."""
        until = time.monotonic() + NOTICED_SECONDS
        while time.monotonic() < until:
            if self._job.restarts() != restarts or not self._job.is_running():
                return True
            time.sleep(0.1)
        return False


def main() -> int:
    options = _parser().parse_args()
    orders = make_orders("order", options.orders, customers=200)
    report = Report(options.seed, options.durability, options.orders)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        broker = stack.enter_context(Broker.running(folder))
        payments = stack.enter_context(Payments.running(folder, "--seed", str(options.seed)))
        kinds, settings = [KILL, KILL, KILL, STOP], {}
        if options.jobmanager:
            kinds.append(KILL_JOBMANAGER)
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
        job = cluster.submit(JOB, *arguments, "--durability", options.durability, parallelism=2)

        started = time.monotonic()
        sender = threading.Thread(target=_send, args=(broker, orders, options.seconds))
        sender.start()
        report.faults = Chaos(cluster, job, options.seed, kinds).run(options.seconds)
        sender.join()
        cluster.wait_complete()
        _wait_for_answers(broker, len(orders))
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
    parser.add_argument("--durability", default="checkpoint", help="level of the job's calls")
    parser.add_argument("--jobmanager", action="store_true", help="kill the JobManager, too")
    parser.add_argument("--report", type=Path, default=E2E / "chaos.json", help="where to write")
    return parser


def _send(broker: Broker, orders: list[dict[str, object]], seconds: float) -> None:
    """Spreads the orders over the time of the faults."""
    batches = max(1, int(seconds * BATCHES_PER_SECOND))
    size = -(-len(orders) // batches)
    for begin in range(0, len(orders), size):
        broker.send("orders", orders[begin : begin + size])
        time.sleep(1 / BATCHES_PER_SECOND)


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
    recoveries = [fault.recovered for fault in report.faults if fault.recovered]
    if recoveries:
        # one value has no quantiles, two equal ones do
        cuts = quantiles(recoveries * 2, n=100, method="inclusive")
        report.recovery_p50, report.recovery_p99 = cuts[49], cuts[98]


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
