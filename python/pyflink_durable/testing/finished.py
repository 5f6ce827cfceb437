"""A run to its end, and its replays if they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pyflink_durable.testing.run import Run
from pyflink_durable.testing.signals import SentSignal
from pyflink_durable.testing.world import World


def finished(
    world: World,
    state: Mapping[str, Any] | None,
    signals: Iterable[SentSignal],
    always_replay: bool,
) -> Run:
    """Runs handlers to their end.

    Args:
        world: The run's surroundings.
        state: The state of each key before it.
        signals: Those that come.
        always_replay: Whether it is replayed from each of its steps.

    Raises:
        ValueError: It is to be replayed, and has two handlers.
        NotDeterministic: A replay took another path.
    """
    if not always_replay:
        return Run(world, state, signals).finish()
    if world.upgrade is not None:
        raise ValueError("always_replay= looks at one handler, and there is an upgrade=")
    from pyflink_durable.testing.always_replay import Replays

    replays = Replays(world)
    run = Run(world, state, signals).finish()
    replays.check()
    return run
