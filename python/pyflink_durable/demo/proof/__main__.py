"""``python -m pyflink_durable.demo.proof``: shows that no charge is repeated, whatever fails."""

from __future__ import annotations

import argparse
import os
import random
import sys
from collections.abc import Sequence
from typing import get_args

from pyflink_durable.demo.command import interruptible, missing, workspace
from pyflink_durable.demo.orders import make_sample_orders
from pyflink_durable.options import Durability


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the proof; gives the exit code."""
    options = _parser().parse_args(arguments)
    if problem := missing():
        print(problem, file=sys.stderr)
        return 2
    # gRPC, which Flink brings along, would comment on each process that is started
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
    return interruptible(lambda: _prove(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pyflink_durable.demo.proof",
        description="Charges thousands of orders while tasks fail at random points, and counts"
        " the charges in the service's database. Ends with 1 if a promise is broken.",
    )
    parser.add_argument(
        "--orders", type=_positive, default=2_000, metavar="N", help="a level's; default 2000"
    )
    parser.add_argument(
        "--seconds",
        type=_positive,
        default=20,
        metavar="N",
        help="in which the orders of all levels arrive; failures and starts come on top;"
        " default 20",
    )
    parser.add_argument(
        "--seed", type=int, default=random.randrange(10**6), metavar="N", help="default: random"
    )
    parser.add_argument(
        "--levels",
        type=_levels,
        default=["gated", "write-ahead"],
        metavar="LEVEL,...",
        help="of checkpoint, gated and write-ahead; default gated,write-ahead",
    )
    parser.add_argument("--keep", action="store_true", help="keep databases and logs, say where")
    return parser


def _prove(options: argparse.Namespace) -> int:
    # Here, so that a mistake in the command line is told without waiting for Flink's import.
    from rich.console import Console

    from pyflink_durable.demo.processes import DemoError
    from pyflink_durable.demo.proof.report import results_table, sentences
    from pyflink_durable.demo.proof.runner import Plan, run

    console = Console()
    orders = make_sample_orders(options.orders, customers=max(1, options.orders // 5))
    plan = Plan(orders, options.seconds / len(options.levels), options.seed)
    console.print(
        f"{options.orders} orders a level, {plan.failures} task failures each; seed {options.seed}"
    )
    runs = []
    with workspace("pyflink-durable-proof-", options.keep) as parent:
        for level in options.levels:
            console.print(f"{level}: charging ...")
            folder = parent / level
            folder.mkdir()
            try:
                runs.append(run(level, plan, folder))
            except DemoError as problem:
                print(f"error: {level}, seed {options.seed}: {problem}", file=sys.stderr)
                return 1
    console.print(results_table(runs))
    for one in runs:
        for sentence in sentences(one):
            console.print(sentence)
    return 1 if any(one.verdict.broken for one in runs) else 0


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a number above 0, not {text}")
    return int(text)


def _levels(text: str) -> list[str]:
    levels = text.split(",")
    unknown = [level for level in levels if level not in get_args(Durability)]
    if unknown or len(set(levels)) < len(levels):
        raise argparse.ArgumentTypeError(
            f"expected some of {', '.join(get_args(Durability))}, each once, not {text}"
        )
    return levels


if __name__ == "__main__":
    sys.exit(main())
