"""The fixture `durable`: runs handlers as the operator does, without Flink, in virtual time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from typing import Any

from pyflink_durable.handler import Handler, check_handler
from pyflink_durable.options import DurableOptions
from pyflink_durable.signals import Signal
from pyflink_durable.testing.crashes import Crash, Crashes, NamedCrashes
from pyflink_durable.testing.finished import finished
from pyflink_durable.testing.replay import Replayed, replay
from pyflink_durable.testing.run import Run
from pyflink_durable.testing.saved_journal import SavedJournal, load_all
from pyflink_durable.testing.signals import ONE_KEY, SentSignal
from pyflink_durable.testing.stubs import Stub, Stubs
from pyflink_durable.testing.virtual_clock import VirtualClock
from pyflink_durable.testing.world import World, inputs_of


class Durable:
    """Runs handlers over journals in memory; the fixture `durable` gives one.

    Handlers and the calls of an operator run as in a job. What takes time takes virtual time: it
    goes on when everything waits. Thread limits, `max_in_flight` and the like play no part.

    Args:
        always_replay: Whether each run is replayed from each of its steps, see `run`.
    """

    def __init__(self, always_replay: bool = False) -> None:
        self.clock = VirtualClock()
        self.stubs = Stubs()
        self._always_replay = always_replay
        self._open: list[Run] = []
        self._signals: list[SentSignal] = []
        self._stack = ExitStack()
        self._stack.enter_context(self.clock.installed())

    # ---------------------------------------------------------------- runs

    def run(
        self,
        handler: Handler,
        value: Any,
        *,
        key: Any = None,
        timestamp: int | None = None,
        state: Mapping[str, Any] | None = None,
        options: DurableOptions | None = None,
        crash_at: Crash | Sequence[Crash] = (),
        always_replay: bool | None = None,
        upgrade: Handler | None = None,
    ) -> Run:
        """Runs a handler for one input to its end, through the crashes that are named.

        Args:
            handler: The handler, as `durable_process` takes it.
            value: The input. It is pickled; each attempt gets an object of its own.
            key: Its key.
            timestamp: Its event time in milliseconds.
            state: What ``ctx.state`` holds before.
            options: The options of the job.
            crash_at: Where the task dies, one crash after another.
            always_replay: Whether the handler is replayed from each step, under another clock and
                another hash seed, and has to take the same path. By default what the pytest option
                ``--durable-always-replay`` says.
            upgrade: The handler of the next release, which runs from the first crash on.

        Raises:
            Exception: What the handler raises, unless the options make a dead letter of it.
            StillWaiting: It waits for what will not come.
            CrashNotReached: It has not come to where it was to crash.
            NotDeterministic: A replay took another path.
        """
        return self.run_all(
            handler,
            [value],
            key=lambda _: key,
            timestamp=timestamp,
            state=state,
            options=options,
            crash_at=crash_at,
            always_replay=always_replay,
            upgrade=upgrade,
        )

    def run_all(
        self,
        handler: Handler,
        values: Iterable[Any],
        *,
        key: Callable[[Any], Any] = lambda value: None,
        timestamp: int | None = None,
        state: Mapping[str, Any] | None = None,
        options: DurableOptions | None = None,
        crash_at: Crash | Sequence[Crash] = (),
        always_replay: bool | None = None,
        upgrade: Handler | None = None,
    ) -> Run:
        """As `run`, for several inputs: those of a key one after another, keys side by side.

        Args:
            handler: The handler.
            values: The inputs, in the order in which they come.
            key: Gives the key of each.
            timestamp: The event time of all.
            state: What ``ctx.state`` of every key holds before.
            options: See `run`, as for what follows.
            crash_at: See there.
            always_replay: See there.
            upgrade: See there.
        """
        world = self._world(handler, values, key, timestamp, options, crash_at)
        if upgrade is not None:
            check_handler(upgrade)
            world.upgrade = upgrade
        replays = self._always_replay and upgrade is None
        if always_replay is not None:
            replays = always_replay
        return finished(world, state, self._take_signals(), replays)

    def start(
        self,
        handler: Handler,
        value: Any,
        *,
        key: Any = None,
        timestamp: int | None = None,
        state: Mapping[str, Any] | None = None,
        options: DurableOptions | None = None,
        crash_at: Crash | Sequence[Crash] = (),
    ) -> Run:
        """As `run`, up to where the handler waits for time to pass; see `advance`.

        Use it as a context manager, or the fixture ends the run with the test.
        """
        world = self._world(handler, [value], lambda _: key, timestamp, options, crash_at)
        run = Run(world, state, self._take_signals())
        self._open.append(run)
        run.go_on(self.clock.now)
        return run

    def advance(self, **duration: float) -> None:
        """Lets time pass for all runs that were started.

        Args:
            **duration: As `datetime.timedelta` takes it: ``hours=23``.
        """
        until = self.clock.now + timedelta(**duration).total_seconds()
        if until < self.clock.now:
            raise ValueError("time goes forward")
        for run in self._open:
            run.go_on(until)
        self.clock.move(until)

    def signal(
        self, signal: Signal | str, value: Any = None, *, key: Any = ONE_KEY, after: float = 0.0
    ) -> None:
        """Sends a signal to the runs that were started and have not ended, or else the next one.

        Args:
            signal: The signal, or its name.
            value: Its value, beside a name.
            key: Its key; by default the one that all inputs of the run have.
            after: After how many virtual seconds it comes: once the run has begun, or from now on.
        """
        sent = SentSignal.of(signal, value, key, after)
        waiting = [run for run in self._open if not run.done]
        for run in waiting:
            run.signal(sent.signal, key=key, after=after)
        if not waiting:
            self._signals.append(sent)

    def _take_signals(self) -> list[SentSignal]:
        taken, self._signals = self._signals, []
        return taken

    @property
    def now(self) -> datetime:
        """The virtual time."""
        return datetime.fromtimestamp(self.clock.now, timezone.utc)

    def _world(
        self,
        handler: Handler,
        values: Iterable[Any],
        key: Callable[[Any], Any],
        timestamp: int | None,
        options: DurableOptions | None,
        crash_at: Crash | Sequence[Crash],
    ) -> World:
        check_handler(handler)
        crashes = (crash_at,) if isinstance(crash_at, Crash) else tuple(crash_at)
        if not all(isinstance(one, Crash) for one in crashes):
            raise TypeError(
                "crash_at= takes what crash(...) gives, or a list of these: "
                f'crash("charge", when="after-effect"), not {crash_at!r}'
            )
        inputs = inputs_of(values, key, timestamp)
        plan = NamedCrashes(crashes) if crashes else Crashes()
        return World(handler, options or DurableOptions(), inputs, self.clock, self.stubs, plan)

    # ---------------------------------------------------------------- the outside

    def stub(
        self,
        target: Any,
        *,
        returns: Any = None,
        raises: BaseException | type[BaseException] | None = None,
        side_effect: Callable[..., Any] | Iterable[Any] | None = None,
        latency: float = 0.0,
    ) -> Stub:
        """Has something stand in for the function of a call, from here on; nothing is patched.

        Args:
            target: The function, its name, or the call's durable_id.
            returns: What it returns.
            raises: What it raises.
            side_effect: A function that runs in its place, or an iterable of one answer for each
                call; an exception among them is raised.
            latency: Virtual seconds that it takes.

        Returns:
            The stub, whose ``calls`` say what it was called with.
        """
        return self.stubs.add(Stub(target, returns, raises, side_effect, latency))

    def allow_only(self, *targets: Any) -> None:
        """Refuses all calls but these, and those that have stubs.

        Args:
            *targets: Functions, names of functions, durable_ids.
        """
        self.stubs.allow_only(targets)

    # ---------------------------------------------------------------- replays

    def replay(
        self, handler: Handler, journal: SavedJournal, options: DurableOptions | None = None
    ) -> Replayed:
        """Runs a handler over a journal, without making a call.

        Raises:
            JournalMismatch: It takes another path; the message names the slot and the line.
        """
        return replay(handler, journal, options)

    def replay_all(
        self,
        handler: Handler,
        *patterns: str | os.PathLike[str],
        options: DurableOptions | None = None,
    ) -> int:
        """Runs a handler over journals that `SavedJournal.save` has written.

        Args:
            handler: The handler, as it is now.
            *patterns: Files: ``"journals/*.json"``.
            options: Those of its operator.

        Returns:
            How many journals there were.

        Raises:
            JournalMismatch: It takes another path in one of them; the message names the file, the
                slot and the line.
            FileNotFoundError: There is no such file.
        """
        journals = load_all(patterns)
        for journal in journals:
            try:
                replay(handler, journal, options)
            except BaseException as error:
                _name_file(error, journal.name)
                raise
        return len(journals)

    def close(self) -> None:
        """Ends the runs that are open."""
        for run in self._open:
            run.close()
        self._stack.close()


def _name_file(error: BaseException, name: str) -> None:
    invocation = getattr(error, "invocation", None)
    if isinstance(invocation, str):
        error.invocation = f"{name}: {invocation}"  # type: ignore[attr-defined]
