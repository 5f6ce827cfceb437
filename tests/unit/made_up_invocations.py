"""Five kinds of trouble, as a snapshot would tell them."""

from __future__ import annotations

import pickle
from datetime import datetime, timedelta, timezone
from typing import Any

from pyflink_durable.inspection.findings import Findings
from pyflink_durable.snapshot import Invocation, OperatorInfo, Payload, Slot, SlotKind

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
OPERATOR = OperatorInfo("0a", "orders", None, 1, 128, 9)


def micros(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)


def payload(value: Any) -> Payload:
    data = pickle.dumps(value)
    return Payload(len(data), data)


def slot(number: int, name: str, status: str = "PENDING", **other: Any) -> Slot:
    fields = {
        "args_digest": "00",
        "attempt": 1,
        "completion": None,
        "due": None,
        "ended": None,
        "repeatable": False,
        "result": None,
        "exception": None,
    }
    return Slot(number, name, status=status, **(fields | other))


def invocation(
    key: Any, *slots: Slot, hours: float | None = None, place: int = 0, parked: bool = False
) -> Invocation:
    began = None if hours is None else micros(NOW - timedelta(hours=hours))
    data = pickle.dumps(key)
    order = payload({"order": key})
    return Invocation(OPERATOR, data, place, None, place, order, {}, slots, began, 3, parked=parked)


def in_millis(minutes: float) -> int:
    return round((NOW + timedelta(minutes=minutes)).timestamp() * 1e3)


ENDED = slot(
    0,
    "shop.reserve#1a",
    "SUCCEEDED",
    completion=0,
    ended=micros(NOW - timedelta(hours=2)),
    result=payload("reserved"),
)
REFUSED = slot(
    1,
    "shop.charge",
    "FAILED",
    completion=1,
    ended=micros(NOW - timedelta(hours=1)),
    exception=payload(ValueError("refused")),
)
IN_DOUBT = invocation("ann", ENDED, slot(1, "shop.charge"), hours=3)
RETRYING = invocation("ben", slot(0, "shop.charge", attempt=3, due=in_millis(5)), hours=0.5)
SLEEPING = invocation(
    *("cid", ENDED, REFUSED, slot(2, "", kind=SlotKind.TIMER, due=in_millis(60 * 26))),
    hours=50,
    parked=True,
)
RUNNING = invocation("dan")
IN_LINE = invocation("ann", place=1)
LAST = invocation("<script>alert('eve')</script>", slot(0, "ship"), hours=0.01)
ALL = [IN_LINE, RUNNING, SLEEPING, LAST, RETRYING, IN_DOUBT]


def findings_of(invocations: list[Invocation], limit: int = 50) -> Findings:
    findings = Findings(limit)
    findings.add_operators([OPERATOR])
    for one in invocations:
        findings.add(one)
    return findings
