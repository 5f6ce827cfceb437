"""The crash matrix: its columns, its rows, and which call can be where."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from crashkit import Style

LEVELS = ("checkpoint", "gated", "write-ahead")
IN_DOUBT = ("ask", "again", "raise")
COLUMNS = [(level, in_doubt) for level in LEVELS for in_doubt in IN_DOUBT]


class Cell(NamedTuple):
    """One call of the matrix; its text is the input of its handler, and its key."""

    level: str
    in_doubt: str
    style: Style

    @classmethod
    def parse(cls, text: str) -> Cell:
        level, in_doubt, style = text.split("/")
        return cls(level, in_doubt, Style[style])

    def __str__(self) -> str:
        return f"{self.level}/{self.in_doubt}/{self.style.name}"

    @property
    def waits(self) -> bool:
        """Whether the call does not start before what was written of it is safe."""
        return self.level != "checkpoint" and self.in_doubt != "again"

    @property
    def waits_at_the_gate(self) -> bool:
        return self.waits and self.level == "gated"

    @property
    def is_refused(self) -> bool:
        """A sync call in an async handler holds the task, so it cannot wait."""
        return self.waits and self.style is Style.SYNC

    @property
    def operator(self) -> str:
        """Cells share operators; a sync call stops all of its own."""
        if self.style is Style.SYNC:
            return f"{self.level}-{self.in_doubt}-sync"
        return f"{self.level}-{'threads' if self.style is Style.DEF else 'loop'}"


class Place(Enum):
    """Where the calls of a row are at the crash, in the order of a call's life."""

    BEFORE_PENDING = "before PENDING"
    PENDING = "PENDING"
    IN_THE_GATE = "in the gate"
    STARTED = "call started"
    HAPPENED = "call finished"
    FINALIZED = "finalized"
    HANDLER_ENDED = "handler ended"
    EMITTED = "output emitted"
    OVER = "checkpoint completed"


class Row(NamedTuple):
    """A row of the matrix: the place, and whether a checkpoint is taken there before the crash."""

    place: Place
    checkpoint: bool = False

    @classmethod
    def parse(cls, text: str) -> Row:
        words, behind, _ = text.partition(", then a checkpoint")
        place = Place(words)
        return cls(place, bool(behind) or place in (Place.IN_THE_GATE, Place.OVER))

    def has(self, cell: Cell) -> bool:
        """Whether a call of this cell can be there."""
        if cell.is_refused:
            return False
        if self.place is Place.IN_THE_GATE:
            # a call of a def handler runs on its thread as soon as it is let through
            return cell.waits_at_the_gate and cell.style is not Style.DEF
        if cell.style is not Style.SYNC:
            return True
        if self.checkpoint:
            return self.place not in (Place.STARTED, Place.HAPPENED)  # it holds the task
        # on its way to the log its outcome may be lost or not
        return self.place is not Place.FINALIZED or cell.level != "write-ahead"


def every_cell() -> Iterable[Cell]:
    return (Cell(*names, style) for names in COLUMNS for style in Style)
