"""The one object that the Java operator calls, as its `HandlerHost`.

Each crossing between Python and Java hands the interpreter's lock over, and another task's Python
may take it meanwhile. So many elements cross together, and once in each direction: the operator
hands over the inputs, and takes back all that happened in the step.

Over 300 lines: all that Java calls is one object, and each method says what crosses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from itertools import chain
from struct import Struct
from typing import Any, Protocol

from pyflink_durable.runtime.execution.closing import close_all
from pyflink_durable.runtime.operator.chained import take_chain
from pyflink_durable.runtime.operator.input_seals import InputSeals
from pyflink_durable.runtime.operator.refusals import Refusals
from pyflink_durable.runtime.operator.signal_desk import SignalDesk
from pyflink_durable.runtime.values import Outputs, StepOutputs, check_key, read_description

Element = tuple[Any, int, int | None, int, int]
"""The value, the invocation's id, the timestamp in milliseconds (None if it has none), how many
slots the invocation's journal holds, and the element's number among all of its key, from 0."""


NO_TIMESTAMP = -(2**63)
"""Flink's timestamp of an element that has none."""

_NUMBERS = Struct(">4q")


class Steps(Protocol):
    """What lets handlers run, and tells what happened in a step."""

    @property
    def has_outputs(self) -> bool:
        """Whether invocations have ended whose outputs are to be emitted."""

    signals: SignalDesk
    """Where signals come in."""

    inputs: InputSeals
    """Brings inputs into the form in which the state holds them."""

    refusals: Refusals
    """Where inputs go that are not taken in."""

    def read(self, pickled: bytes) -> list[Any]:
        """Reads some inputs, for `start`."""

    def start(
        self, elements: Iterable[Element], seconds: float, versions: Mapping[int, str | None] = {}
    ) -> int:
        """Starts handlers, as many as there is time for, and runs each until it waits.

        Args:
            elements: Their elements.
            seconds: How long it goes on starting handlers; it starts one at least.
            versions: By their ids, of those invocations that another version of the handler has
                accepted than the current one.

        Returns:
            How many it has started; the others are handed over again.
        """

    def release(self, released: Sequence[Any]) -> None:
        """Ends holds: triples of invocation, slot, and error (None if there is none)."""

    def park(self, invocations: Sequence[Any]) -> tuple[Any, ...]:
        """Drops handlers that wait, see `HandlerRunner.park`."""

    def drain(self) -> None:
        """Resumes the handlers whose calls have ended."""

    def emit_ended(self) -> Iterator[Any]:
        """Ends these invocations, and yields what goes to a Python function behind."""

    def take_writes(self) -> tuple[int, tuple[Any, ...]]:
        """How many calls were made, and journal writes of invocations that go on."""

    def begin_report(self) -> None:
        """What the last report left out is not asked for any more."""

    def keep(self, invocations: Sequence[Any]) -> tuple[Any, ...]:
        """Journal writes that the last report left out, of these invocations."""

    def take_ended(self) -> tuple[Any, ...]:
        """Invocations that have ended, with the place of each one's first output."""


opening: ContextVar[HandlerHost | None] = ContextVar("pyflink_durable_opening", default=None)
"""The host whose function is being opened: PyFlink unpickles that, and tells nobody of it."""


