"""``pyflink-durable demo`` and ``proof``: what the package does, shown on this machine."""

from __future__ import annotations

import sys

import click

_OPTIONS_ARE_ITS_OWN = {"ignore_unknown_options": True, "help_option_names": []}
_arguments = click.argument("arguments", nargs=-1, type=click.UNPROCESSED)


@click.command(context_settings=_OPTIONS_ARE_ITS_OWN, add_help_option=False)
@_arguments
def demo(arguments: tuple[str, ...]) -> None:
    """Charge orders while the job keeps failing, and tell what happened."""
    from pyflink_durable.demo.__main__ import main

    sys.exit(main(arguments))


@click.command(context_settings=_OPTIONS_ARE_ITS_OWN, add_help_option=False)
@_arguments
def proof(arguments: tuple[str, ...]) -> None:
    """Fail at random points, and count the charges in the service's own database."""
    from pyflink_durable.demo.proof.__main__ import main

    sys.exit(main(arguments))
