"""Lets the orders arrive one by one, and makes the task fail on the way.

A function of the job's source task: when it raises, Flink cancels the durable operator with
whatever calls it has running, and restores both from the last completed checkpoint.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pyflink_durable.demo import payments
from pyflink_durable.demo.orders import Order, parse_order

# Time enough for each failure to wait for a checkpoint of its own, twice the demo's interval.
SECONDS_PER_FAILURE = 1.2
_LOOK_AGAIN_SECONDS = 0.02
# Longer than it takes to look again and to have the next order; the service is asked anew then.
_HOLD_SECONDS = 3.0
# Longer than it takes to cancel the operator, which else had its answers after all; and shorter
# than the job waits before it restarts.
_HOLD_AT_FAILURE_SECONDS = 0.5


class InjectedFailure(Exception):
    """What the demo makes the task fail with."""


@dataclass(frozen=True)
class FailurePlan:
    """When an attempt fails: as soon as a checkpoint knows of a charge that is under way.

    After an attempt's first `orders` orders the service keeps its answers back. When it has made a
    charge and not answered, the next checkpoint to begin and to complete has that call in doubt. At
    the checkpoint level there are also a few calls that were made in the milliseconds since (made
    again: nothing knows of them).

    Attributes:
        failures: How many attempts fail.
        orders: How many orders an attempt lets through before it wants a charge to be under way.
        gap: Seconds between two orders from then on, at the least. A checkpoint's barrier passes
            behind an order: with a gap above the checkpoints' interval it does behind each.
        url: The payment service.
        checkpoints: The job's checkpoint directory; a checkpoint is complete when it has metadata.
        markers: A directory that outlives the attempts: a file in it for every failure so far.
    """

    failures: int
    orders: int
    gap: float
    url: str
    checkpoints: Path
    markers: Path

    def is_due(self) -> bool:
        return len(list(self.markers.iterdir())) < self.failures

    def fail(self) -> None:
        payments.hold_answers(self.url, _HOLD_AT_FAILURE_SECONDS)
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
        if self._arrived >= self._plan.orders and self._plan.is_due():
            self._wait_for_failure()
        else:
            time.sleep(self._gap)
        self._arrived += 1
        return parse_order(line)

    def _wait_for_failure(self) -> None:
        until = time.monotonic() + max(self._gap, self._plan.gap)
        while (left := until - time.monotonic()) > 0:
            self._fail_if_known()
            time.sleep(min(left, _LOOK_AGAIN_SECONDS))

    def _fail_if_known(self) -> None:
        held = payments.hold_answers(self._plan.url, _HOLD_SECONDS)
        if self._checkpoint_before is None:
            if held:
                started = started_checkpoints(self._plan.checkpoints)
                self._checkpoint_before = max(started, default=0)
        elif newest_checkpoint(self._plan.checkpoints) > self._checkpoint_before:
            self._plan.fail()


def gap_between(orders: int, failures: int, rate: float) -> float:
    """Seconds between two orders: `rate` per second, slower if a short file has failures to fit."""
    return max(1 / rate, SECONDS_PER_FAILURE * (failures + 1) / orders)


def orders_before_failure(orders: int, failures: int) -> int:
    """Half of an attempt's even share; the other half is for the checkpoint to come."""
    return max(1, orders // (2 * (failures + 1)))
