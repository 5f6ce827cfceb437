"""Signals that wait in the state are encoded, and opened for the handler that takes them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest
from host_bench import Task
from signal_bench import SignalBench, SignalsInMemory

from pyflink_durable import AesGcm, DurableOptions, PayloadRefused, Signal, Zstd
from pyflink_durable.payload.frame import is_pickle, peek
from pyflink_durable.payload.payloads import Payloads
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity

ANN, BOB = pickle.dumps("ann"), pickle.dumps("bob")
SIGNAL = Signal("approval", "the secret", id="s-1")


def key_of(key_id: str) -> bytes:
    return key_id.encode().ljust(32)


ENCRYPTED = DurableOptions(codecs=[Zstd(), AesGcm(key_of, "1")])


async def waits(value: str, ctx: Any) -> Any:
    answer = await ctx.wait_for_signal("approval")
    return answer, [one.value for one in ctx.pending_signals("approval")]


class SealedSignals(SignalsInMemory):
    """The signals of a key, as its operator keeps them."""

    owner = InvocationIdentity(lambda _: "k", "orders")

    def _sealed(self, pickled: bytes) -> bytes:
        sealed = Payloads(ENCRYPTED).seal_signal(pickled, self.owner)
        assert sealed is not None and b"secret" not in sealed
        return sealed

    def takeSignal(self, invocation: int, name: str, invocation_id: str) -> Any:
        taken = super().takeSignal(invocation, name, invocation_id)
        return None if taken is None else [*taken[:2], self._sealed(taken[2])]

    def lookForSignals(self, invocation: int, name: str, invocation_id: str) -> Any:
        found = super().lookForSignals(invocation, name, invocation_id)
        return [self._sealed(one) for one in found]


def bench_of(signals: SignalsInMemory) -> SignalBench:
    return SignalBench(waits, options=ENCRYPTED, signals=signals)


def test_a_handler_gets_what_was_sent_and_so_does_its_replay() -> None:
    bench = bench_of(SealedSignals())
    bench.start()
    bench.signal(SIGNAL, Signal("approval", "another secret"))
    assert bench.answer == ("the secret", ["another secret"])
    again = SignalBench(waits, options=ENCRYPTED, slots=tuple(bench.journal.slots))
    again.start()
    assert again.drain().answer == bench.answer


def test_one_of_another_key_fails_the_task() -> None:
    signals = SealedSignals()
    signals.owner = InvocationIdentity(lambda _: "another", "orders")
    bench = bench_of(signals)
    bench.start()
    bench.signal(SIGNAL)
    with pytest.raises(PayloadRefused, match="written for another"):
        bench.answer  # noqa: B018 - raises what the handler's end is


class TestTheDesk:
    def test_by_default_it_keeps_what_came(self, new_task: Callable[..., Task]) -> None:
        task = new_task(waits)
        assert task.host.read_signal(pickle.dumps(SIGNAL), ANN)[-1] is None

    def test_what_it_keeps_is_encoded_and_goes_to_the_side_output_in_the_open(
        self, new_task: Callable[..., Task]
    ) -> None:
        task = new_task(waits, codecs=ENCRYPTED.codecs)
        name, id, *_, kept = task.host.read_signal(pickle.dumps(SIGNAL), ANN)
        assert (name, id) == ("approval", "s-1")
        assert not is_pickle(kept) and b"secret" not in kept
        assert peek(kept).names == ("pickle", "zstd", "aes-gcm")
        task.host.unclaimed([ANN, kept, "nobody took it"])
        task.host.unclaimed([ANN, pickle.dumps(SIGNAL), "nobody took it"])  # of before
        with pytest.raises(PayloadRefused):
            task.host.unclaimed([BOB, kept, "nobody took it"])
