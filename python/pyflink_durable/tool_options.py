"""How the tool calls of a request are made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from pyflink_durable.errors import ConfigurationError

PREFIX = "tool-call."
_FIELD_OF_KEY = {
    "tool-call.async": "async_",
    "tool-call.parallel": "parallel",
    "tool-call.parallelism": "parallelism",
    "tool-call.num-threads": "num_threads",
    "tool-call.max-in-flight": "max_in_flight",
    "tool-call.timeout": "timeout",
}


class ToolCallMode(str, Enum):
    """The three ways in which the tools of a request are called."""

    SYNC = "sync"
    """One after another on the handler's thread, which nothing else can use meanwhile."""

    ONE_AFTER_ANOTHER = "one after another"
    """One after another, away from the handler's thread."""

    PARALLEL = "parallel"
    """Together, away from the handler's thread."""


class ToolCallOptions(BaseModel):
    """How `call_tools` makes the calls of a request; frozen, checked when it is made.

    | `async_` | `parallel` | the tools of a request run |
    | --- | --- | --- |
    | True | True | together, at most `parallelism` of them at a time |
    | True | False | one after another |
    | False | False, or not given | one after another on the handler's thread |
    | False | True | refused: on one thread nothing is parallel |

    With ``async_=False`` a `timeout` is refused, too: nothing can interrupt the handler's thread.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    async_: bool = True
    """Whether tools run away from the handler's thread. Default True."""

    parallel: bool = True
    """Whether the tools of a request run together. Default True."""

    parallelism: int | None = Field(default=None, ge=1)
    """How many tools of one request run at a time. Default None: all of them."""

    num_threads: int = Field(default=16, ge=1, le=4_096)
    """Threads for tools that are ordinary functions, per subtask and for tools only: they take no
    thread from other calls. Coroutine functions need none. Default 16."""

    max_in_flight: int | None = Field(default=None, ge=1)
    """How many tools of a subtask run at a time, of all its requests together, coroutine functions
    included. Default None: no limit."""

    timeout: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Seconds for all tools of a request together; a single tool can have its own. Default None:
    no limit."""

    @model_validator(mode="after")
    def _check_sync(self) -> ToolCallOptions:
        if self.async_:
            return self
        if self.parallel and "parallel" in self.model_fields_set:
            raise ValueError(
                "tool-call.parallel needs tool-call.async: without it all tools run on the "
                "handler's thread, one after another. Set parallel to false, or async to true"
            )
        if self.timeout is not None:
            raise ValueError(
                "tool-call.timeout needs tool-call.async: nothing can interrupt a tool that runs "
                "on the handler's thread. Leave the timeout out, or set async to true"
            )
        return self

    @property
    def mode(self) -> ToolCallMode:
        """The row of the table above."""
        if not self.async_:
            return ToolCallMode.SYNC
        return ToolCallMode.PARALLEL if self.parallel else ToolCallMode.ONE_AFTER_ANOTHER

    @property
    def max_parallelism(self) -> int | None:
        """How many calls of a request run at a time; None if there is no limit."""
        return self.parallelism if self.mode is ToolCallMode.PARALLEL else 1

    @classmethod
    def from_configuration(
        cls, configuration: Mapping[str, str], explicit: ToolCallOptions | None = None
    ) -> ToolCallOptions:
        """Reads the ``tool-call.*`` options of a Flink configuration; other keys are not looked at.

        `durable_process` does it with the configuration of the job.

        Args:
            configuration: Keys and values, such as ``Configuration.to_dict()`` gives them.
            explicit: Options whose fields, as far as they were given, go before the configuration.

        Raises:
            ConfigurationError: A key that starts with ``tool-call.`` is unknown, or a value is
                wrong.
        """
        given: dict[str, Any] = {}
        for key, value in configuration.items():
            if not key.startswith(PREFIX):
                continue
            if key not in _FIELD_OF_KEY:
                known = ", ".join(_FIELD_OF_KEY)
                raise ConfigurationError(f"{key} is no option; there are {known}")
            given[_FIELD_OF_KEY[key]] = _seconds(key, value) if key.endswith("timeout") else value
        if explicit is not None:
            given |= explicit.model_dump(exclude_unset=True)
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise ConfigurationError(_in_words(error)) from None


_UNIT_SECONDS = {
    ("d", "day", "days"): 86_400.0,
    ("h", "hour", "hours"): 3_600.0,
    ("m", "min", "minute", "minutes"): 60.0,
    ("s", "sec", "secs", "second", "seconds"): 1.0,
    ("", "ms", "milli", "millis", "millisecond", "milliseconds"): 1e-3,
    ("µs", "micro", "micros", "microsecond", "microseconds"): 1e-6,
    ("ns", "nano", "nanos", "nanosecond", "nanoseconds"): 1e-9,
}
_SECONDS_OF = {label: seconds for labels, seconds in _UNIT_SECONDS.items() for label in labels}


def _seconds(key: str, text: str) -> float:
    """Reads a duration as Flink writes it: a number and a unit, without one milliseconds."""
    parts = re.fullmatch(r"(\d+)\s*([a-zµ]*)", str(text).strip().lower())
    if parts is None or parts[2] not in _SECONDS_OF:
        raise ConfigurationError(
            f'{key} must be a duration such as "30 s", "500 ms" or "2 min", not {text!r}'
        )
    return int(parts[1]) * _SECONDS_OF[parts[2]]


def _in_words(error: ValidationError) -> str:
    keys = {field: key for key, field in _FIELD_OF_KEY.items()}
    return "; ".join(
        ": ".join([*(keys[str(field)] for field in problem["loc"]), problem["msg"]])
        for problem in error.errors()
    )
