"""What happened, from the service's database, the job's answers and the job's own counters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from pyflink_durable.demo.flinklog import FlinkLog, Restart
from pyflink_durable.demo.ledger import Charge, Stats
from pyflink_durable.options import Durability

# A charge that was sent before the failure may reach the service a little after it.
_UNDER_WAY_SECONDS = 0.5


@dataclass(frozen=True)
class RunResult:
    """Everything the table shows.

    Attributes:
        level: The guarantee that the job ran at.
        orders: The ids of the orders in the file.
        stats: The counts of the service's database.
        doubled: The charges of every order that has more than one.
        answers: The lines of the job's result files.
        log: The job's counters and restarts.
        seconds: From the submission of the job to its end.
    """

    level: Durability
    orders: Sequence[str]
    stats: Stats
    doubled: Mapping[str, Sequence[Charge]]
    answers: Sequence[Mapping[str, Any]]
    log: FlinkLog
    seconds: float

    @property
    def answered(self) -> set[str]:
        return {answer["order"] for answer in self.answers}

    @property
    def unexplained(self) -> list[str]:
        """Orders charged twice that the level does not account for.

        At the checkpoint level a failure between a checkpoint and the charge does, else nothing.
        """
        if self.level != "checkpoint":
            return list(self.doubled)
        return [
            order
            for order, charges in self.doubled.items()
            if not all(_was_forgotten(charge, self.log.restarts) for charge in charges[:-1])
        ]

    @property
    def kept_its_promise(self) -> bool:
        """Every order answered, exactly once, and no doubled charge but those the level allows."""
        once = len(self.answers) == len(self.answered)
        return once and self.answered == set(self.orders) and not self.unexplained


def results_table(outcome: RunResult) -> Table:
    table = Table(title="What happened", title_justify="left", show_header=False)
    table.add_column("")
    table.add_column("", justify="right")
    for section in (_service_rows(outcome), _job_rows(outcome)):
        for name, value in section:
            table.add_row(name, value)
        table.add_section()
    return table


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def explanations(outcome: RunResult) -> list[str]:
    """A sentence for each thing in the table that needs one."""
    texts = (_none_doubled(outcome), _doubled(outcome), _unexplained(outcome), _answers(outcome))
    return [text for text in texts if text]


def _service_rows(outcome: RunResult) -> Iterable[tuple[str, str]]:
    stats = outcome.stats
    yield "orders", str(len(outcome.orders))
    yield "orders charged", str(stats.orders_charged)
    yield "charges", str(stats.charges)
    yield "orders charged twice", str(stats.orders_charged_twice)
    yield "charge requests refused (503)", str(stats.refused)
    yield "charged, but the answer got lost (500)", str(stats.answers_lost)
    yield "charges looked up", str(stats.lookups)


def _job_rows(outcome: RunResult) -> Iterable[tuple[str, str]]:
    counters = outcome.log.counters
    yield "orders answered", str(len(outcome.answered))
    yield "orders answered twice", str(len(outcome.answers) - len(outcome.answered))
    yield "calls executed", str(counters["executed"])
    yield "calls replayed", str(counters["replayed"])
    yield "calls reconciled", str(counters["reconciled"])
    yield "calls re-executed", str(counters["reexecuted"])
    yield "restarts", str(len(outcome.log.restarts))
    yield "seconds", f"{outcome.seconds:.1f}"


def _none_doubled(outcome: RunResult) -> str:
    if outcome.level == "checkpoint" or outcome.doubled or not outcome.log.restarts:
        return ""
    place = "in a checkpoint" if outcome.level == "gated" else "in the log"
    return (
        f"No order was charged twice. At the {outcome.level} level a charge starts only when it is "
        f"noted {place} that it may, so after a failure the job knows which charges to look up."
    )


def _doubled(outcome: RunResult) -> str:
    count = len(outcome.doubled) - len(outcome.unexplained)
    if not count:
        return ""
    were = "was" if count == 1 else "were"
    return (
        f"{counted(count, 'order')} {were} charged twice: the first charge was made after the last "
        "completed checkpoint before a failure, so the restored job knew nothing of it. This is "
        "what the checkpoint level promises and no more; at the gated level it does not happen."
    )


def _unexplained(outcome: RunResult) -> str:
    if not outcome.unexplained:
        return ""
    return (
        "The level does not account for these orders being charged twice, which is a defect: "
        + ", ".join(outcome.unexplained)
    )


def _answers(outcome: RunResult) -> str:
    missing = len(set(outcome.orders) - outcome.answered)
    twice = len(outcome.answers) - len(outcome.answered)
    if not missing and not twice:
        return ""
    return (
        f"Orders without an answer: {missing}; answers that came twice: {twice}. This is a defect."
    )


def _was_forgotten(charge: Charge, restarts: Iterable[Restart]) -> bool:
    return any(
        restart.checkpoint_began <= charge.arrived <= restart.failed + _UNDER_WAY_SECONDS
        for restart in restarts
    )
