"""One attempt of the task: the real runtime, over journals in memory.

Over 300 lines: the order of what happens in a step is all there is to it, and is read in one go.
"""

from __future__ import annotations

import asyncio
import pickle
from collections import deque
from collections.abc import Mapping
from typing import Any

from pyflink_durable.checks.arguments import check_invocation_id
from pyflink_durable.current_call import CurrentCall
from pyflink_durable.dead_letter import DEAD_LETTER
from pyflink_durable.runtime.execution.outcome import FunctionOutcome
from pyflink_durable.runtime.journal.bridge import PENDING
from pyflink_durable.runtime.operator.invocation import Invocation
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext
from pyflink_durable.runtime.operator.subtask import Subtask
from pyflink_durable.runtime.operator.user_state import StateBackend
from pyflink_durable.testing.crashes import Crashed
from pyflink_durable.testing.dead_letters import dead_letter_of, takes_letter
from pyflink_durable.testing.handler_threads import HandlerThread
from pyflink_durable.testing.journals import Journals
from pyflink_durable.testing.memory_journal import writes_of
from pyflink_durable.testing.outside import Outside
from pyflink_durable.testing.runners import StepRunner, ThreadRunner, ValuesOfKey
from pyflink_durable.testing.virtual_loop import VirtualLoop
from pyflink_durable.testing.waiting import Waiting
from pyflink_durable.testing.world import UID, Input, InputIdentity, Snapshot, World

_NO_VALUES: Mapping[str, bytes] = {}


