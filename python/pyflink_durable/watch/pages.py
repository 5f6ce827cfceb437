"""A picture as a page, which a browser asks for again by itself; no script, no network."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from html import escape
from importlib.resources import files

from pyflink_durable.inspection.page import SIGNS
from pyflink_durable.watch.picture import Picture
from pyflink_durable.watch.rest import RestError
from pyflink_durable.watch.sections import Cell, Section, sections_of
from pyflink_durable.watch.watcher import Watcher


class Pages:
    """The page of a job, for any number of readers, who ask on threads of their own.

    Args:
        watcher: Looks at the job.
        every: Seconds that a page is good for, however many ask.
    """

    def __init__(self, watcher: Watcher, every: float) -> None:
        self._watcher = watcher
        self._every = every
        self._lock = threading.Lock()
        self._page = ""
        self._until = 0.0

    def page(self) -> str:
        """The job as it is now, as HTML."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._page = self._new()
                self._until = time.monotonic() + self._every
            return self._page

    def _new(self) -> str:
        try:
            return render_page(self._watcher.look(), self._every)
        except RestError as error:
            return f"<!DOCTYPE html><meta charset='utf-8'><p>{escape(str(error))}</p>"


def render_page(picture: Picture, seconds: float) -> str:
    """The page.

    Args:
        picture: What it shows.
        seconds: How soon a browser is to ask for the next one.
    """
    style = (files("pyflink_durable.inspection") / "page.css").read_text(encoding="utf-8")
    title = escape(picture.job.name)
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="refresh" content="{max(1, round(seconds))}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{style}</style></head>
<body>{"".join(_section(one) for one in sections_of(picture))}</body></html>
"""


def _section(section: Section) -> str:
    title = f"<h2>{escape(section.title)}</h2>" if section.title else ""
    return title + "".join(_lines(section)) + (_table(section) if section.rows else "")


def _lines(section: Section) -> Iterator[str]:
    for line in section.lines:
        yield f"<p{_class(line)}>{_sign(line)}{escape(line.text)}</p>"


def _table(section: Section) -> str:
    heads = "".join(
        f"<th scope='col'{_side(place, section)}>{escape(column)}</th>"
        for place, column in enumerate(section.columns)
    )
    rows = "".join(
        f"<tr>{''.join(_cell(place, cell, section) for place, cell in enumerate(row))}</tr>"
        for row in section.rows
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"


def _cell(place: int, cell: Cell, section: Section) -> str:
    text = f"{_sign(cell)}{escape(cell.text)}"
    inner = f"<span{_class(cell)}>{text}</span>" if cell.condition else text
    return f"<td{_side(place, section)}>{inner}</td>"


def _side(place: int, section: Section) -> str:
    return "" if place < section.names else " class='figure'"


def _class(cell: Cell) -> str:
    return f" class='{cell.condition.replace(' ', '-')}'" if cell.condition else ""


def _sign(cell: Cell) -> str:
    sign = SIGNS.get(cell.condition)
    return f"{sign} " if sign else ""
