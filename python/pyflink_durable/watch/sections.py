"""What is shown of a picture: tables, for the terminal and for a page alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from pyflink_durable.inspection.findings import CONDITIONS
from pyflink_durable.inspection.selection import short_name, shown_duration
from pyflink_durable.snapshot import Invocation, OperatorInfo, Slot
from pyflink_durable.watch.picture import (
    CallPicture,
    Count,
    InFlightPicture,
    OperatorPicture,
    Picture,
)

MOST_SUBTASKS = 16
"""Of an operator, those with the oldest work."""


@dataclass(frozen=True)
class Cell:
    """A place in a table.

    Attributes:
        text: What stands there.
        condition: How serious it is: a condition of invocations; empty if it is not.
    """

    text: str
    condition: str = ""


@dataclass(frozen=True)
class Section:
    """A table with a title, or only lines.

    Attributes:
        title: What it is about.
        lines: What is said above the table.
        columns: The heads of the columns; the first is a name, the others are figures.
        rows: The rows.
        names: How many of the first columns are names, which go to the left.
    """

    title: str
    lines: tuple[Cell, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    names: int = 1


def sections_of(picture: Picture) -> list[Section]:
    """All that is shown of a picture, from the top."""
    sections = [_job(picture)]
    for operator in picture.operators:
        sections.append(_subtasks(operator))
        sections.append(_counters(operator))
        if operator.calls:
            sections.append(_calls(operator.calls))
    names = {operator.vertex: operator.name for operator in picture.operators}
    sections.append(_in_flight(picture.in_flight, picture.moment, names))
    return sections


def _job(picture: Picture) -> Section:
    job = picture.job
    lines = [Cell(f"{job.state.lower()}, {picture.moment:%Y-%m-%d %H:%M:%S} UTC")]
    if picture.trouble is not None:
        lines = [Cell(f"as of {picture.moment:%H:%M:%S} UTC: {picture.trouble}", "failed")]
    lines += _checkpoints(picture)
    if not picture.operators:
        lines.append(Cell("no durable operator has told metrics yet: it takes some seconds"))
    elif not any(operator.calls for operator in picture.operators):
        lines.append(Cell("calls by their names are told with DurableOptions(call_metrics=True)"))
    return Section(f"{job.name}  {job.id}", tuple(lines))


def _checkpoints(picture: Picture) -> Iterator[Cell]:
    checkpoints = picture.checkpoints
    newest = checkpoints.newest
    if newest is None:
        yield Cell("no completed checkpoint yet", "waiting")
    else:
        age = _age(newest.taken / 1e3, picture.moment)
        yield Cell(
            f"checkpoint {newest.id} is {age} old, took {newest.millis / 1e3:.1f} s, "
            f"{_bytes(newest.size)}; {checkpoints.completed:,} complete"
        )
    if checkpoints.failed:
        told = f"{checkpoints.failed:,} checkpoints failed"
        why = (checkpoints.failure or "").strip().partition("\n")[0]
        yield Cell(f"{told}, the last of: {why}" if why else told, "retrying")


def _subtasks(operator: OperatorPicture) -> Section:
    """The gauges of each subtask, those with the oldest work first if there are many."""
    subtasks = list(operator.subtasks.items())
    lines = []
    if len(subtasks) > MOST_SUBTASKS:
        subtasks.sort(key=lambda one: -max(one[1].get(name, 0) for name in _AGES))
        lines = [Cell(f"{MOST_SUBTASKS} of {len(subtasks)} subtasks, those with the oldest work")]
    rows = [(Cell(str(number)), *_gauges(gauges)) for number, gauges in subtasks[:MOST_SUBTASKS]]
    if len(subtasks) > 1:
        sums = {
            name: (max if name in _AGES else sum)(one.get(name, 0) for _, one in subtasks)
            for name in subtasks[0][1]
        }
        rows.append((Cell("all"), *_gauges(sums)))
    columns = ("subtask", "running", "waiting", "at the gate", "parked", "in doubt")
    ages = ("oldest running", "oldest waiting", "stands still")
    return Section(operator.name, tuple(lines), (*columns, *ages), tuple(rows))


_AGES = ("oldestRunningMillis", "oldestWaitingMillis", "stalledSeconds")


def _gauges(gauges: Mapping[str, float]) -> Iterator[Cell]:
    for name in ("running", "waiting"):
        yield _number(gauges.get(name))
    yield _number(gauges.get("atGate"), "waiting")
    yield _number(gauges.get("parked"))
    yield _number(gauges.get("inDoubt"), "in doubt")
    for name in ("oldestRunningMillis", "oldestWaitingMillis"):
        millis = gauges.get(name)
        yield Cell(_millis(millis or None))
    seconds = gauges.get("stalledSeconds", 0)
    yield Cell(shown_duration(timedelta(seconds=seconds)), "failed") if seconds else Cell("-")


def _number(number: float | None, condition: str = "") -> Cell:
    if number is None:
        return Cell("-")
    return Cell(f"{number:,.0f}", condition if number else "")


_SERIOUS = {
    "reexecuted": "retrying",
    "retried": "retrying",
    "timedOut": "retrying",
    "failed": "failed",
    "unknown": "in doubt",
    "mismatched": "failed",
    "handlerErrors": "failed",
    "deadLetters": "failed",
}


def _counters(operator: OperatorPicture) -> Section:
    names = {
        "executed": "executed",
        "replayed": "replayed",
        "reconciled": "reconciled",
        "reexecuted": "run again",
        "retried": "retried",
        "timedOut": "timed out",
        "unknown": "unknown",
        "mismatched": "mismatched",
        "handlerErrors": "handler errors",
        "deadLetters": "dead letters",
    }
    totals = [_total(operator.counts.get(name), name) for name in names]
    rates = [Cell(_rate(operator.counts.get(name))) for name in names]
    rows = ((Cell("in all"), *totals), (Cell("a second"), *rates))
    return Section("", (), ("calls", *names.values()), rows)


def _total(count: Count | None, name: str) -> Cell:
    return _number(None if count is None else count.total, _SERIOUS.get(name, ""))


def _rate(count: Count | None) -> str:
    if count is None or count.rate is None:
        return "-"
    return f"{count.rate:,.1f}"


def _calls(calls: Sequence[CallPicture]) -> Section:
    times = ("name", "started", "a second", "half within", "99% within")
    columns = (*times, "failed", "retried", "timed out", "replayed")
    rows = []
    for call in calls:
        totals = [
            _total(call.counts.get(name), name)
            for name in ("failed", "retried", "timedOut", "replayed")
        ]
        started = call.counts.get("started")
        rows.append(
            (
                Cell(call.name),
                _total(started, "started"),
                Cell(_rate(started)),
                Cell(_millis(call.median)),
                Cell(_millis(call.p99)),
                *totals,
            )
        )
    return Section("", (), columns, tuple(rows))


# -------------------------------------------------------------------- in flight


def _in_flight(told: InFlightPicture, now: datetime, names: Mapping[str, str]) -> Section:
    lines = []
    if told.trouble is not None:
        lines.append(Cell(told.trouble, "retrying"))
    if told.findings is None or told.taken is None:
        return Section("in flight", tuple(lines))
    age = shown_duration(now - told.taken)
    lines.insert(0, Cell(f"read from checkpoint {told.checkpoint}, which is {age} old"))
    for operator, counts in told.findings.conditions.items():
        sums = ", ".join(f"{counts[name]:,} {name}" for name in CONDITIONS if counts[name])
        lines.append(Cell(f"{_name(operator, names)}: {sums or 'nothing'}"))
    rows = tuple(_invocation(one, told.taken, names) for one in told.findings.invocations())
    columns = ("key", "operator", "condition", "waits at", "age")
    return Section("in flight, the slowest first", tuple(lines), columns, rows, names=4)


def _name(operator: OperatorInfo, names: Mapping[str, str]) -> str:
    """Its uid; where Flink does not keep that (before 2.1), the name that the REST API tells."""
    return operator.uid or names.get(operator.id) or operator.shown


def _invocation(one: Invocation, now: datetime, names: Mapping[str, str]) -> tuple[Cell, ...]:
    opened = [slot for slot in one.slots if slot.condition not in ("ended", "failed")]
    place = "; ".join(_slot(slot, now) for slot in opened)
    return (
        Cell(repr(one.key)),
        Cell(_name(one.operator, names)),
        Cell(one.condition, one.condition),
        Cell(place or ("its turn" if one.place else "its next call")),
        Cell("-" if one.since is None else shown_duration(now - one.since)),
    )


def _slot(slot: Slot, now: datetime) -> str:
    text = f"{slot.number} {short_name(slot)}"
    if slot.attempt > 1:
        text += f", attempt {slot.attempt}"
    if slot.due:
        due = datetime.fromtimestamp(slot.due / 1e3, tz=timezone.utc)
        text += f", due in {shown_duration(max(due - now, timedelta()))}"
    return text


# -------------------------------------------------------------------- figures


def _age(since: float, now: datetime) -> str:
    return shown_duration(max(now - datetime.fromtimestamp(since, tz=timezone.utc), timedelta()))


def _millis(millis: float | None) -> str:
    if millis is None:
        return "-"
    if millis < 10_000:
        return f"{millis:,.0f} ms"
    return shown_duration(timedelta(milliseconds=millis))


def _bytes(size: int) -> str:
    for unit, length in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= length:
            return f"{size / length:.1f} {unit}"
    return f"{size} B"
