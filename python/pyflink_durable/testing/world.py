"""What the attempts of one run share: its inputs, its outside, its clock, and where it crashes."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import cloudpickle

from pyflink_durable.handler import Handler, handles_asynchronously, process_function_of
from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.options import DurableOptions
from pyflink_durable.payload.copies import copy_of
from pyflink_durable.payload.payloads import Payloads
from pyflink_durable.runtime.journal.call_options import OptionsResolver
from pyflink_durable.runtime.journal.callbacks import Callbacks
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity
from pyflink_durable.runtime.journal.signal_fields import SignalReader
from pyflink_durable.runtime.telemetry.observers import Observers
from pyflink_durable.runtime.telemetry.telemetry import LocalTelemetry
from pyflink_durable.runtime.values import UNTYPED, Emission, Outputs
from pyflink_durable.runtime.values.outputs import Describe
from pyflink_durable.testing.calls import RunCalls
from pyflink_durable.testing.crashes import Crashed, Crashes, Point, When
from pyflink_durable.testing.memory_journal import Slots
from pyflink_durable.testing.outside_loop import OutsideLoop
from pyflink_durable.testing.signals import NO_SIGNALS, ONE_KEY, Sender, SentSignal, SignalState
from pyflink_durable.testing.stubs import Stubs
from pyflink_durable.testing.virtual_clock import VirtualClock

UID = "durable"
"""The operator's uid in a test."""


class Input(NamedTuple):
    """One input of the operator.

    Attributes:
        number: Its number among all of the run.
        payload: Its pickle; every run of its handler gets an object of its own.
        key: Its key.
        lane: Its key in a form that tells keys apart.
        sequence: Its number among those of its key.
        timestamp: Its event time in milliseconds, None if it has none.
        uid: The operator's, of which idempotency keys are made.
    """

    number: int
    payload: bytes
    key: Any
    lane: str
    sequence: int
    timestamp: int | None
    uid: str = UID


class InputIdentity(InvocationIdentity):
    """That of an invocation, which knows its input."""

    __slots__ = ("input",)

    def __init__(self, input: Input) -> None:
        super().__init__(lambda _: input.key, input.uid, input.sequence)
        self.input = input.number


def inputs_of(
    values: Iterable[Any], key_of: Callable[[Any], Any], timestamp: int | None
) -> list[Input]:
    """Numbers the inputs of a run.

    Raises:
        TypeError: It is one input, or one that cannot be pickled.
        ValueError: There is none.
    """
    if isinstance(values, (str, bytes, Mapping)):
        raise TypeError(f"inputs come as a list, [{values!r:.60}], not one alone")
    inputs: list[Input] = []
    counts: dict[str, int] = {}
    for number, value in enumerate(values):
        key = key_of(value)
        lane = compute_args_digest((key,), {})
        counts[lane] = sequence = counts.get(lane, -1) + 1
        inputs.append(Input(number, _pickled(value), key, lane, sequence, timestamp))
    if not inputs:
        raise ValueError("a run takes one input at least")
    return inputs


def _pickled(value: Any) -> bytes:
    try:
        return pickled(value)
    except Exception as error:
        raise TypeError(
            f"the input {value!r:.100} cannot be pickled ({error}); each attempt gets an object of "
            "its own, as in a job"
        ) from error


def pickled(value: Any) -> bytes:
    """A value as it crosses to another object."""
    try:
        return pickle.dumps(value)
    except Exception:  # of the test's own script, say: cloudpickle takes more
        written: bytes = cloudpickle.dumps(value)
        return written


Emitted = tuple[tuple[Any, Any], ...]
"""Outputs, each with the id of its side output, None for the main one."""


class Snapshot(NamedTuple):
    """What a checkpoint holds.

    Attributes:
        journals: Of each input that has not ended its number and its journal.
        state: Values of keys, by lane.
        emitted: How many outputs are behind it.
        signals: Those that nobody has taken, and what is known of others.
    """

    journals: tuple[tuple[int, Slots], ...]
    state: Mapping[str, Mapping[str, bytes]]
    emitted: int = 0
    signals: SignalState = NO_SIGNALS


class AnyOutputs(Outputs):
    """Takes outputs as they are: the test declares no types, and reads all side outputs."""

    def __init__(self, telemetry: LocalTelemetry) -> None:
        super().__init__(UNTYPED, UID, telemetry)

    def side(self, tag: str, value: Any, invocation: Describe) -> Emission | None:
        emission: Any = (tag, copy_of(value))
        return emission  # type: ignore[no-any-return]


def _first(count: int) -> int:
    return 0


