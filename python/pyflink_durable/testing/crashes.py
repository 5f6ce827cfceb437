"""Crashes: where in a run the task dies, and which checkpoint is the last one that completed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

When = Literal[
    "before",
    "during",
    "after-effect",
    "after-outcome",
    "at-gate",
    "between-attempts",
    "in-reconciler",
    "waiting",
    "signal-arrived",
    "parked",
    "after-handler",
]
"""Where a crash strikes.

- ``"before"``: the call has its place in the journal, and its function has not begun.
- ``"during"``: the function has begun and stops at its second line; a coroutine function where it
  first waits.
- ``"after-effect"``: the function has returned, and nobody knows.
- ``"after-outcome"``: the outcome is in the journal.
- ``"at-gate"``: the call waits for the checkpoint that lets it start.
- ``"between-attempts"``: it has failed, and waits for its next attempt.
- ``"in-reconciler"``: its reconciler has answered, and nobody knows.
- ``"waiting"``: a wait for a signal has its place in the journal.
- ``"signal-arrived"``: a signal has come, and the handler has not been given it.
- ``"parked"``: the handler waits for nothing but time or signals, and is not in memory any more.
- ``"after-handler"``: the handler has returned, and no checkpoint has its outputs.
"""

WHENS: tuple[When, ...] = get_args(When)

OF_HANDLER = ("parked", "after-handler")
"""Those that belong to no call."""

NEWEST, OLDEST = "newest", "oldest"


class Point(NamedTuple):
    """A place in a run at which the task may die.

    Attributes:
        when: See `When`.
        name: The call's function id or durable_id, or the name of a signal; empty where the handler
            ends, or is parked.
        input: The number of the input.
        snapshot: The number of the newest snapshot of the attempt.
        oldest: The number of the oldest one that may be the last completed one.
        effects: How many functions and reconcilers had returned.
    """

    when: When
    name: str
    input: int
    snapshot: int
    oldest: int
    effects: int


@dataclass(frozen=True)
class Crash:
    """A crash of the task; made by `crash`.

    Attributes:
        name: The call: its durable_id, or its function by name; or a signal's name. Empty for the
            handler.
        when: See `When`.
        occurrence: Of several that fit, the first, the second ...
        checkpoint: The last completed one: ``"newest"`` was taken just before the crash,
            ``"oldest"`` is the oldest that the level allows.
    """

    name: str
    when: When
    occurrence: int = 1
    checkpoint: str = NEWEST

    def __str__(self) -> str:
        more = "" if self.occurrence == 1 else f", occurrence={self.occurrence}"
        if self.checkpoint != NEWEST:
            more += f', checkpoint="{self.checkpoint}"'
        name = f'"{self.name}", ' if self.name else ""
        return f'crash({name}when="{self.when}"{more})'


def crash(
    call: Any = None,
    /,
    *,
    when: When,
    occurrence: int = 1,
    checkpoint: Literal["newest", "oldest"] = "newest",
) -> Crash:
    """A crash for ``crash_at=`` of a run.

    Args:
        call: The call: its durable_id, or its function or the name of it; where signals are
            waited for the name of the signal. None with ``when="after-handler"`` and ``"parked"``.
        when: Where it strikes, see `When`.
        occurrence: Of several calls or attempts that fit, which one.
        checkpoint: The last completed checkpoint: the one just before the crash, or the oldest that
            the level allows. At the level ``"checkpoint"`` that is the input without a journal.

    Raises:
        ValueError: An argument is unknown, or the call is missing.
    """
    if when not in WHENS:
        raise ValueError(f"when must be one of {WHENS}, not {when!r}")
    if checkpoint not in (NEWEST, OLDEST):
        raise ValueError(f'checkpoint must be "{NEWEST}" or "{OLDEST}", not {checkpoint!r}')
    if occurrence < 1:
        raise ValueError(f"occurrence counts from 1, and is {occurrence}")
    if (call is None) != (when in OF_HANDLER):
        raise ValueError(
            f"crash(call, when={when!r}): name the call, by its function or its durable_id, or the "
            'signal; only when="after-handler" and "parked" have none'
        )
    return Crash(name_of(call), when, occurrence, checkpoint)


def name_of(call: Any) -> str:
    """How a call is told: a durable_id or a name as it is, a function by its qualified name."""
    if call is None or isinstance(call, str):
        return call or ""
    while isinstance(call, partial):
        call = call.func
    # a bound method is told by its function, wherever its object lives
    module, name = getattr(call, "__module__", None), getattr(call, "__qualname__", None)
    return f"{module}.{name}" if module and name else type(call).__qualname__


def fits(wanted: str, function_id: str) -> bool:
    """Whether a name tells this call: all of its function id, or the last parts of it."""
    if function_id == wanted:
        return True
    name = function_id.partition("#")[0]  # behind it is a digest of what is bound to it
    return name == wanted or name.endswith("." + wanted)


class Crashed(BaseException):
    """The task has died: whatever code it unwinds counts for nothing."""


class CrashNotReached(AssertionError):
    """A run came to its end without the place at which it was to crash."""


class Crashes:
    """Decides at each point of a run whether the task dies there."""

    def strikes(self, point: Point, number: int) -> bool:
        """Whether it dies at a point of the attempt, the number of which is told, too."""
        return False

    def checkpoint(self, oldest: int, newest: int) -> int:
        """The number of the last snapshot that was completed, after it has struck."""
        return newest

    def check(self) -> None:
        """Called at the end of the run.

        Raises:
            CrashNotReached: Not all crashes have struck.
        """


class NamedCrashes(Crashes):
    """Crashes that a test has named, one after another."""

    def __init__(self, crashes: tuple[Crash, ...]) -> None:
        self._left = _with_doubt(crashes)
        self._seen = 0
        self._last = NEWEST
        self._met: dict[str, None] = {}

    def strikes(self, point: Point, number: int) -> bool:
        self._met[f"{point.when} {point.name}".rstrip()] = None
        if not self._left:
            return False
        wanted = self._left[0]
        if point.when != wanted.when or not (not wanted.name or fits(wanted.name, point.name)):
            return False
        self._seen += 1
        if self._seen < wanted.occurrence:
            return False
        self._seen, self._last = 0, wanted.checkpoint
        self._left.pop(0)
        return True

    def checkpoint(self, oldest: int, newest: int) -> int:
        return oldest if self._last == OLDEST else newest

    def check(self) -> None:
        if self._left:
            met = ", ".join(self._met) or "none"
            raise CrashNotReached(
                f"{self._left[0]} was not reached; the run came by these places: {met}"
            )


class NumberedCrashes(Crashes):
    """Crashes by the numbers of points and snapshots, one for each attempt.

    Args:
        cuts: Of each crash the number of the point, and that of the last completed snapshot.
    """

    def __init__(self, cuts: tuple[tuple[int, int], ...]) -> None:
        self._cuts = list(cuts)
        self._snapshot = 0

    def strikes(self, point: Point, number: int) -> bool:
        if not self._cuts or number != self._cuts[0][0]:
            return False
        self._snapshot = self._cuts.pop(0)[1]
        return True

    def checkpoint(self, oldest: int, newest: int) -> int:
        return min(max(oldest, self._snapshot), newest)

    def check(self) -> None:
        if self._cuts:
            raise CrashNotReached(
                f"the run has no point {self._cuts[0][0]}: does the handler, or what it calls, do "
                "something else than in the run before? Begin each case with the same outside"
            )


def _with_doubt(crashes: tuple[Crash, ...]) -> list[Crash]:
    """A reconciler is asked of a call in doubt: what puts it there comes first."""
    if crashes and crashes[0].when == "in-reconciler":
        crashes = (Crash(crashes[0].name, "after-effect"), *crashes)
    return list(crashes)
