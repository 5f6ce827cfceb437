"""Runs a test for each crash that can happen, with each checkpoint that can be the last one."""

from __future__ import annotations

import functools
import gc
import inspect
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, get_args

import pytest

from pyflink_durable.handler import Handler, check_handler
from pyflink_durable.options import Durability, DurableOptions
from pyflink_durable.testing.case import Case, Cuts, Settings
from pyflink_durable.testing.levels import with_level
from pyflink_durable.testing.virtual_clock import VirtualClock
from pyflink_durable.testing.world import inputs_of

Test = Callable[..., Any]

ONLY_CASE = "--durable-case"


def crash_points(
    handler: Handler,
    values: Iterable[Any],
    *,
    key: Callable[[Any], Any] = lambda value: None,
    state: Mapping[str, Any] | None = None,
    options: DurableOptions | None = None,
    levels: Sequence[Durability] = ("checkpoint",),
    crashes: int = 1,
    xfail_window: bool = False,
    always_replay: bool = False,
    upgrade: Handler | None = None,
) -> Callable[[Test], Test]:
    """Has a test run for every crash of a handler, and every last completed checkpoint.

    The test takes a `case`, and calls ``case.run()``. It is run first without a crash; that tells
    the places at which the task can die. Begin it with what empties the outside, since all cases
    share it: they are runs of one test.

    Args:
        handler: The handler.
        values: Its inputs.
        key: Gives the key of each.
        state: What ``ctx.state`` of every key holds before.
        options: The options of the job.
        levels: The levels to try, in place of the options' own.
        crashes: How many crashes at the most; with two, the second strikes in the recovery.
        xfail_window: Cases may fail in which a call ran that the last checkpoint does not know:
            that is what the level ``"checkpoint"`` leaves open.
        always_replay: Whether each case is replayed from each of its steps, see `Durable.run`.
        upgrade: The handler of the next release, which runs from the first crash on: it meets
            everything that the first one can leave.
    """
    check_handler(handler)
    if upgrade is not None:
        check_handler(upgrade)
    if crashes < 1:
        raise ValueError(f"crashes is a number from 1, not {crashes}")
    if isinstance(levels, str) or not levels or set(levels) - set(get_args(Durability)):
        raise ValueError(f"levels is a list of {get_args(Durability)}, not {levels!r}")
    inputs = inputs_of(values, key, None)
    by_level = {level: with_level(options, level) for level in get_args(Durability)}
    settings = Settings(handler, inputs, state, by_level, always_replay, upgrade)

    def decorate(test: Test) -> Test:
        @functools.wraps(test)
        def explore(*args: Any, request: pytest.FixtureRequest | None = None, **more: Any) -> None:
            if request is not None and "request" in inspect.signature(test).parameters:
                more["request"] = request
            exploration = _Exploration(
                lambda case: test(*args, case=case, **more), settings, crashes, xfail_window
            )
            only = None if request is None else request.config.getoption(ONLY_CASE, None)
            exploration.run(levels, only)

        parameters = inspect.signature(test).parameters
        if "case" not in parameters:
            raise TypeError(f"{test.__name__} must take an argument `case`, and call case.run()")
        kept = [one for name, one in parameters.items() if name not in ("case", "request")]
        asked = inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY)
        if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in kept):
            raise TypeError(f"{test.__name__} must name its fixtures")
        explore.__signature__ = inspect.Signature([*kept, asked])  # type: ignore[attr-defined]
        return explore

    return decorate


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Each case leaves a few hundred objects in cycles; to look for them each time costs half."""
    thresholds = gc.get_threshold()
    gc.set_threshold(200_000, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


class _Exploration:
    """All cases of one test.

    Attributes:
        failed: Cases that have failed, each with its error; those that may are not among them.
    """

    def __init__(
        self, test: Callable[[Case], Any], settings: Settings, crashes: int, xfail_window: bool
    ) -> None:
        self._test = test
        self._settings = settings
        self._crashes = crashes
        self._xfail_window = xfail_window
        self._count = 0
        self.failed: list[tuple[Case, BaseException]] = []

    def run(self, levels: Sequence[Durability], only: str | None) -> None:
        """Runs the cases of all levels, the simplest first, or only one.

        Raises:
            BaseException: What the simplest case that fails has raised.
        """
        clock = VirtualClock()
        with clock.installed(), _rare_collections():
            if only is not None:
                self._run_case(Case.named(self._settings, clock, only))
            else:
                for level in levels:
                    self._explore(level, clock)
        if self.failed:
            self._fail()

    def _explore(self, level: Durability, clock: VirtualClock) -> None:
        line: deque[Cuts] = deque([()])
        while line:
            case = Case(self._settings, clock, level, line.popleft())
            self._run_case(case)
            if not case.cuts and self.failed:
                return  # it fails without a crash, and the places of crashes are not known
            if len(case.cuts) < self._crashes:
                line.extend((*case.cuts, cut) for cut in case.further_cuts())

    def _run_case(self, case: Case) -> None:
        self._count += 1
        try:
            self._test(case)
            if case.result is None and not case.started:
                raise AssertionError("the test has not called case.run()")
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            if not (self._xfail_window and case.in_window):
                self.failed.append((case, error))

    def _fail(self) -> None:
        case, error = self.failed[0]
        note = "\n".join(self._told(case))
        if sys.version_info >= (3, 11):
            error.add_note(note)
            raise error
        raise AssertionError(f"{error!r}\n{note}") from error

    def _told(self, case: Case) -> Iterator[str]:
        yield f"{len(self.failed)} of {self._count} cases fail; the simplest of them:"
        yield from case.lines()
        test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0]
        if test:
            yield f'run it alone: pytest "{test}" {ONLY_CASE} "{case.id}"'
        if case.in_window:
            yield (
                'a call ran that the last checkpoint does not know: at the level "checkpoint" it '
                'runs again. Choose durability="gated" or "write-ahead", make the call with its '
                "idempotency key, or mark what you accept with xfail_window=True"
            )