class Attempt:
    """Runs handlers from a snapshot on.

    What happens is made of steps, as in the operator: handlers run until all wait, then what they
    wrote is applied, and a snapshot may be taken.

    Args:
        world: What the attempts of a run share.
        restored: What it starts from.

    Attributes:
        state: Values of keys, by lane.
        contexts: Of handlers that run, by the number of their input.
        threads: Of ``def`` handlers that run.
        loop: Of the handlers.
        waiting: What comes to handlers that wait.
    """

    def __init__(self, world: World, restored: Snapshot) -> None:
        self.world = world
        self.contexts: dict[int, FlinkRunnerContext] = {}
        self.threads: list[HandlerThread] = []
        self.journals = Journals(restored.journals, world.note_replayed)
        self.state = restored.state
        self._lanes: dict[str, deque[Input]] = {}
        for number, _ in restored.journals:
            self._lanes.setdefault(world.inputs[number].lane, deque()).append(world.inputs[number])
        self._heads = [lane[0] for lane in self._lanes.values()]
        self._ended: list[Invocation] = []
        self._gate_due: float | None = None
        self._at_gate: list[tuple[int, int]] = []
        self._at_log: list[tuple[int, int]] = []
        self.waiting = Waiting(self, restored)
        self._outside = Outside(world, self)
        self.loop = VirtualLoop(world.telemetry.warning, self._outside.run_here)
        executor: Any = self._outside  # it has the methods that are used
        self._subtask = Subtask(
            executor,
            loop=self.loop,
            telemetry=world.telemetry,
            observer=world.observers,
            call_options=world.call_options,
            on_mismatch=world.options.on_mismatch,
            tool_call_options=world.options.tool_calls,
            state_of=self._state_of,
            outputs=world.outputs,
            payloads=world.payloads,
            signals=self.waiting.waits,
            callbacks=world.callbacks,
        )
        function, on_end = world.function, self._ended.append
        self._runner: StepRunner | ThreadRunner
        if world.is_async:
            self._runner = StepRunner(function, self.loop, world.telemetry, on_end)
        else:
            self._runner = ThreadRunner(function, self.loop, executor, executor, on_end)

    # ---------------------------------------------------------------- steps

    def go_on(self, until: float) -> bool:
        """Has the next thing happen, if it does by then; False if nothing will.

        Raises:
            Crashed: The task dies.
        """
        due, clock, outside = self._next_due(), self.world.clock, self._outside
        if outside.waits_for_input and (due is None or due > clock.now):
            outside.wait_for_input()
        elif due is None or due > until:
            return False
        else:
            clock.move(due)
            self._happen()
        self.loop.drain()
        self.settle()
        return True

    def _next_due(self) -> float | None:
        dues = [self._outside.next_due(), self.loop.next_timer(), self._gate_due]
        dues += [thread.due for thread in self.threads]
        due = min((due for due in dues if due is not None), default=None)
        sooner = self.waiting.next_due(due)
        return due if sooner is None else sooner

    def _happen(self) -> None:
        """What is due comes about; a checkpoint after all else, a timer in the next drain."""
        now, due = self.world.clock.now, self._outside.next_due()
        if due is not None and due <= now:
            self._outside.go_on()
            return
        if self.waiting.happen():
            return
        sleepers = [one for one in self.threads if one.due is not None and one.due <= now]
        for thread in sleepers:
            thread.ready = True
        timer = self.loop.next_timer()
        if sleepers or (timer is not None and timer <= now):
            return
        if self._gate_due is not None and self._gate_due <= now:
            # the newest snapshot is complete, and lets through what waits at the gate
            self._gate_due = None
            self.world.oldest = len(self.world.snapshots) - 1
            self._release(self._at_gate)
        else:
            self.waiting.rest()

    def settle(self) -> None:
        """Ends a step, and takes those that follow at once.

        Raises:
            Crashed: The task dies.
        """
        while True:
            self._end_step()
            if self._heads:
                heads, self._heads = self._heads, []
                for input in heads:
                    self._start(input)
                self.loop.run_until_idle()
            elif any(thread.ready for thread in self.threads):
                self._resume_threads()
            elif self._at_log:
                self._release(self._at_log)
            elif self.loop.woken:
                self.loop.drain()
            else:
                return

    def _resume_threads(self) -> None:
        for thread in [one for one in self.threads if one.ready]:
            thread.resume()
            if thread.ended:
                self.threads.remove(thread)
            if self.world.crashed:
                raise Crashed

    def _release(self, holds: list[tuple[int, int]]) -> None:
        for number, slot in holds:
            self.loop.take_in(self._subtask.holds.release, number, slot, None)
        holds.clear()
        self.loop.drain()

    # ---------------------------------------------------------------- the end of a step

    def _end_step(self) -> None:
        world = self.world
        if world.crashed:
            raise Crashed
        ended, self._ended[:] = tuple(self._ended), ()
        for invocation in ended:
            world.reach("after-handler", "", invocation.id)
        self._apply(ended)
        for invocation in ended:
            self._end(invocation)
        self.take_snapshot()
        if self.journals.marks:
            marks, self.journals.marks = self.journals.marks, []
            for mark in marks:
                world.reach(*mark)

    def _apply(self, ended: tuple[Invocation, ...]) -> None:
        """Applies what was written in the step."""
        executed, flat = self._runner.take_writes()
        self.world.telemetry.count("executed", executed)
        for write in writes_of(flat):
            self.journals.apply(write)
            self.waiting.parking.stirred(write[0])
        if self.journals.holds:
            self._take_holds()
        if self.world.logged is not None:
            for number, journal in self.journals.of.items():
                self.world.logged[number] = tuple(journal.slots)

    def _take_holds(self) -> None:
        for number, slot, kind in self.journals.holds:
            (self._at_log if kind == "LOG" else self._at_gate).append((number, slot))
        self.journals.holds.clear()
        if self._at_gate and self._gate_due is None:
            self._gate_due = self.world.clock.now + self.world.checkpoint_interval

    def take_snapshot(self) -> None:
        """Has a checkpoint hold what there is now."""
        world = self.world
        journals = [(number, tuple(one.slots)) for number, one in self.journals.of.items()]
        signals = self.waiting.signals.state
        snapshot = Snapshot(tuple(journals), self.state, len(world.emitted), signals)
        if snapshot != world.snapshots[-1]:
            world.snapshots.append(snapshot)
            if world.watch is not None:
                world.watch(self)

    def has_given(self, number: int) -> bool:
        """Whether the handler of an input was given all outcomes: none waits for the log."""
        slots = self.journals.of[number].slots
        return all(one != number or slots[slot].status == PENDING for one, slot in self._at_log)

    def before_call_here(self) -> None:
        """A ``def`` handler calls on its thread: a checkpoint may come between."""
        if not self.world.is_async:
            self._apply(())
            self.take_snapshot()

    # ---------------------------------------------------------------- handlers

    def _start(self, input: Input) -> None:
        world, number = self.world, input.number
        world.states[number] = self.state.get(input.lane, _NO_VALUES)
        identity, value = InputIdentity(input), pickle.loads(input.payload)
        not_started: Exception | None = None
        try:
            if world.options.invocation_id is not None:
                identity.id = check_invocation_id(world.options.invocation_id(value))
        except Exception as error:  # user code: it ends as the handler's own error would
            not_started = error
        size = len(self.journals.of[number].slots)
        context = FlinkRunnerContext(
            self._runner.journal_of(self.journals, number, size),
            subtask=self._subtask,
            identity=identity,
            number=number,
            timestamp=input.timestamp,
        )
        self.contexts[number] = context
        self.waiting.parking.stirred(number)
        invocation = Invocation(number, value, context)
        if not_started is None:
            self._runner.start(invocation)
        else:
            invocation.outcome = FunctionOutcome(None, not_started)
            self._ended.append(invocation)

    def _end(self, invocation: Invocation) -> None:
        """Emits what a handler has given, and has the next one of its key start."""
        outcome, context, number = invocation.outcome, invocation.context, invocation.id
        assert outcome is not None
        invocation.outcome = None  # an error's traceback holds the invocation
        world, input = self.world, self.world.inputs[number]
        slots = tuple(self.journals.of[number].slots)
        if outcome.error is None:
            writes = context.end()
            if writes:
                self._write_state(input.lane, writes)
            world.emitted += context.outputs
            if world.on_end is not None:
                world.on_end(number, slots, tuple(context.outputs))
        elif not takes_letter(context, outcome.error, world.options, world.telemetry):
            world.failure = outcome.error
            raise Crashed
        else:
            context.end()
            value = pickle.loads(input.payload)
            letter = dead_letter_of(UID, invocation, value, outcome.error, slots, world.payloads)
            world.emitted.append((DEAD_LETTER.tag_id, letter))
        world.close_input(number, slots)
        del self.journals.of[number], self.contexts[number]
        self._subtask.holds.forget(number, context.slots)
        self.waiting.parking.ended(number)
        lane = self._lanes[input.lane]
        lane.popleft()
        if lane:
            self._heads.append(lane[0])

    def head_of(self, lane: str) -> int | None:
        """The input of a key whose handler runs, or is parked."""
        inputs = self._lanes.get(lane)
        return inputs[0].number if inputs else None

    def first_of(self, lane: str) -> int:
        """The number, among those of its key, of the first input that has not ended."""
        inputs = self._lanes.get(lane)
        if inputs:
            return inputs[0].sequence
        return sum(1 for input in self.world.inputs if input.lane == lane)

    def let_go(self, numbers: list[int]) -> list[int]:
        """Drops handlers that wait, as far as they let themselves be; gives those."""
        parked = self._runner.park(numbers)[::3] if numbers else []
        for number in parked:
            self._subtask.holds.forget(number, self.contexts.pop(number).slots)
        return parked

    def start_again(self, numbers: list[int]) -> None:
        """Has handlers go on that were dropped, from their journals."""
        self._heads += [self.world.inputs[number] for number in numbers]

    def _write_state(self, lane: str, writes: dict[str, bytes | None]) -> None:
        values = {**self.state.get(lane, _NO_VALUES), **writes}
        kept = {name: value for name, value in values.items() if value is not None}
        self.state = {**self.state, lane: kept}

    def _state_of(self, number: int) -> StateBackend:
        return ValuesOfKey(self.state.get(self.world.inputs[number].lane, _NO_VALUES))

    @staticmethod
    def input_of(current: CurrentCall) -> int:
        """The number of the input whose handler makes a call."""
        identity: Any = current._invocation
        number: int = identity.input
        return number

    def tasks(self) -> list[asyncio.Task[Any]]:
        """Those of the handlers that wait on the loop, and of what they have started."""
        if not isinstance(self._runner, StepRunner):
            return []
        tasks: list[asyncio.Task[Any]] = []
        for invocation in self._runner.running():
            tasks += [] if invocation.task is None else [invocation.task]
            tasks += sorted(invocation.running or (), key=hash)  # in which they were started
        return tasks

    def close(self) -> None:
        """Ends the attempt as a failure of the task does."""
        self.world.crashed = True
        if not self.journals.of:  # all have ended
            return
        self._outside.close()
        for thread in self.threads:
            thread.kill()
        if isinstance(self._runner, StepRunner):
            self._runner.close(float("inf"))
        self.loop.close()
        for number, journal in self.journals.of.items():
            self.world.close_input(number, tuple(journal.slots))
