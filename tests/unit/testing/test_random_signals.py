"""Random inputs, signals, times and crashes against a plain model of what becomes of signals."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyflink_durable import DurableOptions, RunnerContext, Signal, SignalTimedOut
from pyflink_durable.testing import Plan, Run, SentSignal

KEYS = ("a", "b")
TIMEOUT = 20.5
"""Signals come at whole seconds, so that none comes at a deadline."""


async def collects(order: tuple[str, int], ctx: RunnerContext) -> list[Any]:
    """Waits as often as its input says."""
    taken = []
    for _ in range(order[1]):
        try:
            taken.append(await ctx.wait_for_signal("approval", timeout=TIMEOUT))
        except SignalTimedOut:
            taken.append(None)
    return [order[0], *taken]


@dataclass
class Model:
    """One key: its inputs one after another, and what becomes of its signals.

    Attributes:
        sent: The signals, in the order in which they come.
        outputs: What each input gives.
        unclaimed: Numbers of signals, with the reason.
    """

    sent: list[SentSignal]
    outputs: list[list[Any]] = field(default_factory=list)
    unclaimed: list[tuple[int, str]] = field(default_factory=list)

    def run(self, key: str, waits: list[int]) -> Model:
        self._kept: list[Signal] = []
        self._ids: set[str] = set()
        now = 0.0
        while self.sent and self.sent[0].after == 0:
            self._accept(0)
        for number, count in enumerate(waits):
            taken: list[Any] = [key]
            for _ in range(count):
                now, value = self._wait(number, now)
                taken.append(value)
            self.outputs.append(taken)
        while self.sent:
            self._accept(len(waits))
        self.unclaimed += [(signal.value, "nobody took it") for signal in self._kept]
        return self

    def _wait(self, number: int, now: float) -> tuple[float, Any]:
        deadline = now + TIMEOUT
        while True:
            for signal in self._kept:
                if signal.name == "approval" and signal.invocation in (None, number):
                    self._kept.remove(signal)
                    return now, signal.value
            if not self.sent or self.sent[0].after > deadline:
                return deadline, None
            now = max(now, self.sent[0].after)
            self._accept(number)

    def _accept(self, open_from: int) -> None:
        signal = self.sent.pop(0).signal
        if signal.id is not None and signal.id in self._ids:
            return
        if signal.id is not None:
            self._ids.add(signal.id)
        if isinstance(signal.invocation, int) and signal.invocation < open_from:
            self.unclaimed.append((signal.value, "its invocation has ended"))
        else:
            self._kept.append(signal)


ORDERS = st.lists(st.tuples(st.sampled_from(KEYS), st.integers(0, 3)), min_size=1, max_size=4)


@st.composite
def signals(draw: st.DrawFn) -> list[SentSignal]:
    """Some signals, each with a number of its own as its value."""
    sent = []
    for number in range(draw(st.integers(0, 6))):
        signal = Signal(
            draw(st.sampled_from(["approval", "approval", "approval", "other"])),
            number,
            draw(st.sampled_from([None, None, "x", "y"])),
            draw(st.sampled_from([None, None, 0, 1])),
        )
        sent.append(SentSignal(signal, draw(st.sampled_from(KEYS)), draw(st.integers(0, 50))))
    return sent


CRASHES = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 4)), max_size=3).map(tuple)

FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def run_plan(plan: Plan, orders: list[tuple[str, int]], sent: list[SentSignal]) -> Run:
    options = DurableOptions(park_after=1.0)
    return plan.run(collects, orders, key=lambda order: order[0], options=options, signals=sent)


def told(run: Run, key: str) -> tuple[list[Any], list[tuple[int, str]]]:
    """What became of a key."""
    outputs = [one for one in run.outputs if one[0] == key]
    unclaimed = [(one.signal.value, one.reason) for one in run.unclaimed_signals if one.key == key]
    return outputs, sorted(unclaimed)


def expected(
    key: str, orders: list[tuple[str, int]], sent: list[SentSignal]
) -> tuple[list[Any], list[tuple[int, str]]]:
    """The same by the model."""
    of_key = sorted((one for one in sent if one.key == key), key=lambda one: one.after)
    model = Model(of_key).run(key, [count for name, count in orders if name == key])
    return model.outputs, sorted(model.unclaimed)


@FEW
@given(ORDERS, signals())
def test_without_a_crash_it_is_as_the_model_says(
    orders: list[tuple[str, int]], sent: list[SentSignal]
) -> None:
    run = run_plan(Plan(), orders, sent)
    for key in KEYS:
        assert told(run, key) == expected(key, orders, sent)


@FEW
@given(ORDERS, signals(), CRASHES)
def test_with_a_log_no_crash_changes_anything(
    orders: list[tuple[str, int]], sent: list[SentSignal], crashes: Any
) -> None:
    run = run_plan(Plan(level="write-ahead", crashes=crashes), orders, sent)
    for key in KEYS:
        assert told(run, key) == expected(key, orders, sent)


@FEW
@given(ORDERS, signals(), CRASHES)
def test_through_any_crash_each_signal_is_taken_once_or_unclaimed_once(
    orders: list[tuple[str, int]], sent: list[SentSignal], crashes: Any
) -> None:
    """An old checkpoint may not know a deadline, so which of both it is may differ."""
    run = run_plan(Plan(crashes=crashes), orders, sent)
    assert len(run.outputs) == len(orders)
    for key in KEYS:
        outputs, unclaimed = told(run, key)
        taken = [value for output in outputs for value in output[1:] if value is not None]
        ends = Counter(taken + [value for value, _ in unclaimed])
        of_key = [one.signal for one in sent if one.key == key]
        once = [signal.value for signal in of_key if signal.id is None]
        ids = {signal.id for signal in of_key} - {None}
        assert set(ends.values()) <= {1}
        assert set(once) <= set(ends)
        assert len(ends) == len(once) + len(ids)
