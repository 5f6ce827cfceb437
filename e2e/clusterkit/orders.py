"""Orders in a directory that grows, and the answers in the sink's files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterkit.waiting import wait_until
from pyflink_durable.demo.job import read_results
from pyflink_durable.demo.orders import Order, write_orders

JOB = Path(__file__).resolve().parents[2] / "examples" / "orders.py"


def make_orders(prefix: str, count: int, customers: int = 10_000) -> list[Order]:
    """Orders ``prefix-0``, ``prefix-1``, ...; by default each of a customer of its own."""
    return [
        {"id": f"{prefix}-{n}", "customer": f"customer-{prefix}-{n % customers}", "amount": n + 1.0}
        for n in range(count)
    ]


def once(orders: Iterable[Order]) -> dict[str, int]:
    """What charges or answers are counted as when each order has one."""
    return {order["id"]: 1 for order in orders}


@dataclass(frozen=True)
class Inbox:
    """What goes into a job of files, and what has come out of it."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Inbox:
        inbox = cls(folder)
        inbox.orders.mkdir(parents=True)
        return inbox

    @property
    def orders(self) -> Path:
        return self.folder / "orders"

    @property
    def answers(self) -> Path:
        return self.folder / "answers"

    def put(self, orders: Iterable[Order]) -> None:
        """Adds a file, whole: it is hidden from the source until it is complete."""
        number = len(list(self.orders.iterdir()))
        partial = self.folder / f"orders-{number}"
        write_orders(orders, partial)
        partial.rename(self.orders / partial.name)

    def lines(self) -> list[dict[str, Any]]:
        """All committed answers."""
        return read_results(self.answers)

    def answered(self) -> Counter[str]:
        """How often each order has a committed answer."""
        return Counter(answer["order"] for answer in self.lines())

    def wait_answered(
        self, orders: Iterable[Order], meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        """Waits for committed answers; ``meanwhile`` is called before each look."""
        ids = {order["id"] for order in orders}

        def all_there() -> bool:
            meanwhile()
            return ids <= set(self.answered())

        wait_until(all_there, f"the answers to {len(ids)} orders")

    def arguments(self, service: str, durability: str, log_kafka: str | None = None) -> list[str]:
        """What the job file of the orders is given; a call log is in files or in Kafka."""
        arguments = [
            *("--orders", str(self.orders), "--follow"),
            *("--output", str(self.answers)),
            *("--service", service),
            *("--durability", durability),
        ]
        if log_kafka is not None:
            arguments += ["--log-kafka", log_kafka]
        elif durability == "write-ahead":
            arguments += ["--log-directory", str(self.folder / "call-log")]
        return arguments
