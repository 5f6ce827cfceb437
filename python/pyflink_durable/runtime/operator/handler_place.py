"""Refuses a context that is used where its handler does not run: no journal would hold it."""

from __future__ import annotations

import asyncio
from asyncio import events
from threading import current_thread, get_ident

from pyflink_durable.current_call import running_call
from pyflink_durable.errors import NestedDurableCall, NotInInvocation
from pyflink_durable.runtime.journal.call_journal import CallJournal
from pyflink_durable.runtime.journal.call_site import site_on_the_stack
from pyflink_durable.runtime.loop.invocation_tasks import invocation_tasks
from pyflink_durable.runtime.loop.loop import DurableLoop


def loop_of_handler(
    calls: CallJournal, loop: DurableLoop | None, what: str
) -> asyncio.AbstractEventLoop | None:
    """The loop of the handler that asks, None on the thread of a ``def`` handler.

    Args:
        calls: Of the context that it uses.
        loop: That of the subtask, if there is one.
        what: What it uses of the context.

    Raises:
        NotInInvocation: It is not that handler which asks.
    """
    # asyncio asks for the process's id, a system call that costs as much as the digest
    if loop is not None and loop.runs_here():
        running: asyncio.AbstractEventLoop | None = loop
    else:
        running = events._get_running_loop()
        if calls.thread and (get_ident() != calls.thread or running is not calls.loop):
            raise _elsewhere(calls, what)
    tasks = invocation_tasks.get()
    if tasks is not None and tasks.context is not None and tasks.context.clock is not calls.clock:
        raise NotInInvocation(
            f"ctx.{what} of the invocation ({calls.identity.describe()}) was used at "
            f"{site_on_the_stack()} by another one ({tasks.context.describe()}), in whose journal "
            "it would not be: a handler uses the ctx that it was given, and keeps it nowhere else"
        )
    return running


def check_place(calls: CallJournal, loop: DurableLoop | None, what: str) -> None:
    """Checks that it is the running handler that uses its context.

    Raises:
        NestedDurableCall: It is the function of a durable call.
        NotInInvocation: It is another thread, loop or invocation, or the handler has ended.
    """
    if running_call.get() is not None:
        raise NestedDurableCall(
            f"ctx.{what} was used inside a durable call, which a replay does not run: pass the "
            "function what it needs, and let it return what the handler is to do"
        )
    if calls.closed:
        calls.check_open()
    loop_of_handler(calls, loop, what)


def _elsewhere(calls: CallJournal, what: str) -> NotInInvocation:
    if get_ident() != calls.thread:
        where = f"on thread {current_thread().name!r}"
    else:
        where = "on an event loop of its own"
    return NotInInvocation(
        f"ctx.{what} of the invocation ({calls.identity.describe()}) was used {where} at "
        f"{site_on_the_stack()}: no journal holds what happens there. Use ctx in the handler "
        "itself, and put what needs a thread or a loop into the function of a durable call, whose "
        "result the handler gets"
    )
