"""What is in flight as one HTML file: no network, and readable without JavaScript."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime, timezone
from html import escape
from importlib.resources import files

from pyflink_durable.inspection.findings import CONDITIONS, Findings
from pyflink_durable.inspection.selection import short_name, shown_duration
from pyflink_durable.snapshot import Invocation, Payload, Slot

SIGNS = {
    "in doubt": "▲",
    "retrying": "↻",
    "retry": "↻",
    "waiting": "◷",
    "running": "▶",
    "in line": "≡",
    "ended": "●",
    "failed": "✕",
}
"""A shape beside each color: nothing is told by color alone."""


def render_page(findings: Findings, title: str, now: datetime, *, payloads: bool = False) -> str:
    """The page.

    Args:
        findings: What was found.
        title: What it was found in.
        now: What ages are reckoned from.
        payloads: Whether values are shown.
    """
    resources = files(__package__)
    script = (resources / "page.js").read_text(encoding="utf-8")
    style = (resources / "page.css").read_text(encoding="utf-8")
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    shown = findings.invocations()
    left_out = findings.total - len(shown)
    rows = "".join(_row(number, one, now, payloads) for number, one in enumerate(shown))
    more = f"<p>{left_out:,} more are not on this page.</p>" if left_out else ""
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
style-src 'unsafe-inline'; script-src 'sha256-{digest}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title><style>{style}</style></head>
<body><h1>{escape(title)}</h1>
<p>Ages as of <time>{now:%Y-%m-%d %H:%M:%S} UTC</time></p>
{"".join(_totals(findings, now))}
<p id="tools" hidden><label>Search <input type="search" id="search" autocomplete="off"></label>
<output id="count" aria-live="polite"></output></p>
<table id="invocations"><thead><tr>
<th scope="col" data-by="text">key</th><th scope="col" data-by="number">id</th>
<th scope="col" data-by="rank">condition</th><th scope="col" data-by="number">age</th>
<th scope="col" data-by="text">operator</th><th scope="col" data-by="text">open</th>
</tr></thead>
{rows}</table>{more}
<script>{script}</script></body></html>
"""


def _totals(findings: Findings, now: datetime) -> Iterator[str]:
    for operator, counts in findings.conditions.items():
        told = "".join(
            f"<li class='{_class(condition)}'><b>{counts[condition]:,}</b> "
            f"{SIGNS[condition]} {condition}</li>"
            for condition in CONDITIONS
            if counts[condition]
        )
        began = findings.oldest.get(operator)
        oldest = ""
        if began is not None:
            age = now - datetime.fromtimestamp(began / 1e6, tz=timezone.utc)
            oldest = f"<li>oldest <b>{shown_duration(age)}</b></li>"
        yield (
            f"<h2>{escape(operator.shown)}</h2><ul class='totals'>"
            f"<li><b>{sum(counts.values()):,}</b> in flight</li>{told}{oldest}</ul>"
        )


def _row(number: int, one: Invocation, now: datetime, payloads: bool) -> str:
    key = escape(repr(one.key))
    age = "" if one.since is None else f"{(now - one.since).total_seconds():.0f}"
    shown_age = "-" if one.since is None else shown_duration(now - one.since)
    open_slots = [slot for slot in one.slots if slot.condition not in ("ended", "failed")]
    names = escape(", ".join(dict.fromkeys(map(short_name, open_slots))))
    id = "-" if one.id is None else str(one.id)
    return (
        f"<tbody id='i{number}'><tr>"
        f"<td>{key}</td><td data-value='{one.sequence}'>{id}</td>"
        f"<td class='{_class(one.condition)}' data-value='{CONDITIONS.index(one.condition)}'>"
        f"{SIGNS[one.condition]} {one.condition}{', parked' if one.parked else ''}</td>"
        f"<td data-value='{age}'>{shown_age}</td>"
        f"<td>{escape(one.operator.shown)}</td><td>{names}</td></tr>"
        f"<tr class='more'><td colspan='6'>{_details(one, now, payloads)}</td></tr></tbody>\n"
    )


def _details(one: Invocation, now: datetime, payloads: bool) -> str:
    if not one.slots:
        return "<span class='none'>no calls yet</span>"
    bars = "".join(_bar(slot, place, payloads) for slot, place in _timeline(one, now))
    slots = f"{len(one.slots)} slots" if len(one.slots) > 1 else "1 slot"
    told = f"<p>input {_value(one.input)}</p>" if payloads else ""
    return f"<details><summary>{slots}</summary>{told}<ol class='timeline'>{bars}</ol></details>"


def _timeline(one: Invocation, now: datetime) -> Iterator[tuple[Slot, tuple[float, float]]]:
    """Each slot with the part of the invocation's life in which it was open, in percent.

    When a call began is in no journal: it is drawn from when the slot before it had ended.
    """
    end = now.timestamp() * 1e6
    known = [slot.ended for slot in one.slots if slot.ended is not None]
    begin = float(one.began if one.began is not None else min(known, default=end))
    length = max(end - begin, 1.0)
    since = begin
    for slot in one.slots:
        until = end if slot.ended is None else slot.ended
        start = min(since, until)
        yield slot, (_percent(start - begin, length), _percent(until - start, length))
        since = max(since, slot.ended or since)


def _percent(part: float, whole: float) -> float:
    return round(100 * min(max(part / whole, 0.0), 1.0), 1)


def _bar(slot: Slot, place: tuple[float, float], payloads: bool) -> str:
    left, width = place
    attempt = f", attempt {slot.attempt}" if slot.attempt > 1 else ""
    due = f", due {_time(slot.due / 1e3)}" if slot.due else ""
    ended = f", {_time(slot.ended / 1e6)}" if slot.ended is not None else ""
    payload = slot.result or slot.exception
    size = "" if payload is None else f", {payload.size:,} B"
    value = f"<br>{_value(payload)}" if payloads and payload is not None else ""
    return (
        f"<li class='{_class(slot.condition)}'><span class='name'>{slot.number} "
        f"{escape(short_name(slot))}</span><svg width='100%' height='8' aria-hidden='true'>"
        f"<rect x='{left}%' width='{max(width, 0.5)}%' height='8'/></svg>"
        f"<span>{SIGNS[slot.condition]} {slot.condition}{attempt}{due}{ended}{size}{value}"
        f"</span></li>"
    )


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, tz=timezone.utc):%Y-%m-%d %H:%M:%S}"


def _value(payload: Payload | None) -> str:
    if payload is None or payload.data is None:
        return "-"
    return f"<code>{escape(repr(payload.value))}</code>"


def _class(condition: str) -> str:
    return condition.replace(" ", "-")
