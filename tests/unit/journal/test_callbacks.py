"""Tickets: a token that nobody can guess, the same in every run, and one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from pyflink.common import Row

from pyflink_durable import (
    DurableExecutionError,
    DurableOptions,
    LocalRunnerContext,
    RunnerContext,
    Signal,
    SignalTimedOut,
)
from pyflink_durable.callback_token import CallbackToken, make_token
from pyflink_durable.errors import ConfigurationError
from pyflink_durable.runtime.journal.callbacks import Callbacks
from pyflink_durable.testing import Case, Durable, crash, crash_points

SECRET = b"sixteen bytes or"
OTHER = b"another secret, of other bytes"


def options(*secrets: bytes, **more: Any) -> DurableOptions:
    return DurableOptions(callback_secret=lambda: secrets or (SECRET,), **more)


_mail: list[str] = []


def send_mail(token: str) -> None:
    _mail.append(token)


@pytest.fixture(autouse=True)
def no_mail() -> None:
    _mail.clear()


async def asks(order: str, ctx: RunnerContext) -> str:
    ticket = ctx.callback("refund", timeout=86_400)
    await ctx.durable_execute_async(send_mail, ticket.token)
    try:
        return f"{order}: {await ticket}"
    except SignalTimedOut as error:
        return f"{order}: {error}"


def test_the_answer_comes_back_with_the_token(durable: Durable) -> None:
    with durable.start(asks, "o-1", key=("ann", 7), options=options()) as run:
        answer = Signal.from_token(_mail[0], "yes")
        assert answer.key == ("ann", 7)
        durable.advance(hours=1)  # it is parked by now
        run.signal(answer, key=answer.key)
        assert run.outputs == ["o-1: yes"]


def test_of_two_answers_the_first_counts(durable: Durable) -> None:
    with durable.start(asks, "o-1", options=options()) as run:
        run.signal(Signal.from_token(_mail[0], "yes"))
        run.signal(Signal.from_token(_mail[0], "no"))
        assert run.outputs == ["o-1: yes"]
    assert run.unclaimed_signals == []
    assert run.counters["signalsRepeated"] == 1


def test_an_answer_may_raise(durable: Durable) -> None:
    async def handle(order: str, ctx: RunnerContext) -> str:
        ticket = ctx.callback("refund")
        send_mail(ticket.token)
        with pytest.raises(PermissionError):
            await ticket
        with pytest.raises(DurableExecutionError, match="'refund' was awaited before"):
            await ticket
        return repr(ticket)

    with durable.start(handle, "o-1", options=options()) as run:
        run.signal(Signal.from_token(_mail[0], raises=PermissionError("not you")))
        assert run.outputs == ["<ticket 'refund'>"]


def test_nobody_answers_in_time_and_the_late_answer_is_for_nobody(durable: Durable) -> None:
    with durable.start(asks, "o-1", options=options()) as run:
        durable.advance(days=1)
        assert run.outputs == ["o-1: no signal 'refund' came in 86400 seconds"]
        run.signal(Signal.from_token(_mail[0], "late"))
        [unclaimed] = run.unclaimed_signals  # at once, and not after a week
    assert (unclaimed.signal.value, unclaimed.reason) == ("late", "its invocation has ended")


def test_two_tickets_get_their_own_answers(durable: Durable) -> None:
    async def handle(order: str, ctx: RunnerContext) -> list[Any]:
        tickets = [ctx.callback("refund"), ctx.callback("refund")]
        for ticket in tickets:
            send_mail(ticket.token)
        return list(await asyncio.gather(*tickets))

    with durable.start(handle, "o-1", options=options()) as run:
        first, second = _mail
        run.signal(Signal.from_token(second, 2))
        run.signal(Signal.from_token(first, 1))
        assert run.outputs == [[1, 2]]


# -------------------------------------------------------------------- forged


def _of_other_secret(token: str) -> str:
    told = CallbackToken.parse(token)
    return make_token(OTHER, "durable", told.key, told.invocation, told.slot)


def _of_other_operator(token: str) -> str:
    told = CallbackToken.parse(token)
    return make_token(SECRET, "other", told.key, told.invocation, told.slot)


def _of_another_key(token: str) -> str:
    told = CallbackToken.parse(token)
    form, _, mac = token.split(".")
    content = make_token(SECRET, "durable", "bob", told.invocation, told.slot).split(".")[1]
    return ".".join((form, content, mac))


@pytest.mark.parametrize("forge", [_of_other_secret, _of_other_operator, _of_another_key])
def test_a_forged_answer_is_for_nobody_and_does_not_keep_the_genuine_one_out(
    durable: Durable, forge: Callable[[str], str]
) -> None:
    with durable.start(asks, "o-1", key="ann", options=options()) as run:
        run.signal(Signal.from_token(forge(_mail[0]), "forged"))
        assert not run.done
        [unclaimed] = run.unclaimed_signals
        assert (unclaimed.signal.value, unclaimed.reason) == ("forged", "forged")
        assert run.counters["signalsRefused"] == 1
        run.signal(Signal.from_token(_mail[0], "yes"))
        assert run.outputs == ["o-1: yes"]


def test_a_signal_that_only_has_the_name_of_a_ticket_is_forged(durable: Durable) -> None:
    with durable.start(asks, "o-1", options=options()) as run:
        genuine = Signal.from_token(_mail[0], "yes")
        signal = Signal("other", "forged", invocation=genuine.invocation)
        object.__setattr__(signal, "name", genuine.name)  # as whoever writes pickles could
        run.signal(signal)
        assert [one.reason for one in run.unclaimed_signals] == ["forged"]
        assert not run.done


def test_an_answer_under_another_key_is_told_at_once(durable: Durable) -> None:
    with durable.start(asks, "o-1", key="ann", options=options()) as run:
        run.signal(Signal.from_token(_mail[0], "yes"), key="the stream's")
        [unclaimed] = run.unclaimed_signals
        assert (unclaimed.key, unclaimed.reason) == ("the stream's", "other key")


@pytest.mark.parametrize(
    "token",
    ["", "no token", "pfd1.x.y", "pfd2.WzEsMCwwXQ==.", "pfd1.WzEsMCwwXQ==", "pfd1.W10=.W10=", 7],
)
def test_what_is_no_token_is_refused_where_it_comes_from(token: Any) -> None:
    with pytest.raises(ValueError, match="this is no token of a callback"):
        Signal.from_token(token, "yes")


def test_a_signal_says_the_same_as_its_token() -> None:
    token = make_token(SECRET, "durable", "ann", 3, 0)
    with pytest.raises(ValueError, match="says otherwise than its token"):
        Signal("approval", "yes", token=token)
    with pytest.raises(ValueError, match=r"was not made by Signal\.from_token"):
        _ = Signal("approval").key
    with pytest.raises(ValueError, match="names of signals that begin with"):
        Signal("pyflink_durable.callback.0")


# -------------------------------------------------------------------- secrets and keys


@pytest.mark.parametrize(
    "key",
    ["ann", "", "1", 1, True, b"\x00\xff", (1, ("a", b"b")), Row("a", 1), "ключ \U0001f511", 2**70],
)
def test_keys_travel_as_they_are(key: Any) -> None:
    told = CallbackToken.parse(make_token(SECRET, "uid", key, "event-7", 12))
    assert (told.key, told.invocation, told.slot) == (key, "event-7", 12)
    assert type(told.key) is type(key)
    assert told.is_genuine([OTHER, SECRET], "uid")
    assert not told.is_genuine([OTHER], "uid")


def test_equal_texts_of_other_parts_are_other_tokens() -> None:
    keys = ["1", 1, True, (1,), Row(1), b"1"]
    assert len({make_token(SECRET, "uid", key, 0, 0) for key in keys}) == len(keys)
    parts = [("ab", "c"), ("a", "bc")]
    assert len({make_token(SECRET, uid, key, 0, 0) for uid, key in parts}) == 2


def test_other_keys_are_refused_when_the_ticket_is_made(durable: Durable) -> None:
    with pytest.raises(TypeError, match="cannot put a key of type complex into its token"):
        durable.run(asks, "o-1", key=1j, options=options())


def test_a_new_secret_makes_new_tokens_and_the_old_ones_count(durable: Durable) -> None:
    secrets = [OTHER]
    rotating = DurableOptions(callback_secret=lambda: tuple(secrets))
    with durable.start(
        asks, "o-1", options=rotating, crash_at=crash("send_mail", when="after-effect")
    ) as run:
        secrets.insert(0, SECRET)
        assert run.crashes == 1
        # the token is in the journal: the call is the same one, whatever the secret is by now
        assert len(set(_mail)) == 1
        assert CallbackToken.parse(_mail[0]).is_genuine([OTHER], "durable")
        run.signal(Signal.from_token(_mail[0], "yes"))
        assert run.outputs == ["o-1: yes"]


@pytest.mark.parametrize("given", [(), ["text"], b"short", [SECRET, b"short"]])
def test_secrets_that_do_not_do_are_refused(given: Any) -> None:
    with pytest.raises(ConfigurationError, match="callback_secret"):
        _ = Callbacks("uid", lambda: given).secrets


def test_without_a_secret_there_are_no_tickets(durable: Durable) -> None:
    with pytest.raises(DurableExecutionError, match="callback_secret=read_secret"):
        durable.run(asks, "o-1")


def test_a_local_ticket_gets_the_signal_of_its_name() -> None:
    context = LocalRunnerContext(key="ann", signals=[Signal("refund", "yes")])
    assert asyncio.run(asks("o-1", context)) == "o-1: yes"
    assert Signal.from_token(_mail[0]).key == "ann"
    assert asyncio.run(asks("o-1", LocalRunnerContext())).startswith("o-1: no signal 'refund'")


# -------------------------------------------------------------------- crashes


@crash_points(asks, ["o-1"], options=options(), levels=["gated", "write-ahead"], crashes=2)
def test_every_crash_around_a_ticket(case: Case) -> None:
    _mail.clear()
    case.signal(Signal.from_token(make_token(SECRET, "durable", None, 0, 0), "yes"), after=60)
    run = case.run()
    assert run.outputs == ["o-1: yes"], case
    assert len(set(_mail)) == 1, case
    assert run.unclaimed_signals == [], case


def test_a_run_with_a_ticket_is_replayed(durable: Durable) -> None:
    durable.signal(Signal.from_token(make_token(SECRET, "durable", None, 0, 0), "yes"), after=60)
    durable.run(asks, "o-1", options=options(), always_replay=True)