class HandlerHost:
    """Has the handlers of a subtask run, and Python functions that are chained behind them.

    PyFlink's way for an element leads through five generators. Here elements go to the
    handlers directly, and only outputs take PyFlink's way, if there are functions behind.

    Args:
        bridge: The Java `DurableBridge`.
        metrics: The Java `HandlerMetrics`.
        described_outputs: The types of the outputs, as Java describes them.
    """

    def __init__(self, bridge: Any, metrics: Any, described_outputs: bytes) -> None:
        self.bridge = bridge
        self.metrics = metrics
        self.output_types = read_description(described_outputs)
        self.outputs = StepOutputs()
        self.has_chained = False
        self._steps: Steps | None = None
        self._close: Callable[[], None] | None = None
        self._operation: Any = None
        opening.set(self)

    def connect(
        self,
        steps: Steps,
        outputs: Outputs,
        load: Callable[[bytes], Any],
        close: Callable[[], None],
    ) -> None:
        """Called by the function that PyFlink has opened.

        Args:
            steps: Those of its handlers.
            outputs: Takes what handlers emit.
            load: Reads pickles.
            close: Ends handlers, calls and threads.
        """
        self._steps = steps
        self._close = close
        self._converted = outputs
        self._loads = load

    def bind(self, operation: Any) -> None:
        """Takes PyFlink's operation, which is open by now."""
        opening.set(None)
        self._operation = operation
        self.has_chained = bool(operation._chained_operations)
        if self.has_chained:
            take_chain(operation, self._converted, self.outputs)
        for _ in operation._main_operation.process_element((None, None)):
            """The function learns PyFlink's context; it emits nothing."""

    def check_key(self, operator: str, pickled: bytes) -> None:
        """Refuses a key that cannot tell inputs apart.

        Args:
            operator: The operator's name.
            pickled: The key's pickle.
        """
        check_key(self._loads(pickled), operator)

    def start(
        self,
        values: Sequence[bytes],
        numbers: bytes,
        millis: int,
        others: Sequence[Any] | None = None,
    ) -> tuple[Any, ...]:
        """Starts the handlers of elements, as many as there is time for.

        Args:
            values: Pickles of lists of their values, together as many as there are elements.
            numbers: Four signed 64-bit numbers of each, big-endian: the other fields of `Element`;
                the smallest number in place of a timestamp for one that has none.
            millis: How long it goes on starting handlers.
            others: Two fields of each that another version of the handler has accepted than the
                current one: the invocation, and that version, or None.

        Returns:
            How many were started, and the other four parts of what `resume` gives.
        """
        elements = (
            (
                value,
                number,
                None if timestamp == NO_TIMESTAMP else timestamp,
                slots,
                sequence,
            )
            for value, (number, timestamp, slots, sequence) in zip(
                chain.from_iterable(map(self._ensure_steps().read, values)),
                _NUMBERS.iter_unpack(numbers),
                strict=True,
            )
        )
        versions = dict(zip(others[::2], others[1::2], strict=True)) if others else {}
        started = self._ensure_steps().start(elements, millis / 1000, versions)
        return started, *(self._report() or (0, (), (), ()))

    def resume(self, released: Sequence[Any] | None) -> tuple[Any, ...] | None:
        """Resumes the handlers whose calls have ended.

        Args:
            released: Holds that are over, see `Steps.release`.

        Returns:
            See `_report`.
        """
        steps = self._ensure_steps()
        if released:
            steps.release(released)
        steps.drain()
        return self._report()

    def keep(self, invocations: Sequence[Any]) -> tuple[Any, ...]:
        """The writes that the last report left out, of ended invocations whose outputs must wait.

        Args:
            invocations: Their ids.

        Returns:
            Writes as in the report.
        """
        return self._ensure_steps().keep(invocations)

    def park(self, invocations: Sequence[Any]) -> tuple[Any, ...]:
        """Drops handlers that wait; the next `resume` reports what came of it for others.

        Args:
            invocations: Their ids.

        Returns:
            Of those that it has dropped, three fields each: see `HandlerRunner.park`.
        """
        return self._ensure_steps().park(invocations)

    def seals_inputs(self, pickled: bool) -> bool:
        """See `InputSeals.is_needed`."""
        return self._ensure_steps().inputs.is_needed(pickled)

    def seal_input(
        self, key: bytes, sequence: int, version: str | None, data: bytes, pickled: bool
    ) -> bytes:
        """See `InputSeals.seal`."""
        return self._ensure_steps().inputs.seal(key, sequence, version, data, pickled)

    def open_input(
        self, key: bytes, sequence: int, version: str | None, payload: bytes, pickled: bool
    ) -> bytes:
        """See `InputSeals.open`."""
        return self._ensure_steps().inputs.open(key, sequence, version, payload, pickled)

    def refuse(self, values: Sequence[bytes], key: bytes, most: int) -> tuple[bytes, ...]:
        """Makes outputs of an input that is not taken in, see `Refusals.refuse`.

        Args:
            values: The pickle of a list with the value.
            key: The pickle of the key.
            most: How many inputs of a key may wait.
        """
        [[value]] = map(self._loads, values)
        return self._ensure_steps().refusals.refuse(self._loads(key), value, most)

    def read_signal(self, content: bytes, key: bytes) -> tuple[Any, ...]:
        """See `SignalDesk.read`."""
        return tuple(self._ensure_steps().signals.read(content, key))

    def signalled(self, invocation: int) -> None:
        """See `SignalDesk.signalled`."""
        self._ensure_steps().signals.signalled(invocation)

    def unclaimed(self, fields: Sequence[Any]) -> tuple[bytes, ...]:
        """See `SignalDesk.unclaimed`."""
        return self._ensure_steps().signals.unclaimed(fields)

    def close(self) -> None:
        """Ends handlers, calls and threads, and the functions behind."""
        operation = self._operation
        if operation is not None:
            behind = [one.close for one in operation._chained_operations]
            close_all(operation._main_operation.close, *behind)
        elif self._close is not None:  # a function behind it could not be opened
            self._close()

    def _ensure_steps(self) -> Steps:
        assert self._steps is not None
        return self._steps

    def _report(self) -> tuple[Any, ...] | None:
        """Ends a step.

        Returns:
            ``(executed, writes, ended, outputs)``, or None if there is nothing to tell; each part
            is flat, which is cheap to convert.

            - executed: how many calls were made for the first time
            - writes, twelve fields each, see `pyflink_durable.runtime.journal.writes`
            - ended, four fields each: invocation, place of its first output, names and pickled
              values of its state writes
            - outputs: pickles, see `StepOutputs`
        """
        steps = self._ensure_steps()
        steps.begin_report()
        if steps.has_outputs:
            if self.has_chained:
                for emission in self._operation.on_timer(0):  # one by one: `Endings` counts them
                    self.outputs.add(emission)
            else:
                for _ in steps.emit_ended():
                    """Nothing goes on in Python."""
        executed, writes = steps.take_writes()
        ended = steps.take_ended()
        if not (executed or writes or ended):
            return None
        return executed, writes, ended, self.outputs.take()
