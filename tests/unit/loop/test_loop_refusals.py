"""What would leave the handlers' loop is refused, with the durable way to do it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from loops import Operator

from pyflink_durable import UnsupportedLoopOperation
from pyflink_durable.runtime.loop.loop import DurableLoop


async def _server(reader: Any, writer: Any) -> None: ...


REFUSED: dict[str, Callable[[], Any]] = {
    "run_in_executor": lambda: asyncio.get_running_loop().run_in_executor(None, time.time),
    "to_thread": lambda: asyncio.to_thread(time.time),
    "open_connection": lambda: asyncio.open_connection("localhost", 80),
    "start_server": lambda: asyncio.start_server(_server, "localhost", 0),
    "subprocess_exec": lambda: asyncio.create_subprocess_exec("true"),
    "subprocess_shell": lambda: asyncio.create_subprocess_shell("true"),
    "getaddrinfo": lambda: asyncio.get_running_loop().getaddrinfo("localhost", 80),
    "getnameinfo": lambda: asyncio.get_running_loop().getnameinfo(("127.0.0.1", 80)),
    "sock_connect": lambda: asyncio.get_running_loop().sock_connect(None, ("localhost", 80)),
    "sock_recv": lambda: asyncio.get_running_loop().sock_recv(None, 1),
    "add_reader": lambda: asyncio.get_running_loop().add_reader(0, print),
    "add_signal_handler": lambda: asyncio.get_running_loop().add_signal_handler(2, print),
    "create_datagram_endpoint": lambda: asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol
    ),
    "run_until_complete": lambda: asyncio.get_running_loop().run_until_complete(None),
    "run_forever": lambda: asyncio.get_running_loop().run_forever(),
    "stop": lambda: asyncio.get_running_loop().stop(),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_leaves_the_loop_is_refused_with_the_durable_way(name: str) -> None:
    operator = Operator()

    async def handler() -> None:
        result = REFUSED[name]()
        if result is not None:
            await result

    with pytest.raises(UnsupportedLoopOperation) as caught:
        operator.run(handler())
    assert "await ctx.durable_execute_async(func, ...)" in str(caught.value)
    assert operator.wakes == 0


def test_every_door_of_an_event_loop_is_open_or_refused() -> None:
    # what asyncio adds to loops must be decided upon, not end in NotImplementedError
    left = {
        name
        for name, value in vars(asyncio.AbstractEventLoop).items()
        if callable(value)
        and not name.startswith("__")
        and getattr(DurableLoop, name) is getattr(asyncio.AbstractEventLoop, name)
    }
    assert left == set()


@pytest.mark.parametrize("name", ["task_factory", "exception_handler"])
def test_what_all_handlers_share_is_there_and_none_of_them_changes_it(name: str) -> None:
    async def handler() -> None:
        loop = asyncio.get_running_loop()
        assert getattr(loop, f"get_{name}")() is None
        getattr(loop, f"set_{name}")(None)
        getattr(loop, f"set_{name}")(print)

    with pytest.raises(UnsupportedLoopOperation, match=f"loop.set_{name} is .* subtask share"):
        Operator().run(handler())


class Panic(BaseException):
    """What a library in another language raises, for example."""


def test_an_exception_of_a_callback_that_is_no_exception_fails_the_task() -> None:
    def panics() -> None:
        raise Panic("index out of bounds")

    async def handler() -> None:
        asyncio.get_running_loop().call_soon(panics)
        await asyncio.sleep(0)
        await asyncio.Event().wait()

    operator = Operator()
    with pytest.raises(Panic):
        operator.start(handler())
    assert "Panic: index out of bounds" in operator.problems[0]
