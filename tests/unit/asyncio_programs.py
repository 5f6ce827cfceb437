"""Random handlers as data, drawn from all of asyncio."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

HAS_GROUPS = sys.version_info >= (3, 11)


@dataclass(frozen=True)
class Act:
    """A durable call.

    Attributes:
        number: Tells it from the others; no part of its identity.
        form: How it is made: "sync", "await", "task" or "batch", of two equal ones.
        ends: What comes of it: see `asyncio_handlers.answer`.
        seconds: How long it takes.
    """

    number: int
    form: str
    ends: str
    seconds: float


@dataclass(frozen=True)
class Node:
    """What is done with its parts; see `asyncio_handlers`.

    Attributes:
        kind: The name of a function there.
        parts: The parts.
        seconds: A time, for what has one.
        count: A number, for what has one.
        number: Tells it from the others.
    """

    kind: str
    parts: tuple[Any, ...] = ()
    seconds: float = 0.0
    count: int = 1
    number: int = 0


LEAVES = ["sleep", "pause", "now", "chance", "clock"]
OF_ONE = [
    *("catch", "shield", "cancel_later", "in_context", "in_generator", "with_finally"),
    *("wait_for", "anyio_move_on", "anyio_fail"),
]
OF_MANY = [
    *("sequence", "gather", "race", "race_and_cancel", "as_they_complete", "branch", "budget"),
    *("lock", "semaphore", "condition", "event", "queue", "priority_queue", "generator"),
    *("broken_generator", "anyio_group", "outcomes"),
]
if HAS_GROUPS:
    OF_ONE += ["timeout", "timeout_at", "rescheduled", "entered_late"]
    OF_MANY += ["group", "barrier"]

SECONDS = st.sampled_from([0.0, 0.5, 1.0, 1.0, 1.5, 2.0, 3.5, 10.0])


def programs() -> st.SearchStrategy[Any]:
    """Programs of a few calls in all that asyncio has."""
    act: st.SearchStrategy[Any] = st.builds(
        Act,
        number=st.just(0),
        form=st.sampled_from(["sync", "await", "await", "task", "batch"]),
        ends=st.sampled_from(
            ["value", "value", "list", "tenant", "error", "caused", "noted", "grouped", "changes"]
        ),
        seconds=SECONDS,
    )
    leaf = act | act | act | st.builds(Node, st.sampled_from(LEAVES), seconds=SECONDS)

    def around(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        few = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return st.builds(
            Node, st.sampled_from(OF_MANY), few, SECONDS, st.integers(1, 2)
        ) | st.builds(Node, st.sampled_from(OF_ONE), st.tuples(inner), SECONDS, st.integers(0, 2))

    return around(st.recursive(leaf, around, max_leaves=6)).map(lambda node: _numbered(node, [0]))


def _numbered(node: Any, counter: list[int]) -> Any:
    counter[0] += 1
    node = replace(node, number=counter[0])
    if isinstance(node, Node):
        return replace(node, parts=tuple(_numbered(part, counter) for part in node.parts))
    return node
