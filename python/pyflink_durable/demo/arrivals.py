"""Lets the orders arrive one by one, and makes the task fail on the way.

A function of the job's source task: when it raises, Flink cancels the durable operator with
whatever calls it has running, and restores both from the last completed checkpoint.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pyflink_durable.demo.orders import Order, parse_order

# Time enough for each failure to wait for a checkpoint of its own, twice the demo's interval.
SECONDS_PER_FAILURE = 1.2
_LOOK_AGAIN_SECONDS = 0.005


class InjectedFailure(Exception):
    """What the demo makes the task fail with."""


@dataclass(frozen=True)
class FailurePlan:
    """When an attempt fails: as soon as a checkpoint completes after its first `orders` orders.

    A failure then finds calls in flight that the checkpoint knows (replayed or reconciled after
    it) and at the checkpoint level a few that were made in the milliseconds since (made again:
    nothing knows of them).

    Attributes:
        failures: How many attempts fail.
        orders: How many orders an attempt lets through before it waits for a checkpoint.
        checkpoints: The job's checkpoint directory; a checkpoint is complete when it has metadata.
        markers: A directory that outlives the attempts: a file in it for every failure so far.
    """

    failures: int
    orders: int
    checkpoints: Path
    markers: Path

    def is_due(self) -> bool:
        return len(list(self.markers.iterdir())) < self.failures

    def fail(self) -> None:
        number = len(list(self.markers.iterdir())) + 1
        (self.markers / f"failure-{number}").touch()
        raise InjectedFailure(f"failure {number} of {self.failures}, made by the demo")


def started_checkpoints(directory: Path) -> Iterator[int]:
    """The numbers of the checkpoints whose folders are there, complete or not."""
    return (int(folder.name.removeprefix("chk-")) for folder in directory.glob("*/chk-*"))


def newest_checkpoint(directory: Path) -> int:
    """The number of the newest complete checkpoint; 0 if there is none."""
    found = directory.glob("*/chk-*/_metadata")
    return max((int(file.parent.name.removeprefix("chk-")) for file in found), default=0)


class Arrivals:
    """A map from lines to orders that takes `gap` seconds each; every attempt has a fresh one."""

    def __init__(self, gap: float, plan: FailurePlan) -> None:
        self._gap = gap
        self._plan = plan
        self._arrived = 0
        self._checkpoint_before: int | None = None

    def __call__(self, line: str) -> Order:
        self._wait()
        self._arrived += 1
        if self._arrived == self._plan.orders and self._plan.is_due():
            self._checkpoint_before = newest_checkpoint(self._plan.checkpoints)
        return parse_order(line)

    def _wait(self) -> None:
        until = time.monotonic() + self._gap
        while (left := until - time.monotonic()) > 0:
            if self._checkpoint_before is None:
                time.sleep(left)
            else:
                self._fail_after_checkpoint(self._checkpoint_before)
                time.sleep(min(left, _LOOK_AGAIN_SECONDS))

    def _fail_after_checkpoint(self, before: int) -> None:
        if newest_checkpoint(self._plan.checkpoints) > before:
            self._plan.fail()


def gap_between(orders: int, failures: int, rate: float) -> float:
    """Seconds between two orders: `rate` per second, slower if a short file has failures to fit."""
    return max(1 / rate, SECONDS_PER_FAILURE * (failures + 1) / orders)


def orders_before_failure(orders: int, failures: int) -> int:
    """Half of an attempt's even share; the other half is for the checkpoint to come."""
    return max(1, orders // (2 * (failures + 1)))
