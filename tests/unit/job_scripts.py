"""What a job's script may define, and what of it cannot be pickled."""

from __future__ import annotations

import threading
from typing import Any

from pyflink_durable import DurableProcessFunction


class Client:
    """As an HTTP client is: a lock somewhere inside."""

    def __init__(self) -> None:
        self.pool = {"connections": [threading.Lock()]}

    def charge(self, order: Any) -> str:
        return f"charged {order}"


def of_the_script(source: str, **variables: Any) -> dict[str, Any]:
    """What a job's script defines, whose functions cloudpickle writes as code."""
    names = {"__name__": "__main__", "DurableProcessFunction": DurableProcessFunction, **variables}
    exec(source, names)
    return names


def global_of_the_handler() -> Any:
    return of_the_script("async def handle(value, ctx): client.charge(value)", client=Client())
