"""What handlers log: once, and where the TaskManager's log is."""

from __future__ import annotations

import logging
from collections.abc import Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Protocol

from pyflink_durable.observer import ObservedInvocation

if TYPE_CHECKING:
    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter


class Replays(Protocol):
    """The journal of an invocation, as far as its logger knows it."""

    replaying: bool
    """Whether an earlier run has been here, and has logged."""


class HandlerLogger(_Adapter):
    """A logger that says nothing while its handler is replayed.

    A record has the fields ``key``, ``invocation`` and ``operator``.

    Args:
        logger: Takes the records.
        invocation: The handler's.
        journal: Its journal.
    """

    def __init__(
        self, logger: logging.Logger, invocation: ObservedInvocation, journal: Replays
    ) -> None:
        super().__init__(logger, {})
        self._invocation = invocation
        self._journal = journal

    def isEnabledFor(self, level: int) -> bool:
        return not self._journal.replaying and super().isEnabledFor(level)

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        invocation = self._invocation
        kwargs["extra"] = {
            "key": invocation.key,
            "invocation": invocation.id,
            "operator": invocation.operator,
            **(kwargs.get("extra") or {}),
        }
        return msg, kwargs


def logger_of_handlers(log: Callable[[str, str], None]) -> logging.Logger:
    """A logger of one operator whose records go to the log of the TaskManager.

    Python's own logging goes to the standard error there, which nobody collects. What a job sets up
    of it, a handler of the root logger for example, gets the records, too.

    Args:
        log: Takes a level and a line, on any thread.
    """
    parent = logging.getLogger("pyflink_durable.handler")
    logger = logging.Logger(parent.name, logging.INFO)
    logger.parent = parent
    logger.addHandler(_TaskManagerLog(log))
    return logger


class _TaskManagerLog(logging.Handler):
    def __init__(self, log: Callable[[str, str], None]) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            fields = vars(record)
            line = f"key={fields['key']!r} invocation={fields['invocation']} {self.format(record)}"
            self._log(_level_of(record.levelno), line)
        except Exception:
            self.handleError(record)


def _level_of(number: int) -> str:
    for level in ("ERROR", "WARNING", "INFO"):
        if number >= getattr(logging, level):
            return level
    return "DEBUG"
