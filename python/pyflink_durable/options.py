"""The settings of a durable operator."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class DurableOptions(BaseModel):
    """Settings of one `durable_process`; frozen, checked when it is made.

    Every limit is per subtask. Thread counts are per subtask, too: the subtasks of a TaskManager
    share one Python interpreter and its lock.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_in_flight: int = Field(default=1_000, ge=1, le=1_000_000)
    """How many invocations run at a time. Default 1,000."""

    max_pending: int = Field(default=10_000, ge=1, le=10_000_000)
    """How many further inputs are accepted before the operator holds its input back. They are
    part of every checkpoint. Default 10,000."""

    call_threads: int = Field(default=16, ge=1, le=4_096)
    """Threads for ordinary functions given to `durable_execute_async`. Default 16."""

    handler_threads: int = Field(default=64, ge=1, le=4_096)
    """Threads for ``def`` handlers; as many of them run at a time. Default 64."""

    on_error: Literal["fail", "dead-letter"] = "fail"
    """What an exception of a handler does: ``"fail"`` the task, so that Flink restarts it, or
    send input, exception and journal to the `DEAD_LETTER` side output and go on with the next
    input of the key. Default ``"fail"``."""

    on_mismatch: Literal["clear", "fail"] = "clear"
    """What a journal does that holds another call than the handler makes: ``"clear"`` drops this
    slot and all after it with a warning and runs the call; ``"fail"`` raises `JournalMismatch`.
    Default ``"clear"``."""

    close_timeout: float = Field(default=5.0, ge=0, le=120)
    """Seconds that the end of a task waits for threads whose call still runs. A call that blocks
    longer is abandoned with a warning: its thread ends when the call returns, and what it returns
    touches nothing. Default 5."""
