"""``python -m pyflink_durable.demo``: charges orders through failures and tells what happened."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pyflink_durable.demo.command import interruptible, missing, workspace
from pyflink_durable.demo.orders import Order, OrdersError, load_orders, sample_orders

if TYPE_CHECKING:
    from pyflink_durable.demo.runner import Plan


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if problem := missing():
        print(problem, file=sys.stderr)
        return 2
    try:
        orders = load_orders(options.orders) if options.orders else sample_orders()
    except OrdersError as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    return interruptible(lambda: _run(options, orders))


def _run(options: argparse.Namespace, orders: list[Order]) -> int:
    with workspace("pyflink-durable-demo-", options.keep) as folder:
        return _demo(_plan(options, orders), folder)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pyflink_durable.demo",
        description="Charges orders with a durable PyFlink handler while the job keeps failing.",
    )
    parser.add_argument(
        "--orders",
        type=Path,
        metavar="FILE",
        help='one JSON object a line: {"id": "a-1", "customer": "c-1", "amount": 9.5};'
        " default: examples/orders.ndjson",
    )
    parser.add_argument(
        "--level",
        choices=["checkpoint", "gated", "write-ahead"],
        default="gated",
        help="the guarantee: at checkpoint, a failure doubles some charges; default gated",
    )
    parser.add_argument(
        "--failures", type=_count, default=2, metavar="N", help="times the job fails; default 2"
    )
    parser.add_argument(
        "--rate", type=_rate, default=100.0, metavar="N", help="orders a second; default 100"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="fixes which payments fail; default 0"
    )
    parser.add_argument(
        "--keep", action="store_true", help="keep database, log and results, and say where"
    )
    return parser


def _demo(plan: Plan, workspace: Path) -> int:
    # Here, so that a mistake in the command line is told without waiting for Flink's import.
    from rich.console import Console

    from pyflink_durable.demo.display import Display
    from pyflink_durable.demo.processes import DemoError
    from pyflink_durable.demo.report import explanations, results_table
    from pyflink_durable.demo.runner import run

    console = Console()
    try:
        with Display(plan, console) as display:
            outcome = run(plan, workspace, display.update)
    except DemoError as problem:
        print(f"error: {problem}\n(with --keep, Flink's log is kept)", file=sys.stderr)
        return 1
    console.print(results_table(outcome))
    for sentence in explanations(outcome):
        console.print(sentence)
    return 0 if outcome.kept_its_promise else 1


def _plan(options: argparse.Namespace, orders: list[Order]) -> Plan:
    from pyflink_durable.demo.report import counted
    from pyflink_durable.demo.runner import Plan

    # A failure comes between two orders; a file of one has no room for any.
    room = len(orders) - 1
    if options.failures > room:
        print(
            f"note: {counted(len(orders), 'order')} in the file, so there is room for only"
            f" {counted(room, 'failure')}",
            file=sys.stderr,
        )
    failures = min(options.failures, room)
    return Plan(options.level, orders, failures, options.seed, options.rate)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a number, 0 or more, not {text}")
    return int(text)


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 100_000:
        raise argparse.ArgumentTypeError(f"expected a number above 0, not {text}")
    return rate


if __name__ == "__main__":
    sys.exit(main())
