"""``pyflink-durable watch``: a running job, live."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click
from rich.console import Console
from rich.live import Live

from pyflink_durable.errors import DurableExecutionError
from pyflink_durable.watch.in_flight import InFlightReader
from pyflink_durable.watch.pages import Pages
from pyflink_durable.watch.rest import FlinkRest
from pyflink_durable.watch.serving import PageServer
from pyflink_durable.watch.terminal import render_picture
from pyflink_durable.watch.watcher import Watcher, find_job

_WIDTH = 160
_ENDED = ("FINISHED", "CANCELED", "FAILED", "SUSPENDED")


class _NotThere(click.ClickException):
    exit_code = 2


@click.command()
@click.option(
    "--address", default="localhost:8081", show_default=True, help="The JobManager's REST API."
)
@click.option("--job", help="The id or the name of the job; the only one that runs without it.")
@click.option(
    "--every", type=click.FloatRange(min=0.5), default=2.0, show_default=True, help="Seconds."
)
@click.option("--once", is_flag=True, help="Print one picture, and end.")
@click.option("--serve", "port", type=click.IntRange(0, 65_535), help="Serve it as a page.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to serve it.")
@click.option(
    "--token", envvar="PYFLINK_DURABLE_WATCH_TOKEN", help="What readers of the page have to know."
)
def watch(
    address: str,
    job: str | None,
    every: float,
    once: bool,
    port: int | None,
    host: str,
    token: str | None,
) -> None:
    """Show a running job: its operators, its calls, and the slowest invocations in flight.

    Figures come from Flink's REST API. What is in flight is read from the newest checkpoint, which
    has to be readable from here. Nothing is changed.

    The exit code is 2 if there is no such job or cluster.
    """
    try:
        with FlinkRest(address) as rest:
            found = find_job(rest, job)
            reader = InFlightReader(lambda: rest.checkpoints(found.id).newest)
            watcher = Watcher(rest, found, reader)
            if once:
                reader.read()
                _console().print(render_picture(watcher.look()))
            elif port is None:
                with _reading(reader):
                    _show(watcher, every)
            else:
                pages = Pages(watcher, every)
                with _reading(reader), PageServer(host, port, pages.page, token) as server:
                    _serve(server)
    except (DurableExecutionError, OSError) as error:
        raise _NotThere(str(error)) from error


@contextmanager
def _reading(reader: InFlightReader) -> Iterator[None]:
    reader.start()
    try:
        yield
    finally:
        reader.stop()


def _show(watcher: Watcher, every: float) -> None:
    """Shows pictures until the job has ended, or Ctrl-C."""
    picture = watcher.look()
    with Live(render_picture(picture), console=_console(), screen=True, auto_refresh=False) as live:
        try:
            while picture.job.state not in _ENDED:
                time.sleep(every)
                picture = watcher.look()
                live.update(render_picture(picture), refresh=True)
        except KeyboardInterrupt:
            pass
    _console().print(render_picture(picture))


def _serve(server: PageServer) -> None:
    host, port = str(server.server_address[0]), server.server_address[1]
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"http://{shown}:{port}/  (Ctrl-C ends it)", err=True)
    with suppress(KeyboardInterrupt):
        server.serve_forever()


def _console() -> Console:
    """A file has no width: in the 80 columns that rich takes it to have names would be broken."""
    return Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False)
