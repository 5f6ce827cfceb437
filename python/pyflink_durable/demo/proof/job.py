"""The proof's job: that of the demo, with points in it at which tasks fail."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pyflink_durable import RunnerContext
from pyflink_durable.demo.arrivals import newest_checkpoint, started_checkpoints
from pyflink_durable.demo.job import Handler, charge_order
from pyflink_durable.demo.orders import Order, parse_order
from pyflink_durable.demo.payments import charge_card
from pyflink_durable.demo.proof.failures import (
    FailurePoints,
    Failures,
    InjectedFailure,
    LostCall,
    Place,
)


def failing_handler(url: str, failures: Failures) -> Handler:
    """A handler that charges an order, and now and then fails in the call or behind it."""
    points = FailurePoints(failures)

    def charge(url: str, order: Order) -> dict[str, Any]:
        _lose_at(Place.BEFORE_CHARGE)
        charged = charge_card(url, order)
        _lose_at(Place.AFTER_CHARGE)
        return charged

    def _lose_at(place: Place) -> None:
        if points.fails_at(place):
            raise LostCall(place.value)

    async def handle_order(order: Order, ctx: RunnerContext) -> dict[str, Any]:
        charged = await charge_order(url, order, ctx, charge)
        _fail_at(points, Place.IN_HANDLER)
        return {"order": order["id"], "charge": charged["id"]}

    return handle_order


def failing_writer(failures: Failures) -> Callable[[dict[str, Any]], str]:
    """Turns answers into lines, behind the operator."""
    points = FailurePoints(failures)

    def write(answer: dict[str, Any]) -> str:
        _fail_at(points, Place.BEHIND_OPERATOR)
        return json.dumps(answer)

    return write


class FailingArrivals:
    """A map from lines to orders that takes `gap` seconds each, and may fail at a checkpoint."""

    def __init__(self, gap: float, checkpoints: Path, failures: Failures) -> None:
        self._gap = gap
        self._checkpoints = checkpoints
        self._points = FailurePoints(failures)
        self._started = 0
        self._completed = 0

    def __call__(self, line: str) -> Order:
        time.sleep(self._gap)
        started = max(started_checkpoints(self._checkpoints), default=0)
        completed = newest_checkpoint(self._checkpoints)
        if started > max(self._started, completed):
            self._started = started
            _fail_at(self._points, Place.DURING_CHECKPOINT)
        if completed > self._completed:
            self._completed = completed
            _fail_at(self._points, Place.AFTER_CHECKPOINT)
        return parse_order(line)


def _fail_at(points: FailurePoints, place: Place) -> None:
    if points.fails_at(place):
        raise InjectedFailure(f"{place.value}, made by the proof")
