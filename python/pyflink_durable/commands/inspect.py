"""``pyflink-durable inspect``: what is in flight in a checkpoint or savepoint."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import click

from pyflink_durable.errors import ConfigurationError
from pyflink_durable.inspection.findings import Findings
from pyflink_durable.inspection.past import is_history, read_history
from pyflink_durable.inspection.records import record_of
from pyflink_durable.inspection.selection import Selection, duration
from pyflink_durable.payload.offload import Offload
from pyflink_durable.snapshot import Invocation, OperatorInfo, SnapshotError, read_snapshot
from pyflink_durable.snapshot.objects import with_objects

PAGE_LIMIT = 5_000
"""How many invocations a page has: browsers get slow beyond."""

FOUND, UNREADABLE = 1, 2


class _Duration(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    name = "duration"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        try:
            return duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.argument("snapshot")
@click.option("--uid", help="The operator to look at; all that are durable without it.")
@click.option("--key", help="The key to look at, with all its slots.")
@click.option("--in-doubt", is_flag=True, help="Only invocations with a call in doubt.")
@click.option("--older-than", type=_Duration(), metavar="1h", help="Only those that began before.")
@click.option("--name", help="Only those with this call open: its function or durable_id.")
@click.option("--limit", default=50, show_default=True, help="How many to list.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each, all of them.")
@click.option("--payloads", is_flag=True, help="Show inputs, results, exceptions and state.")
@click.option(
    "--store",
    metavar="URL",
    help="The store of large payloads, to show what is in it; with --payloads.",
)
@click.option(
    "--html", "page", type=click.Path(dir_okay=False, path_type=Path), help="Write a page."
)
def inspect(
    snapshot: str,
    uid: str | None,
    key: str | None,
    in_doubt: bool,
    older_than: timedelta | None,
    name: str | None,
    limit: int,
    as_json: bool,
    payloads: bool,
    store: str | None,
    page: Path | None,
) -> None:
    """Tell what is in flight in a checkpoint or savepoint: SNAPSHOT is its folder, or a URI.

    It may also be a history, a file or a folder of lines: then it tells what has ended.

    In doubt come first, then the oldest. Payloads are hidden unless they are asked for. Nothing is
    changed, and none of the job's code is run.

    The exit code is 1 if a call is in doubt among what is told, 2 if the snapshot cannot be read,
    else 0.
    """
    now = time_of(snapshot)
    selection = Selection(now, key, in_doubt, older_than, name)
    if store is not None and not payloads:
        raise click.BadParameter("it is for --payloads, which is not given", param_hint="--store")
    try:
        offload = None if store is None else Offload(store)
        with _open(snapshot, uid, payloads) as (operators, invocations):
            findings = Findings(0 if as_json else PAGE_LIMIT if page else limit)
            findings.add_operators(operators)
            _find(_shown(selection.among(invocations), offload), findings, as_json)
    except (ConfigurationError, SnapshotError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(UNREADABLE)
    if page is not None:
        _write_page(page, findings, snapshot, now, payloads)
    elif not as_json:
        _print_table(findings, now, key is not None, payloads)
    sys.exit(FOUND if findings.in_doubt else 0)


Opened = tuple[Iterable[OperatorInfo], Iterable[Invocation]]


@contextmanager
def _open(path: str, uid: str | None, payloads: bool) -> Iterator[Opened]:
    if is_history(path):
        ended = read_history(path)
        yield (), (one for one in ended if uid in (None, one.operator.uid))
        return
    with (
        progress_bar() as progress,
        read_snapshot(path, uid=uid, payloads=payloads, progress=progress) as opened,
    ):
        yield opened.operators, opened.invocations()


def _find(invocations: Iterable[Invocation], findings: Findings, as_json: bool) -> None:
    for invocation in invocations:
        findings.add(invocation)
        if as_json:
            print(json.dumps(record_of(invocation)))


def _shown(invocations: Iterable[Invocation], store: Offload | None) -> Iterator[Invocation]:
    """What was selected, with large payloads if there is a store to read them from."""
    for invocation in invocations:
        yield invocation if store is None else with_objects(invocation, store)


def _write_page(
    page: Path, findings: Findings, snapshot: str, now: datetime, payloads: bool
) -> None:
    from pyflink_durable.inspection.page import render_page

    page.write_text(render_page(findings, snapshot, now, payloads=payloads), encoding="utf-8")
    click.echo(f"wrote {page}", err=True)


def _print_table(findings: Findings, now: datetime, all_slots: bool, payloads: bool) -> None:
    from rich.console import Console

    from pyflink_durable.inspection.table import render

    if not findings.conditions:
        click.echo("no durable operator is in this snapshot", err=True)
    Console(soft_wrap=not sys.stdout.isatty(), highlight=False).print(
        render(findings, now, all_slots=all_slots, payloads=payloads)
    )


def time_of(snapshot: str) -> datetime:
    """When a snapshot was taken, where the file system tells; else now. Ages refer to it."""
    folder = Path(snapshot.removeprefix("file:"))
    for path in (folder / "_metadata", folder):
        if path.is_file():
            return datetime.fromtimestamp(path.stat().st_mtime, tz=timezone.utc)
    return datetime.now(tz=timezone.utc)


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int], None]]:
    """A bar on the terminal's standard error; nothing where that is none."""
    if not sys.stderr.isatty():
        yield lambda done, all: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda done, all: bar.update(task, completed=done, total=all)
