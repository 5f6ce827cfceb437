"""The payment service's database: every request that reached it and every charge it made."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    order_id TEXT NOT NULL,
    arrived REAL NOT NULL,
    status INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS charges (
    id INTEGER PRIMARY KEY,
    order_id TEXT NOT NULL,
    amount REAL NOT NULL,
    arrived REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS charges_of_order ON charges (order_id);
"""

CHARGE, LOOKUP, RECEIPT = "charge", "lookup", "receipt"


@dataclass(frozen=True)
class Charge:
    """One charge; ``arrived`` is when its request reached the service (seconds since 1970)."""

    id: str
    order: str
    amount: float
    arrived: float


@dataclass(frozen=True)
class Stats:
    """What the database says happened."""

    orders_charged: int
    charges: int
    orders_charged_twice: int
    charge_requests: int
    refused: int
    answers_lost: int
    lookups: int
    receipts: int


class Ledger:
    """One SQLite connection behind a lock: a statement takes microseconds, a request 20-80 ms."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False, timeout=30)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def charge(self, order: str, amount: float, arrived: float, status: int) -> Charge:
        """Charges, whether or not the order was charged before."""
        with self._lock, self._connection:
            self._record(CHARGE, order, arrived, status)
            row = self._connection.execute(
                "INSERT INTO charges (order_id, amount, arrived) VALUES (?, ?, ?)",
                (order, amount, arrived),
            ).lastrowid
        return Charge(f"charge-{row}", order, amount, arrived)

    def refuse_charge(self, order: str, arrived: float, status: int) -> None:
        with self._lock, self._connection:
            self._record(CHARGE, order, arrived, status)

    def look_up(self, order: str, arrived: float) -> list[Charge]:
        """The charges of an order, oldest first; the look-up itself is recorded too."""
        with self._lock, self._connection:
            self._record(LOOKUP, order, arrived, 200)
            return self._charges("WHERE order_id = ?", order)

    def receipt(self, order: str, arrived: float) -> str:
        with self._lock, self._connection:
            return f"receipt-{self._record(RECEIPT, order, arrived, 201)}"

    def charges(self) -> dict[str, list[Charge]]:
        """All charges by order, oldest first."""
        orders: dict[str, list[Charge]] = {}
        with self._lock:
            for charge in self._charges():
                orders.setdefault(charge.order, []).append(charge)
        return orders

    def doubled(self) -> dict[str, list[Charge]]:
        """The charges of every order that has more than one, oldest first."""
        return {order: charges for order, charges in self.charges().items() if len(charges) > 1}

    def stats(self) -> Stats:
        with self._lock:
            return Stats(
                orders_charged=self._count("(SELECT DISTINCT order_id FROM charges)"),
                charges=self._count("charges"),
                orders_charged_twice=self._count(
                    "(SELECT 1 FROM charges GROUP BY order_id HAVING COUNT(*) > 1)"
                ),
                charge_requests=self._count("requests WHERE kind = ?", CHARGE),
                refused=self._count("requests WHERE kind = ? AND status = 503", CHARGE),
                answers_lost=self._count("requests WHERE kind = ? AND status = 500", CHARGE),
                lookups=self._count("requests WHERE kind = ?", LOOKUP),
                receipts=self._count("requests WHERE kind = ?", RECEIPT),
            )

    def _record(self, kind: str, order: str, arrived: float, status: int) -> int | None:
        return self._connection.execute(
            "INSERT INTO requests (kind, order_id, arrived, status) VALUES (?, ?, ?, ?)",
            (kind, order, arrived, status),
        ).lastrowid

    def _charges(self, where: str = "", *values: str) -> list[Charge]:
        rows = self._connection.execute(
            f"SELECT id, order_id, amount, arrived FROM charges {where} ORDER BY id", values
        )
        return [Charge(f"charge-{row}", order, amount, at) for row, order, amount, at in rows]

    def _count(self, what: str, *values: str) -> int:
        (count,) = self._connection.execute(f"SELECT COUNT(*) FROM {what}", values).fetchone()
        return int(count)
