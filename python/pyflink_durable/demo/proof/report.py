"""Tells what the runs came to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table

from pyflink_durable.demo.proof.failures import Place
from pyflink_durable.demo.proof.runner import Run
from pyflink_durable.demo.proof.verdict import Verdict
from pyflink_durable.demo.report import counted

_SHOWN = 10


def results_table(runs: Sequence[Run]) -> Table:
    """A column for each run."""
    table = Table(title="What happened", title_justify="left")
    table.add_column("")
    for run in runs:
        table.add_column(run.verdict.level, justify="right")
    columns = [list(_sections(run)) for run in runs]
    for sections in zip(*columns, strict=True):
        for rows in zip(*sections, strict=True):
            table.add_row(rows[0][0], *(str(value) for _, value in rows))
        table.add_section()
    return table


def _sections(run: Run) -> Iterator[list[tuple[str, object]]]:
    verdict, counters = run.verdict, run.log.counters
    yield [
        ("orders", len(verdict.orders)),
        ("charges in the service's database", run.stats.charges),
        ("orders charged more than once", len(verdict.charged_again)),
        ("orders not charged", len(verdict.not_charged)),
        ("orders answered more than once", len(verdict.answered_again)),
        ("orders not answered", len(verdict.not_answered)),
        ("answers with another order's charge", len(verdict.answered_wrongly)),
    ]
    yield [(f"failed {place.value}", run.failures[place]) for place in Place]
    yield [
        ("task failures made", run.failures.total()),
        ("restarts of the job", len(run.log.restarts)),
        ("charges looked up", run.stats.lookups),
        ("calls replayed", counters["replayed"]),
        ("calls reconciled", counters["reconciled"]),
        ("seconds", f"{run.seconds:.1f}"),
    ]


def sentences(run: Run) -> list[str]:
    """What the figures of a run mean."""
    verdict = run.verdict
    if verdict.broken:
        return broken_promises(verdict)
    failures = counted(run.failures.total(), "failure")
    if verdict.level != "checkpoint":
        return [f"{verdict.level}: every order charged once and answered once, in {failures}."]
    again = counted(len(verdict.charged_again), "order")
    return [
        f"checkpoint: every order answered once; {again} charged more than once, in {failures}. "
        "A charge made after the last completed checkpoint before a failure is made again: the "
        "level promises no more. It shows that this proof sees a charge that is doubled."
    ]


def broken_promises(verdict: Verdict) -> list[str]:
    """A sentence for each promise that was broken; none if the level kept them."""
    return [_broken(verdict.level, *promise) for promise in verdict.broken.items()]


def _broken(level: str, what: str, orders: Sequence[str]) -> str:
    shown = ", ".join(orders[:_SHOWN])
    more = ", ..." if len(orders) > _SHOWN else ""
    return f"{level}: A PROMISE IS BROKEN. {counted(len(orders), 'order')} {what}: {shown}{more}"
