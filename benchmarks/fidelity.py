"""What it costs that a call sees and gives the same in every run, for each kind of value.

As an argument a value is read for the call's identity, and copied for its function; as a result it
is written for the journal, and read back for the handler. CPU time of one thread, so that a busy
machine counts less.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydantic import BaseModel

from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.payload.copies import copy_of_call
from pyflink_durable.payload.results import pass_error, pass_result

ROUNDS = 7
SECONDS_PER_ROUND = 0.05


@dataclass
class Order:
    """An order as a dataclass."""

    id: str
    amount: float
    items: list[str] = field(default_factory=list)


class Model(BaseModel):
    """The same for pydantic."""

    id: str
    amount: float
    items: list[str]


def _raised() -> Exception:
    try:
        try:
            raise ConnectionError("reset by peer")
        except ConnectionError as error:
            raise ValueError("the service refused") from error
    except ValueError as refused:
        return refused


VALUES: dict[str, Any] = {
    "text of 100": "x" * 100,
    "bytes, 10 kB": b"x" * 10_000,
    "dict of ten": {f"field-{n}": n for n in range(10)},
    "list of 100 numbers": list(range(100)),
    "nested: 10 dicts of 10": [{f"field-{n}": str(n) for n in range(10)} for _ in range(10)],
    "dataclass": Order("o-1", 12.5, ["book", "lamp"]),
    "pydantic model": Model(id="o-1", amount=12.5, items=["book", "lamp"]),
    "array of 1,000 numbers": np.arange(1_000.0),
}


def measure_fidelity() -> list[dict[str, object]]:
    """A line for each kind of value, in microseconds a call."""
    lines = [
        _line(
            kind,
            identity=cost_of(compute_args_digest, (value,), {}),
            copy=cost_of(copy_of_call, print, (value,), {}),
            result=cost_of(pass_result, value),
        )
        for kind, value in VALUES.items()
    ]
    return [*lines, _line("exception with a cause", result=cost_of(pass_error, _raised()))]


def _line(kind: str, **costs: float) -> dict[str, object]:
    microseconds = {f"us_{name}": round(cost, 2) for name, cost in costs.items()}
    return {"case": f"fidelity-{kind}", **microseconds}


def cost_of(function: Callable[..., Any], *arguments: Any) -> float:
    """Microseconds of CPU of one call: the least of several rounds."""
    count, best = 1, float("inf")
    for _ in range(ROUNDS):
        while True:
            started = time.thread_time()
            for _ in range(count):
                function(*arguments)
            taken = time.thread_time() - started
            if taken >= SECONDS_PER_ROUND:
                break
            count *= 2
        best = min(best, taken / count)
    return best * 1e6


if __name__ == "__main__":
    for line in measure_fidelity():
        print(*line.values(), sep="\t")
