"""The same options at each level of durability."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyflink_durable.call_log import FileCallLog
from pyflink_durable.options import Durability, DurableOptions


def with_level(options: DurableOptions | None, level: Durability) -> DurableOptions:
    """Options at another level; the log is in memory."""
    changes: dict[str, Any] = {"durability": level}
    if level == "write-ahead" and (options is None or options.call_log is None):
        changes["call_log"] = FileCallLog(directory=Path("/in-memory"))
    elif level != "write-ahead":
        changes["call_log"] = None
    return (options or DurableOptions()).model_copy(update=changes)
