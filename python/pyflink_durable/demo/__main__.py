"""``python -m pyflink_durable.demo``: charges orders through failures and tells what happened."""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from pyflink_durable.demo.orders import Order, OrdersError, load_orders, sample_orders

if TYPE_CHECKING:
    from pyflink_durable.demo.runner import Plan

_INTERRUPTED = 130


class _Interruption:
    """Ends the demo in an orderly way, and only once, when it is told to stop."""

    def __init__(self) -> None:
        self.happened = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._interrupt)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        # What is left to do takes seconds; a second Ctrl-C must not leave half of it.
        if not self.happened:
            self.happened = True
            raise KeyboardInterrupt


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
    # py4j logs a stack trace for whatever Ctrl-C interrupts; with no handler it would be shown.
    logging.getLogger().addHandler(logging.NullHandler())
    interruption = _Interruption()
    try:
        with _workspace(options.keep) as workspace:
            return _demo(_plan(options, orders), workspace)
    except (KeyboardInterrupt, Exception):
        # Flink's imports turn a KeyboardInterrupt into errors of their own.
        if not interruption.happened:
            raise
        print("interrupted", file=sys.stderr)
        return _INTERRUPTED


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


@contextmanager
def _workspace(keep: bool) -> Iterator[Path]:
    workspace = Path(tempfile.mkdtemp(prefix="pyflink-durable-demo-"))
    try:
        yield workspace
    finally:
        if keep:
            print(f"kept: {workspace}")
        else:
            shutil.rmtree(workspace, ignore_errors=True)


def missing() -> str:
    """What to install before the demo can run; empty if nothing."""
    if any(importlib.util.find_spec(name) is None for name in ("rich", "httpx")):
        return "error: the demo needs rich and httpx: pip install 'pyflink-durable[demo]'"
    if not os.environ.get("JAVA_HOME") and shutil.which("java") is None:
        return "error: no Java found: install a JDK, 11 or newer, or set JAVA_HOME"
    return ""


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
