"""A batch after a failure: who had ended is replayed, only the others run or are asked about."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, combinations
from typing import Any

import pytest
from attempts import Attempt, check
from bridges import Slot
from random_programs import Call, Steps

from pyflink_durable.runtime.journal.times import AT_ONCE

SIZE = 5
SUBSETS = list(chain.from_iterable(combinations(range(SIZE), k) for k in range(SIZE + 1)))
WAYS = [Attempt.run_on_loop, Attempt.run_in_steps, Attempt.run_in_thread]
ways = pytest.mark.parametrize("run", WAYS, ids=lambda run: run.__name__)
reconcilers = pytest.mark.parametrize("reconciler", ["none", "looks up", "not executed"])


def batch(reconciler: str, kind: str = "batch") -> Steps:
    """Equal calls, of which the last ends first."""
    return Steps(
        kind, tuple(Call(n, 0, "await", n == 2, reconciler, SIZE - n) for n in range(SIZE))
    )


def ended(run: Callable[[Attempt, Any], None], program: Steps) -> tuple[Slot, ...]:
    """The journal of an attempt that nothing has interrupted."""
    attempt = Attempt(())
    run(attempt, program)
    return attempt.kept[-1]


@ways
@reconcilers
@pytest.mark.parametrize("kind", ["batch", "batch of two"])
def test_whoever_had_ended(run: Any, reconciler: str, kind: str) -> None:
    program = batch(reconciler, kind)
    full = ended(run, program)
    for done in SUBSETS:
        in_doubt = [n for n in range(SIZE) if n not in done][:2]  # so many run at a time
        survived = []
        for number, slot in enumerate(full):
            pending = slot._replace(status="PENDING", result=None, exception=None, completion=-1)
            in_line = pending._replace(due=AT_ONCE)
            survived.append(slot if number in done else pending if number in in_doubt else in_line)
        attempt = Attempt(tuple(survived))
        run(attempt, program)

        open_ = set(range(SIZE)) - set(done)
        asked = set(in_doubt) if reconciler != "none" else set()
        ran = open_ - asked if reconciler == "looks up" else open_
        assert set(attempt.outside.looked_up) == asked, done
        assert sorted(attempt.outside.ran) == sorted(ran), done
        assert attempt.telemetry.counters["replayed"] == len(done)
        assert attempt.output == [
            f"raised {ValueError(2)!r}" if n == 2 else [n, 0] for n in range(SIZE)
        ]
        # an in-doubt call that ran again has had another attempt; one in line its first
        for number, slot in enumerate(attempt.kept[-1]):
            again = number in in_doubt and number in ran
            assert slot.attempt == (2 if again else 1), (done, number)


@pytest.mark.parametrize("run", [*WAYS, Attempt.run_in_sequence], ids=lambda run: run.__name__)
@reconcilers
@pytest.mark.parametrize("kind", ["batch", "batch of two"])
def test_a_crash_anywhere(run: Any, reconciler: str, kind: str) -> None:
    program = Steps("sequence", (batch(reconciler, kind), Call(9, 1, "sync", False, reconciler, 0)))
    reference = Attempt(())
    run(reference, program)
    for event in range(reference.events):
        for lag in (0, 1, 3):  # by how many writes the checkpoint is older
            check(program, [(event, lag)], run)
