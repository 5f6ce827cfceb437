"""What a deterministic event loop cannot do, refused with the durable way to do it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn

from pyflink_durable.errors import UnsupportedLoopOperation

_UNSUPPORTED = (
    *("run_in_executor", "getaddrinfo", "getnameinfo", "create_connection", "create_server"),
    *("create_unix_connection", "create_unix_server", "create_datagram_endpoint"),
    *("connect_accepted_socket", "connect_read_pipe", "connect_write_pipe", "start_tls"),
    *("sendfile", "sock_sendfile", "sock_recv", "sock_recv_into", "sock_recvfrom"),
    *("sock_recvfrom_into", "sock_sendall", "sock_sendto", "sock_connect", "sock_accept"),
    *("add_reader", "remove_reader", "add_writer", "remove_writer"),
    *("add_signal_handler", "remove_signal_handler", "subprocess_shell", "subprocess_exec"),
    *("run_forever", "run_until_complete", "stop", "set_default_executor"),
)


def _refuse(name: str) -> Callable[..., NoReturn]:
    def refuse(self: asyncio.AbstractEventLoop, *args: Any, **kwargs: Any) -> NoReturn:
        raise UnsupportedLoopOperation(
            f"loop.{name} is not possible on a durable handler's event loop: its effect would be "
            "repeated or lost when the handler runs again. Put the work into a function and call "
            "it with `await ctx.durable_execute_async(func, ...)`; a coroutine function runs on "
            "an asyncio loop of its own, where all of asyncio works."
        )

    refuse.__name__ = name
    return refuse


RefusesRealIO: Any = type(
    "RefusesRealIO",
    (asyncio.AbstractEventLoop,),
    {name: _refuse(name) for name in _UNSUPPORTED},
)
"""Base of the handlers' loop: an event loop whose every door to the outside says no."""
