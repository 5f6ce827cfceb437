"""The orders the demo charges: one JSON object a line, checked before anything is started."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn, TypedDict

_SAMPLE = Path(__file__).resolve().parents[3] / "examples" / "orders.ndjson"


class Order(TypedDict):
    id: str
    customer: str
    amount: float


class OrdersError(ValueError):
    """A file of orders that cannot be used; the text says where and what to write instead."""


def load_orders(path: Path) -> list[Order]:
    """Reads and checks a whole file; the error names the first line that is wrong."""
    orders: list[Order] = []
    first_seen: dict[str, int] = {}
    for number, line in _lines(path):
        try:
            order = parse_order(line)
            if order["id"] in first_seen:
                raise OrdersError(
                    f'the id "{order["id"]}" is on line {first_seen[order["id"]]} too'
                )
        except OrdersError as problem:
            raise OrdersError(f"{path}, line {number}: {problem}") from None
        first_seen[order["id"]] = number
        orders.append(order)
    if not orders:
        raise OrdersError(f"{path}: there are no orders in it")
    return orders


def parse_order(line: str) -> Order:
    try:
        fields = json.loads(line, parse_constant=_no_constant)
    except json.JSONDecodeError as problem:
        raise OrdersError(f"not JSON: {problem.msg} at column {problem.colno}") from None
    if not isinstance(fields, dict):
        raise OrdersError('expected an object like {"id": "a-1", "customer": "c-1", "amount": 9.5}')
    return {
        "id": _text(fields, "id"),
        "customer": _text(fields, "customer"),
        "amount": _amount(fields),
    }


def write_orders(orders: Iterable[Order], path: Path) -> None:
    path.write_text("".join(json.dumps(order) + "\n" for order in orders), encoding="utf-8")


def sample_orders() -> list[Order]:
    """The orders of examples/orders.ndjson: the file in a checkout, made anew in a wheel."""
    return load_orders(_SAMPLE) if _SAMPLE.is_file() else make_sample_orders()


def make_sample_orders(count: int = 400, customers: int = 60) -> list[Order]:
    """The same orders every time; every customer has some, and a few have many."""
    draw = random.Random(20)
    names = [f"customer-{number:02d}" for number in range(1, customers + 1)]
    buyers = names + draw.choices(names, k=count - customers)
    draw.shuffle(buyers)
    return [
        {
            "id": f"order-{number:04d}",
            "customer": buyer,
            "amount": draw.randint(500, 25_000) / 100,
        }
        for number, buyer in enumerate(buyers, start=1)
    ]


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        # utf-8-sig: a file saved by a spreadsheet may begin with a byte order mark.
        text = path.read_text(encoding="utf-8-sig")
    except OSError as problem:
        raise OrdersError(f"{path}: {problem.strerror or problem}") from None
    except UnicodeDecodeError as problem:
        number = problem.object.count(b"\n", 0, problem.start) + 1
        raise OrdersError(f"{path}, line {number}: not UTF-8 text") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line


def _no_constant(name: str) -> NoReturn:
    raise OrdersError(f"{name} is not a JSON number")


def _text(fields: dict[str, object], name: str) -> str:
    value = _required(fields, name)
    # Whole numbers are what many systems use for ids; they are taken as text.
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise OrdersError(f'"{name}" must be a non-empty string, not {json.dumps(value)}')
    return value


def _amount(fields: dict[str, object]) -> float:
    value = _required(fields, "amount")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise OrdersError(f'"amount" must be a number, not {json.dumps(value)}')
    if not 0 < value < math.inf:
        raise OrdersError(f'"amount" must be above 0, not {json.dumps(value)}')
    return float(value)


def _required(fields: dict[str, object], name: str) -> object:
    if name not in fields:
        raise OrdersError(f'"{name}" is missing')
    return fields[name]
