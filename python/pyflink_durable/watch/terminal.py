"""A picture in the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pyflink_durable.inspection.table import COLORS
from pyflink_durable.watch.picture import Picture
from pyflink_durable.watch.sections import Cell, Section, sections_of


def render_picture(picture: Picture) -> RenderableType:
    """The picture, as rich shows it."""
    parts: list[RenderableType] = []
    for section in sections_of(picture):
        parts += [""] if parts else []
        parts += [Text(section.title, style="bold")] if section.title else []
        parts += [_text(line) for line in section.lines]
        if section.rows:
            parts.append(_table(section))
    return Group(*parts)


def _table(section: Section) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for place, column in enumerate(section.columns):
        is_name = place < section.names
        table.add_column(column, justify="left" if is_name else "right", overflow="fold")
    for row in section.rows:
        table.add_row(*map(_text, row))
    return table


def _text(cell: Cell) -> Text:
    return Text(cell.text, style=COLORS.get(cell.condition, ""))
