"""The payment service of the demo, in a process of its own, and what its database says."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from clusterkit.process import Process
from clusterkit.waiting import wait_until
from pyflink_durable.demo.ledger import Charge, Ledger, Stats
from pyflink_durable.demo.orders import Order


@dataclass(frozen=True)
class Payments:
    """A running payment service."""

    url: str
    database: Path

    @classmethod
    @contextmanager
    def running(cls, folder: Path, *options: str) -> Iterator[Payments]:
        """Runs one; ``options`` are those of the service, such as ``--calm``."""
        database = folder / "payments.db"
        command = [sys.executable, "-m", "pyflink_durable.demo.service", "--db", str(database)]
        service = Process("payments", [*command, *options], folder)
        try:
            wait_until(lambda: service.check() or service.tail(), "the payment service", 30)
            yield cls(service.tail().strip(), database)
        finally:
            service.stop()

    def hold_answers(self) -> None:
        """From now on it charges, and keeps its answers to itself."""
        self._hold(True)

    def release_answers(self) -> None:
        """Sends the answers it has kept, and goes on answering."""
        self._hold(False)

    def stats(self) -> Stats:
        with closing(Ledger(self.database)) as ledger:
            return ledger.stats()

    def charges(self) -> dict[str, list[Charge]]:
        """All charges by order."""
        with closing(Ledger(self.database)) as ledger:
            return ledger.charges()

    def charges_per_order(self) -> Counter[str]:
        return Counter({order: len(found) for order, found in self.charges().items()})

    def wait_charged(self, orders: Iterable[Order]) -> None:
        """Waits until each of these orders has been charged, whether or not it has been told so."""
        ids = {order["id"] for order in orders}
        wait_until(lambda: ids <= self.charges().keys(), f"charges for {len(ids)} orders")

    def _hold(self, hold: bool) -> None:
        body = json.dumps({"hold": hold})
        httpx.post(f"{self.url}/answers", content=body, trust_env=False).raise_for_status()
