"""The live line at the bottom, and a line above it for every restart."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from pyflink_durable.demo.flinklog import Restart
from pyflink_durable.demo.report import counted

if TYPE_CHECKING:
    from pyflink_durable.demo.runner import Plan, Progress


class Display:
    """Shows a run while the block lasts."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self._plan = plan
        self._told: dict[int, Restart] = {}
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("restarts {task.fields[restarts]}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._task = self._bar.add_task("starting Flink", total=len(plan.orders), restarts=0)

    def __enter__(self) -> Display:
        customers = len({order["customer"] for order in self._plan.orders})
        self._bar.console.print(
            f"{counted(len(self._plan.orders), 'order')} of {counted(customers, 'customer')};"
            f" the job is to fail {counted(self._plan.failures, 'time')} on the way"
        )
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def update(self, progress: Progress) -> None:
        restarts = progress.log.restarts
        self._bar.update(
            self._task,
            description="orders charged",
            completed=progress.orders_charged,
            restarts=len(restarts),
        )
        for number, restart in enumerate(restarts, start=1):
            # A restart is told once Flink has said which checkpoint it goes back to.
            if restart.checkpoint and number not in self._told:
                self._told[number] = restart
                self._bar.console.print(
                    f"the job failed; restart {number} goes on from checkpoint {restart.checkpoint}"
                )
