"""The end of several things, of which each has to come."""

from __future__ import annotations

from collections.abc import Callable


def close_all(*steps: Callable[[], object]) -> None:
    """Takes all steps, one after another, also behind one that raises.

    Raises:
        BaseException: What the last one to fail has raised, with the others as its context.
    """
    if steps:
        try:
            steps[0]()
        finally:
            close_all(*steps[1:])