class World:
    """A run's surroundings.

    Args:
        handler: The handler.
        options: Its operator's.
        inputs: Its inputs.
        clock: The clock of everything.
        stubs: What stands in for functions.
        crashes: Where attempts end.
        choose: Of so many calls that end at the same time, gives the number of the first to do.
        checkpoint_interval: Virtual seconds after which a call at the gate has its checkpoint.
        makes_calls: Whether functions run; a replay stops where one would.

    Attributes:
        calls: What became of calls.
        crashed: Whether the attempt that runs is over.
        oldest: The number of the oldest snapshot that may be the last completed one: a call that
            was let through the gate has seen it complete.
        points: Where the attempt that runs has been.
        snapshots: What it could have been restored from.
        effects: How many functions have returned.
        emitted: What has been emitted, with the tags of side outputs.
        logged: Journals as the write-ahead log holds them; None without one.
        journals: Of inputs, as far as they have come.
        states: What handlers have found in the state of their keys, by the number of the input.
        last_state: Values of keys at the end, by lane.
        failure: What the handler raised that fails the task.
        upgrade: The handler that runs from the first crash on; None for the same one.
        on_death: Called when an attempt has died, with the snapshot that the next one starts from.
        on_end: Called when a handler has ended, with its journal and what it has emitted.
        watch: Called with the attempt after each step that changed something.
        sender: Where signals come from.
        callbacks: Makes the tokens of tickets; None without a secret.
        signal_reader: Tells who may take a signal.
        name: The operator's.
    """

    name = UID

    def __init__(
        self,
        handler: Handler,
        options: DurableOptions,
        inputs: Sequence[Input],
        clock: VirtualClock,
        stubs: Stubs,
        crashes: Crashes,
        choose: Callable[[int], int] = _first,
        checkpoint_interval: float = 1.0,
        makes_calls: bool = True,
    ) -> None:
        self.take(handler)
        self.upgrade: Handler | None = None
        self.options = options
        self.inputs = inputs
        self.clock = clock
        self.stubs = stubs
        self.choose = choose
        self.checkpoint_interval = checkpoint_interval
        self.makes_calls = makes_calls
        self.telemetry = LocalTelemetry()
        self.outputs = AnyOutputs(self.telemetry)
        self.call_options = OptionsResolver(options, can_gate=True, warn=self.telemetry.warning)
        self.payloads = Payloads(options, notes=self.telemetry)
        self.observers = Observers(self.telemetry, options.every_observer)
        self.calls = RunCalls(self.payloads)
        self.crashes = crashes
        self.crashed = False
        self.oldest = 0
        self.points: list[Point] = []
        self.snapshots: list[Snapshot] = []
        self.effects = 0
        self.emitted: list[tuple[Any, Any]] = []
        self.logged: dict[int, Slots] | None = None if options.call_log is None else {}
        self.journals: dict[int, Slots] = {}
        self.states: dict[int, Mapping[str, bytes]] = {}
        self.last_state: Mapping[str, Mapping[str, bytes]] = {}
        self.failure: BaseException | None = None
        self.on_death: Callable[[World, Snapshot, int], None] = lambda world, restored, number: None
        self.watch: Callable[[Any], None] | None = None
        self.on_end: Callable[[int, Slots, Emitted], None] | None = None
        self.sender = Sender()
        secret = options.callback_secret
        self.callbacks = None if secret is None else Callbacks(inputs[0].uid, secret)
        self.signal_reader = SignalReader(
            self.callbacks, options.invocation_id is None, self.is_async
        )
        self._outside_loop: OutsideLoop | None = None

    def send(self, sent: SentSignal) -> None:
        """Has a signal come, from now on.

        Raises:
            ValueError: It names no key, and the inputs have several.
        """
        key = sent.key
        if key is ONE_KEY:
            if len({input.lane for input in self.inputs}) > 1:
                raise ValueError(f"the inputs have several keys: give {sent.signal.name!r} a key=")
            key = self.inputs[0].key
        self.sender.send(sent, key, self.clock.now)

    def take(self, handler: Handler) -> None:
        """Has a handler run from the next attempt on."""
        self.handler = handler
        self.function = process_function_of(handler)
        self.is_async = handles_asynchronously(handler)

    def note_replayed(self, name: str, input: int, slot: int) -> None:
        """A call was answered from its journal."""
        self.calls.note(name, input, slot).replayed += 1

    def close_input(self, input: int, slots: Slots) -> None:
        """Takes the journal of an input, as far as it has come."""
        self.journals[input] = slots
        self.calls.close(input, slots, InputIdentity(self.inputs[input]))

    def begin(self, restored: Snapshot) -> None:
        """An attempt begins."""
        self.crashed = False
        self.oldest = 0
        self.points = []
        self.snapshots = [restored]

    def reach(self, when: When, name: str, input: int) -> None:
        """The run has come to a place at which the task may die.

        Raises:
            Crashed: It does.
        """
        if self.crashed:
            raise Crashed
        newest = len(self.snapshots) - 1
        point = Point(when, name, input, newest, self.oldest, self.effects)
        number = len(self.points)
        self.points.append(point)
        if self.crashes.strikes(point, number):
            self.crashed = True
            raise Crashed

    @property
    def outside_loop(self) -> OutsideLoop:
        """Where coroutine functions of calls run; made when the first one does."""
        if self._outside_loop is None:
            self._outside_loop = OutsideLoop(self.clock.time)
        return self._outside_loop

    def close(self) -> None:
        """Lets go of what is open."""
        if self._outside_loop is not None:
            self._outside_loop.close()
            self._outside_loop = None
