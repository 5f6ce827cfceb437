"""What is in flight, for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timezone

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from pyflink_durable.inspection.findings import CONDITIONS, Findings
from pyflink_durable.inspection.selection import short_name, shown_duration
from pyflink_durable.snapshot import Invocation, OperatorInfo, Payload, Slot

COLORS = {
    "in doubt": "red",
    "retrying": "yellow",
    "retry": "yellow",
    "waiting": "cyan",
    "failed": "magenta",
}


def render(
    findings: Findings, now: datetime, *, all_slots: bool = False, payloads: bool = False
) -> RenderableType:
    """The sums of each operator, and a table of invocations.

    Args:
        findings: What was found.
        now: What ages are reckoned from.
        all_slots: Whether slots that have ended are shown, too.
        payloads: Whether values are shown.
    """
    parts: list[RenderableType] = [
        _summary(operator, findings, now) for operator in findings.conditions
    ]
    shown = findings.invocations()
    if shown:
        parts.append("")
        parts.append(_table(shown, now, all_slots=all_slots, payloads=payloads))
    if len(shown) < findings.total:
        rest = findings.total - len(shown)
        parts.append(f"[dim]... and {rest:,} more: narrow it down, or use --limit, --json, --html")
    return Group(*parts)


def _summary(operator: OperatorInfo, findings: Findings, now: datetime) -> str:
    counts = findings.conditions[operator]
    total = sum(counts.values())
    told = [
        _colored(f"{counts[condition]:,} {condition}", condition)
        for condition in CONDITIONS
        if counts[condition]
    ]
    lines = [f"[bold]{escape(operator.shown)}[/bold]  {total:,} {_word(counts)}"]
    lines[0] += f": {', '.join(told)}" if told else ""
    if operator in findings.oldest:
        began = datetime.fromtimestamp(findings.oldest[operator] / 1e6, tz=timezone.utc)
        lines[0] += f"; oldest {shown_duration(now - began)}"
    if set(findings.versions[operator]) - {None}:
        lines.append(
            f"  by version of the handler: {escape(_versions(findings.versions[operator]))}"
        )
    calls = sorted(findings.open_calls[operator].items(), key=lambda one: (-one[1], one[0]))
    for (name, condition), number in calls[:10]:
        lines.append(f"  {_colored(f'{number:>9,} {condition}', condition)}  {escape(name)}")
    return "\n".join(lines)


def _versions(counts: Mapping[str | None, int]) -> str:
    told = sorted(counts.items(), key=lambda one: (one[0] is not None, one[0] or ""))
    return ", ".join(f"{version!r} {number:,}" for version, number in told)


def _word(counts: Mapping[str, int]) -> str:
    """What they all are, in a snapshot or in a history."""
    return "have ended" if counts["ended"] + counts["failed"] else "in flight"


def _table(
    invocations: Iterable[Invocation], now: datetime, *, all_slots: bool, payloads: bool
) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in ("key", "id", "condition", "age"):
        table.add_column(column, no_wrap=True)
    table.add_column("slots", overflow="fold")
    for one in invocations:
        table.add_row(
            escape(repr(one.key)),
            "-" if one.id is None else str(one.id),
            _condition(one, now),
            "-" if one.since is None else shown_duration(now - one.since),
            _slots(one, now, all_slots=all_slots, payloads=payloads),
        )
    return table


def _condition(one: Invocation, now: datetime) -> str:
    """How it stands, and for how long if it waits."""
    told = _colored(one.condition, one.condition)
    if one.condition == "waiting" and one.waits_since is not None:
        told += f" {shown_duration(now - one.waits_since)}"
    return f"{told}, parked" if one.parked else told


def _slots(invocation: Invocation, now: datetime, *, all_slots: bool, payloads: bool) -> str:
    ended = [slot for slot in invocation.slots if slot.condition in ("ended", "failed")]
    shown = invocation.slots if all_slots else [s for s in invocation.slots if s not in ended]
    lines = [f"[dim]{len(ended)} ended"] if ended and not all_slots else []
    lines += [_slot(slot, now, payloads=payloads) for slot in shown]
    if payloads:
        lines.insert(0, f"[dim]input[/dim] {escape(_value(invocation.input))}")
    return "\n".join(lines)


def _slot(slot: Slot, now: datetime, *, payloads: bool) -> str:
    text = f"{slot.number} {escape(short_name(slot))} {_colored(slot.condition, slot.condition)}"
    if slot.attempt > 1:
        text += f" attempt {slot.attempt}"
    if slot.due:
        left = datetime.fromtimestamp(slot.due / 1e3, tz=timezone.utc) - now
        late = left.total_seconds() < 0
        text += f" {'due since' if late else 'due in'} {shown_duration(abs(left))}"
    payload = slot.result or slot.exception
    if payload is not None:
        text += f" {escape(_value(payload))}" if payloads else f" [dim]{payload.size:,} B[/dim]"
    return text


def _value(payload: Payload | None) -> str:
    return "-" if payload is None or payload.data is None else repr(payload.value)


def _colored(text: str, condition: str) -> str:
    color = COLORS.get(condition)
    return f"[{color}]{text}[/{color}]" if color else text
