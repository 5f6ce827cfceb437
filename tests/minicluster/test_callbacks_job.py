"""Tickets and cancellations in a job, through a failure: while their handlers are parked."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from crashkit import Stage, World, act, environment, run, scripted, write_outputs
from pyflink.common import Types

from pyflink_durable import (
    DEAD_LETTER,
    UNCLAIMED_SIGNAL,
    DeadLetter,
    DurableOptions,
    RunnerContext,
    Signal,
    UnclaimedSignal,
    durable_process,
)
from pyflink_durable.callback_token import CallbackToken, make_token

pytestmark = pytest.mark.minicluster

CRASH = "order crash"


def secret() -> bytes:
    return b"sixteen bytes or more"


def send_mail(world: World, key: str, token: str) -> None:
    world.note("mail", token)


def tokens_of(world: World, key: str) -> list[str]:
    """Those of the mails to a customer, each once, in order."""
    tokens = dict.fromkeys(world.subjects("mail"))
    return [token for token in tokens if CallbackToken.parse(token).key == key]


def handles(world: World) -> Any:
    async def handle(order: str, ctx: RunnerContext) -> str:
        if order == CRASH:
            await world.crash_when_async(lambda world: world.has_all("left", ["a", "b"]))
            return "crashed"
        try:
            ticket = ctx.callback("approval", timeout=600)
            await ctx.durable_execute_async(send_mail, world, ctx.key, ticket.token)
            answer = await ticket
        except asyncio.CancelledError:
            await ctx.durable_execute_async(act, world, f"refund {ctx.key}")
            raise
        finally:
            world.note("left", ctx.key)
        return f"{ctx.key} {answer}"

    return handle


def signals_of(world: World) -> Any:
    def signal_of(element: str) -> Signal:
        what, key = element.split()
        if what == "cancel":
            return Signal.cancel(0, key)
        token = tokens_of(world, key)[0 if what == "late" else -1]
        if what == "forged":
            told = CallbackToken.parse(token)
            token = make_token(b"guessed by somebody", "durable", key, told.invocation, told.slot)
        return Signal.from_token(token, what)

    return signal_of


def key_of(signal: Signal) -> str:
    """A cancellation has it in its reason here."""
    return str(signal.value if signal.token is None else signal.key)


def of_letter(letter: DeadLetter) -> str:
    return f"{letter.key} {letter.value}: {letter.reason}, {letter.message}"


def of_unclaimed(unclaimed: UnclaimedSignal) -> str:
    return f"{unclaimed.key} {unclaimed.signal.value}: {unclaimed.reason}"


@pytest.mark.parametrize("backend", ["hashmap", "rocksdb"])
def test_answers_and_cancellations_find_handlers_that_a_failure_interrupted(
    world: World, backend: str
) -> None:
    env = environment(world, restarts=1, state__backend__type=backend)
    stages = [
        Stage(["order a", "order b", CRASH]),
        Stage(["forged a", "yes a", "no a", "cancel b", "order b"], when=World.crashed),
        Stage(["late b", "yes b"], when=lambda world: len(tokens_of(world, "b")) == 2),
    ]
    elements = scripted(env, world, stages)
    orders = elements.filter(lambda element: element.startswith("order"))
    signals = elements.filter(lambda element: not element.startswith("order"))
    results = durable_process(
        orders.key_by(lambda order: order.split()[1], Types.STRING()),
        handles(world),
        signals=signals.map(signals_of(world)).key_by(key_of, Types.STRING()),
        output_type=Types.STRING(),
        options=DurableOptions(callback_secret=secret, park_after=0.1),
        name="durable",
        uid="durable",
    )
    write_outputs(results, world)
    letters = results.get_side_output(DEAD_LETTER).map(of_letter, Types.STRING())
    write_outputs(letters, world, "letters")
    unclaimed = results.get_side_output(UNCLAIMED_SIGNAL).map(of_unclaimed, Types.STRING())
    write_outputs(unclaimed, world, "unclaimed")
    run(env)
    assert world.crashed()
    assert sorted(world.outputs()) == ["a yes", "b yes", "crashed"]
    assert world.outputs("letters") == ["b order b: cancelled, b"]
    unclaimed_now = ["a forged: forged", "b late: its invocation has ended"]
    assert sorted(world.outputs("unclaimed")) == unclaimed_now
    assert Counter(world.subjects("run")) == {"refund b": 1}
