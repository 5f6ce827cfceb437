"""Random handlers as data, and the hypothesis strategies that make them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st


@dataclass(frozen=True)
class Call:
    """A durable call; `number` tells it from its equals, and is no part of its identity."""

    number: int
    argument: int
    form: str  # "sync", "task" (create_task) or "await"
    fails: bool
    reconciler: str  # "none", "looks up" or "not executed"
    rank: int  # of the calls that run, the one with the lowest rank completes first


BATCHES = {"batch": None, "batch of two": 2}
"""Kinds of steps that are calls made together, and how many of them run at a time."""


@dataclass(frozen=True)
class Steps:
    kind: str  # "sequence", "gather", "task gather", "outcomes", "race", "race and cancel", BATCHES
    parts: tuple[Any, ...]


@dataclass(frozen=True)
class Branch:
    on: Any
    parts: tuple[Any, ...]


@dataclass(frozen=True)
class Pause:
    steps: int


@dataclass(frozen=True)
class Sleep:
    """A durable timer; it fires when its rank has come, as if it were a call."""

    number: int
    rank: int


@dataclass(frozen=True)
class Timeout:
    number: int
    rank: int
    part: Any


@dataclass(frozen=True)
class Take:
    """Takes the time, and a random number, which is part of the output."""

    number: int


@dataclass(frozen=True)
class Catch:
    part: Any


def seconds_of(number: int) -> float:
    """How long a timer takes; under a clock that stands still, its deadline tells its number."""
    return 1_000.0 * number


def ranks_of_timers(node: Any) -> dict[int, tuple[int, int]]:
    """The place of each timer in the order in which calls end."""
    ranks = {}
    if isinstance(node, (Sleep, Timeout)):
        ranks[node.number] = (node.rank, node.number)
    for part in _parts_of(node):
        ranks |= ranks_of_timers(part)
    return ranks


def calls_of(node: Any) -> list[Call]:
    """All calls of a program, made or not."""
    if isinstance(node, Call):
        return [node]
    return [call for part in _parts_of(node) for call in calls_of(part)]


def _parts_of(node: Any) -> list[Any]:
    parts = [*getattr(node, "parts", ())]
    return parts + [getattr(node, name) for name in ("on", "part") if hasattr(node, name)]


def _numbered(node: Any, counter: list[int]) -> Any:
    """Gives whatever takes a slot a number of its own."""
    if isinstance(node, (Sleep, Timeout, Take)):
        counter[0] += 1
        node = replace(node, number=counter[0])
        if isinstance(node, Timeout):
            node = replace(node, part=_numbered(node.part, counter))
    match node:
        case Call():
            counter[0] += 1
            return Call(**{**vars(node), "number": counter[0]})
        case Steps(kind, parts):
            return Steps(kind, tuple(_numbered(part, counter) for part in parts))
        case Branch(on, parts):
            return Branch(_numbered(on, counter), tuple(_numbered(part, counter) for part in parts))
        case Catch(part):
            return Catch(_numbered(part, counter))
    return node


def programs(
    forms: list[str], kinds: list[str], batches: Iterable[str] = (), with_time: bool = False
) -> st.SearchStrategy[Any]:
    """Programs of calls in these forms, combined in these ways.

    Args:
        forms: Of the calls.
        kinds: Of the steps.
        batches: Kinds of batches; none by default.
        with_time: Whether there are timers, and looks at the clock.
    """
    call = st.builds(
        Call,
        number=st.just(0),
        argument=st.integers(0, 1),
        form=st.sampled_from(forms),
        fails=st.sampled_from([False, False, False, True]),
        reconciler=st.sampled_from(["none", "looks up", "not executed"]),
        rank=st.integers(0, 9),
    )

    def steps(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        parts = st.lists(inner, min_size=2, max_size=4).map(tuple)
        return st.builds(Steps, st.sampled_from(kinds), parts)

    leaf: st.SearchStrategy[Any] = call | call | call | st.builds(Pause, st.integers(1, 3))
    if batches:
        together = st.lists(call, min_size=2, max_size=4).map(tuple)
        leaf |= st.builds(Steps, st.sampled_from(list(batches)), together)
    ranks = st.integers(0, 9)
    if with_time:
        leaf = leaf | st.builds(Sleep, st.just(0), ranks) | st.builds(Take, st.just(0))
    small = steps(leaf)
    if with_time:
        small = small | st.builds(Timeout, st.just(0), ranks, small | leaf)
    middle = small | steps(small | leaf) | st.builds(Catch, small)
    branch = st.builds(Branch, middle, st.lists(small | leaf, min_size=2, max_size=3).map(tuple))
    return steps(middle | branch | branch).map(lambda node: _numbered(node, [0]))
