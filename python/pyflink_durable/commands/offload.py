"""``pyflink-durable offload``: looks after the store of large payloads."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import click

from pyflink_durable.errors import ConfigurationError
from pyflink_durable.inspection.selection import duration
from pyflink_durable.payload.leftovers import delete, leftovers, named_by
from pyflink_durable.payload.offload import Offload
from pyflink_durable.snapshot import Invocation, Slot, SnapshotError, UnclaimedSlot, read_snapshot

_YOUNGEST = timedelta(hours=1)
"""An object is written before the checkpoint that names it."""


@click.group()
def offload() -> None:
    """Look after the store of large payloads, see DurableOptions(offload=...)."""


@offload.command()
@click.argument("url")
@click.option("--older-than", required=True, metavar="30d", help="Only objects written before.")
@click.option(
    "--checkpoints",
    multiple=True,
    metavar="PATH",
    help="A retained checkpoint or savepoint, or a folder that has some; repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Tell what would be deleted, and delete nothing.")
def gc(url: str, older_than: str, checkpoints: tuple[str, ...], dry_run: bool) -> None:
    """Delete objects of the store at URL that are old and that no checkpoint names.

    With --checkpoints an object that one of these names stays, however old: name all that are kept,
    of all jobs that use the store. Without it age alone decides: it must be longer than an
    invocation is ever in flight, and than checkpoints and savepoints are kept.

    If one of the checkpoints cannot be read nothing is deleted, and the exit code is 2.
    """
    try:
        age = duration(older_than)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--older-than") from None
    if age < _YOUNGEST:
        raise click.BadParameter(
            "an object is written before the checkpoint that names it: an hour at least",
            param_hint="--older-than",
        )
    before = datetime.now(timezone.utc) - age
    try:
        store = Offload(url)
        snapshots = [one for path in checkpoints for one in _snapshots(path)]
        named = {name for snapshot in snapshots for name in _names_in(snapshot)}
    except (ConfigurationError, SnapshotError) as error:
        click.echo(f"error: {error}. Nothing was deleted", err=True)
        sys.exit(2)
    count = size = 0
    for stored in leftovers(store, named, before):
        if not dry_run:
            delete(store, stored)
        count, size = count + 1, size + stored.size
    did = "would delete" if dry_run else "deleted"
    read = f"{len(snapshots)} checkpoints name {len(named)} objects; " if checkpoints else ""
    click.echo(f"{read}{did} {count} objects, {size} bytes, older than {older_than}")


def _snapshots(path: str) -> list[str]:
    """The snapshots in a local folder; anything else is one.

    Raises:
        SnapshotError: There is none.
    """
    folder = Path(path.removeprefix("file://"))
    if not folder.is_dir() or (folder / "_metadata").exists():
        return [path]
    found = sorted(str(metadata.parent) for metadata in folder.rglob("_metadata"))
    if not found:
        raise SnapshotError(f"there is no checkpoint and no savepoint in {path}")
    return found


def _names_in(snapshot: str) -> Iterator[str]:
    with read_snapshot(snapshot, payloads=True) as opened:
        for content in opened:
            slots: list[Slot | None] = []
            if isinstance(content, Invocation):
                slots += content.slots
            elif isinstance(content, UnclaimedSlot):
                slots.append(content.slot)
            for slot in slots:
                for payload in () if slot is None else (slot.result, slot.exception):
                    name = None if payload is None else named_by(payload.data)
                    if name is not None:
                        yield name
