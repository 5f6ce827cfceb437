"""What an invocation was at the end of each of its steps, for a replay to be held against."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from bridges import Slot

from pyflink_durable import DurableOptions
from pyflink_durable.batch import CallOutcome
from pyflink_durable.errors import (
    CallLogError,
    JournalMismatch,
    NotInInvocation,
    PayloadNotLoadable,
)
from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.payload.results import load_exception, load_result
from pyflink_durable.runtime.execution.outcome import FunctionOutcome
from pyflink_durable.runtime.journal import times
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext

_OF_THE_RUNTIME = (CallLogError, JournalMismatch, NotInInvocation, PayloadNotLoadable)


@dataclass(frozen=True)
class Described:
    """A value as it compares between processes; the text is for whoever reads a failure."""

    digest: str
    text: str = field(compare=False)

    @classmethod
    def of(cls, value: Any) -> Described:
        return cls(_digest(value), repr(value)[:500])


def _digest(value: Any) -> str:
    if isinstance(value, BaseException):
        return _digest_of_error(value, set())
    if isinstance(value, CallOutcome):  # how long it took and who told are of one run
        return _digest((value.status.value, value.value, value.error))
    if isinstance(value, (list, tuple)):
        return f"{type(value).__name__} of {[_digest(item) for item in value]}"
    try:
        return compute_args_digest((value,), {})
    except Exception:
        return f"a {type(value).__qualname__}"


def _digest_of_error(error: BaseException | None, seen: set[int]) -> str:
    if error is None or id(error) in seen:
        return ""
    seen.add(id(error))
    linked = [error.__cause__, error.__context__, *getattr(error, "exceptions", ())]
    links = [_digest_of_error(link, seen) for link in linked]
    notes = getattr(error, "__notes__", [])
    own = {name: _digest(value) for name, value in vars(error).items() if name != "__notes__"}
    args = [] if hasattr(error, "exceptions") else [_digest(argument) for argument in error.args]
    return f"{type(error).__qualname__}{args}{sorted(own.items())}{notes}{links}"


class Moment(NamedTuple):
    """An invocation between two steps.

    Attributes:
        slots: Its journal.
        used: How many slots its handler has used.
        outputs: What it has emitted, with the tags of side outputs.
        state: What it has written to the state of its key.
        outcome: How it ended, None if it goes on.
        ahead: Whether the journal knows more than the handler: an outcome waits for the log, or
            the handler does not come to rest.
        broken: Whether it ended because the runtime could not do its part: a replay may.
        at: When that was, in seconds since the epoch.
    """

    slots: tuple[Slot, ...] = ()
    used: int = 0
    outputs: tuple[tuple[str | None, Described], ...] = ()
    state: tuple[tuple[str, Described | None], ...] = ()
    outcome: tuple[Described, Described] | None = None
    ahead: bool = False
    broken: bool = False
    at: float = 0.0

    @classmethod
    def of(
        cls,
        slots: Sequence[Slot],
        context: FlinkRunnerContext,
        outcome: FunctionOutcome | None,
        held: Collection[int] = (),
    ) -> Moment:
        outputs = tuple(
            (None if tag is None else tag.tag_id, Described.of(value))
            for tag, value in context.outputs
        )
        state = context._state
        written = {} if state is None else state.take_writes()
        return cls(
            tuple(slots),
            context.slots,
            outputs,
            tuple(
                (name, None if payload is None else Described.of(load_result(payload)))
                for name, payload in sorted(written.items())
            ),
            None if outcome is None else (Described.of(outcome.value), Described.of(outcome.error)),
            any(slots[slot].completion >= 0 for slot in held),
            outcome is not None and _is_broken(outcome.error, set()),
            times.time.time(),  # the clock of the run, which may be one of the test's
        )


def _is_broken(error: BaseException | None, seen: set[int]) -> bool:
    """Whether an error is none of the handler: the task would have failed for it."""
    if error is None or id(error) in seen:
        return False
    seen.add(id(error))
    if not isinstance(error, Exception) or isinstance(error, _OF_THE_RUNTIME):
        return True
    linked = [error.__cause__, error.__context__, *getattr(error, "exceptions", ())]
    return any(_is_broken(link, seen) for link in linked)


def told(slots: Sequence[Slot]) -> list[tuple[Any, ...]]:
    """What a journal says, apart from how payloads are written and how often a call was tried."""
    order = sorted(slot.completion for slot in slots)
    return [(*slot[:3], _payload(slot), order.index(slot.completion)) for slot in slots]


def _payload(slot: Slot) -> Described:
    if slot.exception is not None:
        return Described.of(load_exception(slot.exception))
    return Described.of(None if slot.result is None else load_result(slot.result))


@dataclass
class Recording:
    """One run of an invocation.

    Args:
        handler: ``(value, ctx)``.
        options: Settings of its operator.
        identity: The operator's uid, the key and the invocation's id.
        value: The input.
        moments: The invocation before its first step, and after each.
    """

    handler: Callable[..., Any]
    options: DurableOptions
    identity: tuple[str, Any, int | str]
    value: Any
    moments: list[Moment]

    def note(self, moment: Moment) -> None:
        """Takes down what a step left, if it did anything."""
        if moment[:-1] != self.moments[-1][:-1]:
            self.moments.append(moment)

    def with_moments(self, moments: list[Moment]) -> Recording:
        """The same handler, in another process."""
        return replace(self, moments=moments)

    def watch(self, loop: Any, look: Callable[[], Moment]) -> None:
        """Takes down what each step of a loop leaves."""
        for name in ("run_until_idle", "drain"):
            setattr(loop, name, self._watched(getattr(loop, name), look))

    def _watched(self, step: Callable[..., None], look: Callable[[], Moment]) -> Any:
        def watched(*args: Any) -> None:
            step(*args)
            self.note(look())

        return watched


_kept: list[list[Recording]] = []


@contextmanager
def recordings() -> Iterator[list[Recording]]:
    """Collects what is recorded within."""
    _kept.append([])
    try:
        yield _kept[-1]
    finally:
        _kept.pop()


def keep(recording: Recording) -> None:
    """Hands a recording to whoever collects them."""
    if _kept:
        _kept[-1].append(recording)
