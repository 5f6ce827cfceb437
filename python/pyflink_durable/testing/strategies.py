"""Strategies of hypothesis for what can happen to a run: crashes, and the order of calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyflink_durable.options import Durability
from pyflink_durable.testing.plans import Plan

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


def plans(
    *,
    levels: Sequence[Durability] = ("checkpoint",),
    crashes: int = 1,
    places: int = 30,
    races: int = 8,
) -> SearchStrategy[Plan]:
    """Plans of crashes and of the order in which concurrent calls end, the simplest first.

    `crash_points` takes every crash in one order; this one draws of all crashes in all orders.

    Args:
        levels: The levels to try.
        crashes: How many crashes at the most.
        places: At how many places of an attempt the task may die; a call has about four.
        races: How often another than the first of the calls that could end is chosen.

    Raises:
        ModuleNotFoundError: hypothesis is not installed.
    """
    try:
        from hypothesis import strategies as of
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "strategies.plans needs hypothesis: pip install 'pyflink-durable[testing]'",
            name=error.name,
        ) from error

    if crashes < 0 or places < 1 or races < 0:
        raise ValueError(f"{crashes=}, {races=} are numbers from 0, {places=} is one from 1")
    if not levels:
        raise ValueError("levels= names one level at least")
    crash = of.tuples(of.integers(0, places - 1), of.integers(0, places - 1))
    return of.builds(
        Plan,
        level=of.sampled_from(list(levels)),
        crashes=of.lists(crash, max_size=crashes).map(tuple),
        order=of.lists(of.integers(0, 7), max_size=races).map(tuple),
    )
