"""Tickets: what a handler gives away for one answer from outside."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator
from typing import Any


class Ticket(ABC):
    """Waits for one answer, which comes with its token; made by `RunnerContext.callback`.

    Send `token` out with a durable call, and ``await`` the ticket: it gives what the first answer
    says, see `Signal.from_token`.

    Attributes:
        name: The name that the handler has given it.
        token: What the answer has to bring back. Nobody can guess one, and it is the same in every
            run of the handler. Whoever has it can answer, so treat it as a password.
    """

    name: str
    token: str

    @abstractmethod
    def __await__(self) -> Generator[Any, None, Any]: ...
