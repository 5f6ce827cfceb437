"""The outside of a handler under test, and the forms in which it can be called."""

from __future__ import annotations

import asyncio
from typing import Any

FORMS = ["sync", "pool", "coroutine"]


class Outside:
    """Answers `charge` and `look_up` as it is told, and notes who asked.

    Attributes:
        asked: The names of what ran, in order.
        answers: What each gives, by name; an exception is raised.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.arguments: list[Any] = []
        self.answers: dict[str, Any] = {"charge": "charged", "look_up": "looked up"}

    def charge(self, *args: Any, **kwargs: Any) -> Any:
        self.arguments.append((args, kwargs))
        return self._answer("charge")

    async def charge_remotely(self, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(0)
        self.arguments.append((args, kwargs))
        return self._answer("charge")

    def refund(self, *args: Any) -> Any:
        return self._answer("refund")

    async def refund_remotely(self, *args: Any) -> Any:
        return self._answer("refund")

    def look_up(self) -> Any:
        return self._answer("look_up")

    async def look_up_remotely(self) -> Any:
        await asyncio.sleep(0)
        return self._answer("look_up")

    def _answer(self, name: str) -> Any:
        self.asked.append(name)
        answer = self.answers.get(name, name)
        if isinstance(answer, BaseException):
            raise answer
        return answer
