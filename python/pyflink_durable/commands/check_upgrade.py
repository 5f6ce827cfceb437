"""``pyflink-durable check-upgrade``: does a new handler go on with what is in flight?"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pyflink_durable.errors import ConfigurationError
from pyflink_durable.snapshot import SnapshotError

if TYPE_CHECKING:
    from pyflink_durable.testing.upgrade import UpgradeCheck, UpgradeMismatch


@click.command("check-upgrade")
@click.argument("snapshot")
@click.argument("handler", metavar="MODULE:HANDLER")
@click.option("--uid", help="The operator's uid; needed if the snapshot has several.")
@click.option("--options", metavar="MODULE:OPTIONS", help="The DurableOptions of the operator.")
@click.option("--version", help="The version of the handler, as durable_process is given it.")
@click.option(
    "--previous",
    multiple=True,
    metavar="VERSION=MODULE:HANDLER",
    help="The handler of an earlier version, which goes on with what that has accepted.",
)
@click.option(
    "--unversioned",
    metavar="MODULE:HANDLER",
    help="The same for what a job without versions has accepted.",
)
def command(
    snapshot: str,
    handler: str,
    uid: str | None,
    options: str | None,
    version: str | None,
    previous: tuple[str, ...],
    unversioned: str | None,
) -> None:
    """Run a handler over all journals in flight in SNAPSHOT, without making a call.

    SNAPSHOT is a checkpoint or savepoint: a path, or a URI of any file system that Flink is set up
    for. MODULE is imported from here; HANDLER is what durable_process is given, or a function
    without arguments that makes it: orders:make_handler().

    What is in flight is held against the handler of the version that has accepted it.

    The exit code is 0 if the handler goes on with all that is in flight, 1 if it does not.
    """
    from pyflink_durable.testing.upgrade import check_upgrade  # no other command pays for it

    sys.path.insert(0, "")
    try:
        found = check_upgrade(
            snapshot,
            loaded(handler),
            uid=uid,
            options=None if options is None else loaded(options),
            version=version,
            previous=_previous(previous, unversioned),
        )
    except (ConfigurationError, SnapshotError) as error:
        raise click.ClickException(str(error)) from error
    console = Console()
    if found.mismatches:
        console.print(_table(found.mismatches))
    console.print(escape(_told(found)))
    sys.exit(0 if found.passed else 1)


def _previous(specs: tuple[str, ...], unversioned: str | None) -> dict[str | None, Any]:
    handlers: dict[str | None, Any] = {}
    for spec in specs:
        version, _, handler = spec.rpartition("=")
        if not version:
            raise click.BadParameter(f"{spec!r}: write VERSION=MODULE:HANDLER")
        handlers[version] = loaded(handler)
    if unversioned is not None:
        handlers[None] = loaded(unversioned)
    return handlers


def loaded(spec: str) -> Any:
    """What MODULE:NAME names; MODULE:NAME() is called."""
    module, _, name = spec.partition(":")
    if not name:
        raise click.BadParameter(f"{spec!r}: write MODULE:NAME, such as jobs.orders:handle_order")
    try:
        found: Any = importlib.import_module(module)
        for part in name.removesuffix("()").split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise click.BadParameter(f"{spec!r} cannot be loaded from here: {error}") from error
    return found() if name.endswith("()") else found


def _told(found: UpgradeCheck) -> str:
    parts = [f"operator {found.operator}: {found.replayed} journals replayed"]
    parts.append(f"{len(found.mismatches)} mismatches")
    if found.in_line:
        parts.append(f"{found.in_line} inputs without a journal yet")
    if found.unreadable:
        parts.append(f"{found.unreadable} inputs of a type that cannot be read from outside")
    told = ", ".join(parts)
    for version, count in found.unknown_versions.items():
        told += (
            f"\n{count} inputs were accepted by version {version!r} of the handler, which is not "
            f"named: the job would not start. Name it in previous={{...}} of durable_process, and "
            f"here by {_named(version)}"
        )
    return told


def _named(version: str | None) -> str:
    if version is None:
        return "--unversioned MODULE:HANDLER"
    return f"--version {version} or --previous {version}=MODULE:HANDLER"


def _table(mismatches: list[UpgradeMismatch]) -> Table:
    table = Table()
    for column in ("key", "input", "slot", "then", "now", "line"):
        table.add_column(column, overflow="fold")
    for one in mismatches:
        slot = "" if one.slot is None else str(one.slot)
        cells = (one.key, str(one.sequence), slot, one.then, one.now, one.line)
        table.add_row(*map(escape, cells))
    return table
