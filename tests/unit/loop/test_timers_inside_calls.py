"""A call starts no timer of its handler: a replay does not run it, and would miss the slot."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

from pyflink_durable import NestedDurableCall
from pyflink_durable.current_call import CurrentCall, running_call
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity
from pyflink_durable.runtime.loop.loop import DurableLoop


@pytest.mark.parametrize("start", ["call_later", "call_at"])
def test_a_timer_of_the_handlers_loop_is_refused_inside_a_call(start: str) -> None:
    loop = DurableLoop(lambda: None, lambda due: None, print)

    def inside_a_call() -> None:
        running_call.set(CurrentCall(1, 0, None, 1, InvocationIdentity()))
        with pytest.raises(NestedDurableCall, match="inside a durable call"):
            getattr(loop, start)(10.0, lambda: None)

    contextvars.copy_context().run(inside_a_call)
    assert isinstance(loop.call_later(10.0, lambda: None), asyncio.TimerHandle)
    loop.close()
