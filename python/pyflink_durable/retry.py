"""How a call that failed is tried again."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

RetryOn = tuple[type[Exception], ...] | Callable[[Exception], bool]


class RetryPolicy(BaseModel):
    """Tries a failed call again, with growing pauses; frozen, checked when it is made.

    The attempts and the time of the next one are in the journal: a restart of the job neither
    resets the budget nor the pause. The interval before attempt ``n + 1`` is
    ``initial_interval * backoff ** (n - 1)``, at most `max_interval`, less a random part of it.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, allow_inf_nan=False
    )

    max_attempts: int = Field(default=3, ge=1)
    """How often the call is started at the most, the first time included. Default 3."""

    initial_interval: float = Field(default=1.0, ge=0)
    """Seconds between the first failure and the second attempt. Default 1."""

    backoff: float = Field(default=2.0, ge=1)
    """By how much each interval is longer than the one before. Default 2."""

    max_interval: float = Field(default=60.0, ge=0)
    """The longest interval in seconds. Default 60, or `initial_interval` where that is longer."""

    jitter: float = Field(default=0.1, ge=0, le=1)
    """The part of each interval that is random, so that calls that failed together do not come
    back together: 0 for none, 1 for all of it. Default 0.1."""

    retry_on: RetryOn = (Exception,)
    """Which exceptions are worth another attempt: their classes, or a function that says so.
    An attempt that ran into its timeout counts as `CallTimedOut`, if its reconciler says that it
    has not happened, or it has none and may run again: it is tried again only if this admits it.
    Default: all."""

    @field_validator("retry_on", mode="before")
    @classmethod
    def _check_retry_on(cls, retry_on: Any) -> Any:
        kinds = (retry_on,) if isinstance(retry_on, type) else retry_on
        if isinstance(kinds, (list, set, frozenset)):
            kinds = tuple(kinds)
        if isinstance(kinds, tuple):
            for kind in kinds:
                if not (isinstance(kind, type) and issubclass(kind, Exception)):
                    raise ValueError(
                        f"retry_on takes classes of exceptions, or a function, not {kind!r}; "
                        "cancellation and other BaseExceptions are never tried again"
                    )
            return kinds
        if not callable(kinds):
            raise ValueError(f"retry_on takes classes of exceptions, or a function, not {kinds!r}")
        return kinds

    @model_validator(mode="after")
    def _check_intervals(self) -> RetryPolicy:
        if "max_interval" in self.model_fields_set and self.max_interval < self.initial_interval:
            raise ValueError(
                f"initial_interval={self.initial_interval:g} is longer than "
                f"max_interval={self.max_interval:g}, the longest interval: leave max_interval "
                "out, or make it longer"
            )
        return self

    def allows(self, error: Exception, attempt: int) -> bool:
        """Whether a call whose attempt number `attempt` ended with `error` is tried again."""
        if attempt >= self.max_attempts:
            return False
        if isinstance(self.retry_on, tuple):
            return isinstance(error, self.retry_on)
        return bool(self.retry_on(error))

    def interval(self, attempt: int) -> float:
        """Seconds to wait after attempt number `attempt`, which failed."""
        longest = max(self.max_interval, self.initial_interval)
        try:
            interval = min(self.initial_interval * self.backoff ** (attempt - 1), longest)
        except OverflowError:  # a float of so many attempts; max_interval rules long before
            interval = longest if self.initial_interval else 0.0
        return interval * (1 - self.jitter * random.random())
