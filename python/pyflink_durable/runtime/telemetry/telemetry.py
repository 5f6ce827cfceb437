"""Where the runtime says what happened: counters and log lines."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any, Protocol

from pyflink_durable.runtime.telemetry.handler_log import logger_of_handlers
from pyflink_durable.wording.one_line import one_line

logger = logging.getLogger("pyflink_durable")


class Telemetry(Protocol):
    """Counters and log lines of one operator. Safe from any thread.

    A message is one line: what keys, ids and errors bring along is escaped.

    Attributes:
        handler_logger: Takes what handlers log.
    """

    handler_logger: logging.Logger

    def count(self, name: str, count: int = 1) -> None:
        """Adds to a counter."""

    def record(self, name: str, value: int) -> None:
        """Adds a value to a histogram."""

    def info(self, message: str) -> None:
        """Logs one line about the ordinary course of things."""

    def warning(self, message: str) -> None:
        """Logs one line that an operator of the job should see."""


class LocalTelemetry:
    """Counts in memory and logs with `logging`, where there is no Flink.

    Attributes:
        counters: Counts by name.
        values: What was recorded, by the histogram's name.
    """

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self.values: dict[str, list[int]] = {}
        self.handler_logger = logging.getLogger("pyflink_durable.handler")

    def count(self, name: str, count: int = 1) -> None:
        self.counters[name] += count

    def record(self, name: str, value: int) -> None:
        self.values.setdefault(name, []).append(value)

    def info(self, message: str) -> None:
        logger.info(one_line(message))

    def warning(self, message: str) -> None:
        logger.warning(one_line(message))


class FlinkTelemetry:
    """Counts in Flink's metrics and logs to the TaskManager's log.

    Python's own logging goes to the standard error of the TaskManager in thread mode, which
    nobody collects.
    """

    def __init__(self, bridge: Any, operator: str) -> None:
        self._bridge = bridge
        self._operator = operator
        self.handler_logger = logger_of_handlers(self.log)

    def count(self, name: str, count: int = 1) -> None:
        self._bridge.count(name, count)

    def record(self, name: str, value: int) -> None:
        self._bridge.record(name, value)

    def info(self, message: str) -> None:
        self.log("INFO", message)

    def warning(self, message: str) -> None:
        self.log("WARNING", message)

    def log(self, level: str, message: str) -> None:
        """Logs one line at a level: DEBUG, INFO, WARNING or ERROR."""
        self._bridge.log(level, one_line(f"operator={self._operator} {message}"))
