"""``pyflink-durable replay``: where does an invocation in flight wait, and with what?"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from pyflink_durable.commands.check_upgrade import loaded
from pyflink_durable.errors import DurableExecutionError, PayloadNotLoadable
from pyflink_durable.inspection.selection import is_shown_as, short_name
from pyflink_durable.snapshot import Invocation, SnapshotError, read_snapshot

if TYPE_CHECKING:
    from pyflink_durable.testing.replay import Replayed

_LONGEST = 300


@click.command()
@click.argument("snapshot")
@click.argument("handler", metavar="MODULE:HANDLER")
@click.option("--key", required=True, help="The key of the invocation.")
@click.option("--uid", help="The operator's uid; needed if several have the key.")
@click.option("--options", metavar="MODULE:OPTIONS", help="The DurableOptions of the operator.")
@click.option("--pdb", "debug", is_flag=True, help="Debug where it waits.")
def replay(
    snapshot: str, handler: str, key: str, uid: str | None, options: str | None, debug: bool
) -> None:
    """Run the handler of an invocation in flight over its journal, in this process.

    No call is made and nobody is asked: it stops where it waits for what SNAPSHOT does not hold,
    and shows the line, the local variables and the calls that are open. They may be personal.

    The exit code is 1 if the handler does not go on with the journal, 2 if there is no such
    invocation.
    """
    from pyflink_durable.testing.attempt import Attempt
    from pyflink_durable.testing.places import places_of
    from pyflink_durable.testing.replay import replay as run
    from pyflink_durable.testing.sealed_inputs import input_of
    from pyflink_durable.testing.upgrade import journal_of

    sys.path.insert(0, "")
    function: Any = loaded(handler)
    invocation = _find(snapshot, key, uid)
    assert invocation.key_data is not None
    settings = None if options is None else loaded(options)
    try:
        value = input_of(invocation, function, settings)
    except PayloadNotLoadable as error:
        raise _NotThere(f"the input of key {key} cannot be read: {error}") from error
    if value is None:
        raise _NotThere(f"the input of key {key} is of a type that cannot be read from outside")
    journal = journal_of(invocation, invocation.key_data, value)

    def show(attempt: Attempt) -> None:
        for frame in places_of(attempt):
            click.echo("\n".join(_told(frame)))
            if debug:
                import pdb

                debugger = pdb.Pdb()
                debugger.reset()
                debugger.interaction(frame, None)

    click.echo(
        f"operator {invocation.operator.shown} key={invocation.key!r} "
        f"invocation={invocation.id}: {invocation.condition}, {len(invocation.slots)} slots"
    )
    try:
        replayed = run(function, journal, settings, at_rest=show)
    except DurableExecutionError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
    click.echo("\n".join(_next(invocation, replayed)))


def _find(path: str, key: str, uid: str | None) -> Invocation:
    try:
        with read_snapshot(path, uid=uid, payloads=True) as snapshot:
            found = [
                one
                for one in snapshot.invocations()
                if one.place == 0 and is_shown_as(one.key, key)
            ]
    except SnapshotError as error:
        raise _NotThere(str(error)) from error
    if len(found) == 1:
        return found[0]
    if not found:
        raise _NotThere(f"nothing is in flight of key {key}: pyflink-durable inspect tells what is")
    operators = ", ".join(one.operator.shown for one in found)
    raise _NotThere(f"several operators have key {key} ({operators}): name one with --uid")


class _NotThere(click.ClickException):
    exit_code = 2


def _told(frame: FrameType) -> Iterator[str]:
    code = frame.f_code
    yield f"waits at {code.co_filename}:{frame.f_lineno} in {code.co_name}"
    for name, value in frame.f_locals.items():
        yield f"    {name} = {_short(value)}"


def _short(value: Any) -> str:
    try:
        text = repr(value)
    except Exception as error:  # of the user's class
        text = f"<repr() raised {type(error).__name__}>"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _next(invocation: Invocation, replayed: Replayed) -> Iterator[str]:
    for slot in invocation.slots:
        if slot.condition not in ("ended", "failed"):
            yield f"open: slot {slot.number} {short_name(slot)}, {slot.condition}"
    for call in replayed.more:
        yield f"next: {call.shown}, which the snapshot does not hold"
    if replayed.ended:
        yield "it ends with what the snapshot holds"
