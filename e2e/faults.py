"""Random faults, aimed at where calls are being made."""

from __future__ import annotations

import random
import signal
import time
from dataclasses import dataclass
from statistics import quantiles

import httpx
from clusterkit import Cluster, Job, Payments, Process, wait_until

KILL = "kill"
# Two, the second while the job goes back to its checkpoint.
KILL_TWO = "kill two"
# Stands still, and goes on before it is given up.
PAUSE = "pause"
# Stands still until it is given up, and is ended then, as Kubernetes would: what it was about to
# send, it would send, and no level of durability can call that back.
FREEZE = "freeze"
KILL_JOBMANAGER = "kill JobManager"

KINDS = [KILL, KILL, KILL, KILL_TWO, PAUSE, FREEZE]

# What the target must have when it is hit, as the operator's metrics call it.
IN_FLIGHT, AT_GATE = "running", "atGate"

_BETWEEN_SECONDS = (1.0, 5.0)
_PAUSE_SECONDS = 1.0  # a third of the heartbeat's timeout
_SECOND_AFTER_SECONDS = (0.2, 6.0)


@dataclass
class Fault:
    """One fault, and what its target had to do a moment before.

    Attributes:
        at: Seconds since the first one could have come.
        kind: One of the kinds above.
        target: The process.
        in_flight: Invocations that ran in it, nearly all of them in a call.
        at_gate: Calls of it that waited for a checkpoint.
        recovered: For how many seconds the job did not run; 0 if it ran on.
    """

    at: float
    kind: str
    target: str
    in_flight: int
    at_gate: int
    recovered: float = 0.0

    def __str__(self) -> str:
        took = f"{self.recovered:5.1f} s" if self.recovered else "ran on"
        load = f"{self.in_flight:4} in flight, {self.at_gate:4} at the gate"
        return f"{self.at:7.1f} s  {self.kind:15}  {self.target:13}  {load}  {took}"


@dataclass(frozen=True)
class _Target:
    """A TaskManager at work."""

    process: Process
    in_flight: int
    at_gate: int


class Faults:
    """Makes faults, one after another, each when the job has recovered from the one before.

    Half of them hit calls in flight: the service keeps back what it has charged until there are
    some. The others hit calls at the gate, if the level has one. The seed fixes the kinds, the
    pauses, what is hit, and which subtask is looked at first.
    """

    def __init__(
        self, cluster: Cluster, job: Job, operator: str, payments: Payments, seed: int
    ) -> None:
        self._cluster = cluster
        self._job = job
        self._payments = payments
        self._operator = operator
        self._draw = random.Random(seed)
        self._started = time.monotonic()

    def run(self, kinds: list[str], moments: list[str], seconds: float) -> list[Fault]:
        """Makes faults for so long, or until there are no more calls to meet, and prints each."""
        faults: list[Fault] = []
        end = self._started + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, self._draw.uniform(*_BETWEEN_SECONDS)))
            kind, moment = self._draw.choice(kinds), self._draw.choice(moments)
            if moment == IN_FLIGHT:
                self._payments.hold_answers()
            target = self._aim(moment, end)
            if target is not None:
                faults.append(self._strike(kind, target))
                print(faults[-1], flush=True)
        self._payments.release_answers()
        return faults

    # ---------------------------------------------------------------- aim

    def _aim(self, moment: str, end: float) -> _Target | None:
        """A TaskManager with such calls; None if none has any until the end."""
        first = self._draw.random()
        before: dict[str, int] = {}
        while time.monotonic() < end:
            try:
                target = self._busy(moment, first, before)
            except (httpx.HTTPError, LookupError):
                target = None  # a TaskManager is just going, and the job with it
            if target is not None:
                return target
            time.sleep(0.05)
        return None

    def _busy(self, moment: str, first: float, before: dict[str, int]) -> _Target | None:
        """One look; ``before`` has the CPU times of the first, whose metrics are of the last aim.

        Flink fetches metrics when it is asked for them, and answers with those that it has.
        """
        rest, job = self._cluster.rest, self._job.id
        ids = rest.taskmanagers_of(job, self._operator)
        for number in range(len(ids)):
            subtask = (int(first * len(ids)) + number) % len(ids)
            cpu_time = rest.cpu_time(ids[subtask])
            if before.setdefault(ids[subtask], cpu_time) == cpu_time:
                continue
            load = rest.durable_metrics(job, self._operator, subtask, IN_FLIGHT, AT_GATE)
            if load.get(moment):
                process = self._cluster.taskmanager_of(ids[subtask])
                return _Target(process, load[IN_FLIGHT], load[AT_GATE])
        return None

    # ---------------------------------------------------------------- strike

    def _strike(self, kind: str, target: _Target) -> Fault:
        process = self._cluster.jobmanager if kind == KILL_JOBMANAGER else target.process
        restarts = self._job.restarts()
        began = time.monotonic()
        fault = Fault(began - self._started, kind, process.name, target.in_flight, target.at_gate)
        if kind in (PAUSE, FREEZE):
            noticed = self._stand_still(process, restarts, until_given_up=kind == FREEZE)
        else:
            process.kill()
            noticed = True
        self._payments.release_answers()
        if noticed:
            wait_until(lambda: self._is_down(restarts), "the failure of the job")
            if kind == KILL_TWO:
                self._kill_another(process)
            self._job.wait_running()
            fault.recovered = time.monotonic() - began
        return fault

    def _stand_still(self, process: Process, restarts: int, *, until_given_up: bool) -> bool:
        """Whether the process was given up; it does not go on then."""
        process.send(signal.SIGSTOP)
        if until_given_up:
            wait_until(lambda: self._is_down(restarts), "the end of the heartbeat's timeout")
        else:
            time.sleep(_PAUSE_SECONDS)
        given_up = self._is_down(restarts)
        process.send(signal.SIGKILL if given_up else signal.SIGCONT)
        return given_up

    def _kill_another(self, one: Process) -> None:
        time.sleep(self._draw.uniform(*_SECOND_AFTER_SECONDS))
        others = [process for process in self._cluster.taskmanagers if process is not one]
        self._draw.choice(others).kill()

    def _is_down(self, restarts: int) -> bool:
        """Whether its tasks do not run, or have been deployed anew since."""
        return self._job.restarts() != restarts or not self._job.is_running()


def recovery_times(faults: list[Fault]) -> tuple[float, float]:
    """The median and the 99th percentile of the seconds that recoveries took; 0 without any."""
    times = [fault.recovered for fault in faults if fault.recovered]
    if not times:
        return 0.0, 0.0
    # one value has no quantiles, two equal ones do
    cuts = quantiles(times * 2, n=100, method="inclusive")
    return cuts[49], cuts[98]
