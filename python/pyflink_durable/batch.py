"""Calls that are made together: what they are, and how each of them ended."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal, get_args

from pyflink_durable.call_options import NAMES, CallOptions, check_choice
from pyflink_durable.checks.arguments import check_durable_id, check_reconciler, check_seconds
from pyflink_durable.options import CallIdentity, Durability, InDoubt
from pyflink_durable.retry import RetryPolicy

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup


CallPool = Literal["calls", "tools"]


@dataclass(frozen=True, slots=True)
class DurableCall:
    """One call of a batch: a function with its arguments, and what a single call may be given.

    Attributes:
        func: An ordinary function or a coroutine function.
        args: Its arguments; together with the function they are the call's identity.
        kwargs: Its keyword arguments.
        durable_id: An identity to use in place of the function's name. Calls with one are found
            again by it, whatever their order in the batch.
        reconciler: A function without arguments that finds out how this call ended.
        retry: When a failed attempt is made again.
        timeout: Seconds that an attempt may take.
        durability: The level of this call; at least that of the operator.
        in_doubt: What happens to this call when it is in doubt and there is no reconciler.
        result_type: The type of its result; by default what the function declares.
        identity: Whether its arguments count where it has a durable_id, as in `DurableOptions`.
        options: What of these is not given beside it.
        pool: Whose threads an ordinary function takes: those of calls, or those of tools.
    """

    func: Callable[..., Any]
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] | None = None
    durable_id: str | None = field(default=None, kw_only=True)
    reconciler: Callable[[], Any] | None = field(default=None, kw_only=True)
    retry: RetryPolicy | None = field(default=None, kw_only=True)
    timeout: float | None = field(default=None, kw_only=True)
    durability: Durability | None = field(default=None, kw_only=True)
    in_doubt: InDoubt | None = field(default=None, kw_only=True)
    result_type: Any = field(default=None, kw_only=True)
    identity: CallIdentity | None = field(default=None, kw_only=True)
    options: CallOptions | None = field(default=None, kw_only=True)
    pool: CallPool = field(default="calls", kw_only=True)

    def __post_init__(self) -> None:
        if self.options is not None:
            self._take_options(self.options)
        if not callable(self.func):
            raise TypeError(f"DurableCall takes a function first, not {type(self.func).__name__}")
        if not isinstance(self.args, tuple):
            raise TypeError(
                "DurableCall takes the function's arguments as a tuple: "
                f"DurableCall(charge, (order_id,)), not {type(self.args).__name__}"
            )
        _check_kwargs(self.kwargs)
        if self.durable_id is not None:
            check_durable_id(self.durable_id)
        check_reconciler(self.reconciler)
        check_seconds("timeout", self.timeout)
        check_choice("durability", self.durability, (None, *get_args(Durability)))
        check_choice("in_doubt", self.in_doubt, (None, *get_args(InDoubt)))
        check_choice("identity", self.identity, (None, *get_args(CallIdentity)))
        check_choice("pool", self.pool, get_args(CallPool))

    def _take_options(self, options: CallOptions) -> None:
        if not isinstance(options, CallOptions):
            raise TypeError(f"options must be CallOptions(...), not {type(options).__name__}")
        for name in NAMES:
            if getattr(self, name) is None:
                object.__setattr__(self, name, getattr(options, name))

    @property
    def keywords(self) -> dict[str, Any]:
        """The keyword arguments; empty if there are none."""
        return dict(self.kwargs or {})


class CallStatus(str, Enum):
    """How a call of a batch ended."""

    SUCCEEDED = "SUCCEEDED"
    """It returned a value."""

    FAILED = "FAILED"
    """It raised."""

    TIMED_OUT = "TIMED_OUT"
    """It was still running at its timeout, or at that of the batch."""

    NOT_STARTED = "NOT_STARTED"
    """The timeout of the batch came while it was in line: it did not happen."""


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """How a call ended; `error` is None exactly if it succeeded.

    Attributes:
        value: What it returned; None without success.
        error: What it raised, or why there is no result.
        status: In which of the four ways it ended.
        duration: Seconds from its start to its end, waits between attempts included; 0 if it did
            not run now.
        attempt: The number of its last start; 0 if it never started.
        replayed: Whether the outcome was in the journal and nothing ran.
        reconciled: Whether the reconciler told the outcome.
    """

    value: Any = None
    error: Exception | None = None
    status: CallStatus = CallStatus.SUCCEEDED
    duration: float = 0.0
    attempt: int = 1
    replayed: bool = False
    reconciled: bool = False

    def unwrap(self) -> Any:
        """Returns the value.

        Raises:
            Exception: The error, if there is one.
        """
        if self.error is not None:
            raise self.error
        return self.value


class Outcomes(list[CallOutcome]):
    """The outcomes of a batch, in the order of its calls; none hides another."""

    def values(self) -> list[Any]:
        """The values of all calls.

        Raises:
            Exception: The error of the first call, in input order, that has one.
        """
        return [outcome.unwrap() for outcome in self]

    def raise_first(self) -> None:
        """Raises the error of the first call, in input order, that has one."""
        self.values()

    def raise_group(self) -> None:
        """Raises the errors of all calls together, in input order, as an `ExceptionGroup`.

        Raises:
            ExceptionGroup: There is at least one error.
        """
        errors = [outcome.error for outcome in self if outcome.error is not None]
        if errors:
            raise ExceptionGroup(f"{len(errors)} of {len(self)} calls did not succeed", errors)


def check_batch(
    calls: Iterable[DurableCall],
    max_parallelism: int | None = None,
    timeout: float | None = None,
) -> tuple[DurableCall, ...]:
    """Checks the arguments of a batch before anything is written.

    Returns:
        The calls, in input order.

    Raises:
        TypeError: An argument is of the wrong type.
        ValueError: Two calls have the same `durable_id`, or a limit is not positive.
    """
    batch = tuple(calls)
    ids: set[str] = set()
    for place, call in enumerate(batch):
        if not isinstance(call, DurableCall):
            raise TypeError(
                f"a batch is made of DurableCall(func, args, ...): number {place} is of type "
                f"{type(call).__name__}"
            )
        if call.durable_id in ids:
            raise ValueError(
                f"two calls of a batch have the durable_id {call.durable_id!r}: a replay finds "
                "calls by it, so give each its own"
            )
        if call.durable_id is not None:
            ids.add(call.durable_id)
    if max_parallelism is not None and (type(max_parallelism) is not int or max_parallelism < 1):
        raise ValueError(f"max_parallelism must be an int above 0, not {max_parallelism!r}")
    check_seconds("timeout", timeout)
    return batch


def _check_kwargs(kwargs: Any) -> None:
    if kwargs is None:
        return
    if not isinstance(kwargs, Mapping) or not all(isinstance(name, str) for name in kwargs):
        raise TypeError("DurableCall takes keyword arguments as a mapping from str")
