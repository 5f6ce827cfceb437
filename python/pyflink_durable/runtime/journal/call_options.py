"""The settings of one call: those of the operator, and what the call says otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, get_args

from pyflink_durable.checks.arguments import check_seconds, without_infinity
from pyflink_durable.errors import CallTimedOut, ConfigurationError, DurableExecutionError
from pyflink_durable.identity.digest import compute_function_id
from pyflink_durable.options import CallIdentity, Durability, DurableOptions, InDoubt
from pyflink_durable.retry import RetryPolicy
from pyflink_durable.runtime.journal.bridge import HoldKind
from pyflink_durable.runtime.journal.keyword_clashes import KeywordClashes

_LEVELS: tuple[Durability, ...] = get_args(Durability)


@dataclass(frozen=True, slots=True)
class ResolvedOptions:
    """How one call is made.

    Attributes:
        in_doubt: What becomes of it when it is in doubt and has no reconciler.
        retry: How it is tried again, None if it is not.
        timeout: Seconds that an attempt may take.
        start_hold: What an attempt waits for before it starts.
        outcome_hold: What its outcome waits for before the handler sees it.
        repeatable: Whether it may simply run again: nobody is asked about it when it is in doubt,
            and the handler did not say that it is to be made once.
        result_type: The type of its result; None for what its function declares.
        by_id_alone: Whether a durable_id is its whole identity, without its arguments.
    """

    in_doubt: InDoubt = "execute"
    retry: RetryPolicy | None = None
    timeout: float | None = None
    start_hold: HoldKind | None = None
    outcome_hold: HoldKind | None = None
    repeatable: bool = True
    result_type: Any = None
    by_id_alone: bool = False


class OptionsResolver:
    """Gives each call its options; one per operator.

    Args:
        options: The operator's options.
        can_gate: Whether the job takes the checkpoints that a call at the gate waits for.
        warn: Gets a line for what a call probably does not mean, once for each kind.

    Attributes:
        outcome_hold: What the outcomes of all calls wait for.
    """

    def __init__(
        self,
        options: DurableOptions | None = None,
        can_gate: bool = False,
        warn: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._options = options or DurableOptions()
        self._can_gate = can_gate
        self._warn = warn
        self._clashes = KeywordClashes(warn)
        self._told_of_timeouts = False
        # of all outcomes alike, or they would not be seen in the order in which they are journaled
        self.outcome_hold: HoldKind | None = None if self._options.call_log is None else "LOG"
        self._plain = self._resolve(False, None, None, None, None)
        self._reconciled = self._resolve(True, None, None, None, None)

    def resolve(
        self,
        has_reconciler: bool,
        durability: Any = None,
        in_doubt: Any = None,
        retry: Any = None,
        timeout: Any = None,
        func: Callable[..., Any] | None = None,
        result_type: Any = None,
        identity: CallIdentity | None = None,
    ) -> ResolvedOptions:
        """Resolves the options of a call; None stands for what the operator says.

        Args:
            has_reconciler: Whether the call has one.
            durability: Its level.
            in_doubt: What becomes of it when it is in doubt.
            retry: How it is tried again.
            timeout: Seconds that an attempt may take.
            func: Its function, if that takes keywords beside these.
            result_type: The type of its result.
            identity: Whether its arguments count where it has a durable_id.

        Raises:
            TypeError: `retry` is no RetryPolicy, or `timeout` no number.
            ValueError: A value is unknown, or the durability is weaker than the operator's.
            ConfigurationError: The job is not set up for the durability.
        """
        if durability is None and in_doubt is None and retry is None and timeout is None:
            options = self._reconciled if has_reconciler else self._plain
            if result_type is None and identity is None:
                return options
            return _with(options, result_type, identity)
        if func is not None:
            self._clashes.look(
                func, durability=durability, in_doubt=in_doubt, retry=retry, timeout=timeout
            )
        options = self._resolve(has_reconciler, durability, in_doubt, retry, timeout)
        return _with(options, result_type, identity)

    def _resolve(
        self, has_reconciler: bool, durability: Any, in_doubt: Any, retry: Any, timeout: Any
    ) -> ResolvedOptions:
        own = self._options
        check_seconds("timeout", timeout)
        in_doubt = own.in_doubt if in_doubt is None else _check_in_doubt(in_doubt)
        level = own.durability if durability is None else self._check_durability(durability)
        once = durability in ("gated", "write-ahead") or has_reconciler or in_doubt == "raise"
        start_hold: HoldKind | None = None
        # a call that may simply run again gains nothing by waiting
        if once and level != "checkpoint":
            start_hold = "LOG" if level == "write-ahead" else "CHECKPOINT"
        retry = own.retry if retry is None else _check_retry(retry)
        timeout = without_infinity(own.call_timeout if timeout is None else timeout)
        if timeout is not None and (has_reconciler or in_doubt == "execute"):
            self._look_at_timeouts(retry)
        by_id_alone = own.identity == "durable_id"
        return ResolvedOptions(
            in_doubt,
            retry,
            timeout,
            start_hold,
            self.outcome_hold,
            repeatable=not once,
            by_id_alone=by_id_alone,
        )

    def _look_at_timeouts(self, retry: RetryPolicy | None) -> None:
        """A call that timed out may have happened, so to try it again takes a word."""
        if self._told_of_timeouts or retry is None or retry.max_attempts == 1:
            return
        kinds = retry.retry_on
        if isinstance(kinds, tuple) and not issubclass(CallTimedOut, kinds):
            self._told_of_timeouts = True
            names = ", ".join(kind.__name__ for kind in kinds)
            self._warn(
                f"retry_on=({names}) a call has a timeout and a retry policy that does not admit "
                "CallTimedOut: an attempt that times out is not tried again. If it is to be, add "
                "CallTimedOut to retry_on"
            )

    def _check_durability(self, durability: Any) -> Durability:
        own = self._options.durability
        if durability not in _LEVELS:
            raise ValueError(f"durability must be one of {_LEVELS}, not {durability!r}")
        if _LEVELS.index(durability) < _LEVELS.index(own):
            raise ValueError(
                f"durability={durability!r} is weaker than the operator's {own!r}; a call's can "
                "only be stronger"
            )
        if durability == "gated" and not self._can_gate:
            raise ConfigurationError(
                'durability="gated" on a call needs unaligned exactly-once checkpoints, also in a '
                "backlog and when a source has ended: turn them on with "
                "env.enable_checkpointing(milliseconds), and leave out the settings that a warning "
                "named when the job was built"
            )
        if durability == "write-ahead" and self._options.call_log is None:
            raise ConfigurationError(
                'durability="write-ahead" on a call needs a log: DurableOptions(call_log=...)'
            )
        level: Durability = durability
        return level


def _with(
    options: ResolvedOptions, result_type: Any, identity: CallIdentity | None
) -> ResolvedOptions:
    """Options with what a call says of its result and its identity, if anything."""
    if identity is not None:
        options = replace(options, by_id_alone=identity == "durable_id")
    return options if result_type is None else replace(options, result_type=result_type)


def without_waiting(
    options: ResolvedOptions, func: Callable[..., Any], retry: Any, timeout: Any
) -> ResolvedOptions:
    """The options of a sync call in an ``async def`` handler, which holds the loop.

    Raises:
        DurableExecutionError: The call has to wait.
    """
    reason = ""
    if options.start_hold == "CHECKPOINT":
        reason = "waits at the gate for a checkpoint, which cannot be taken while it holds the task"
    elif options.start_hold == "LOG":
        reason = "waits for the write-ahead log"
    elif retry is not None or without_infinity(timeout) is not None:
        reason = "cannot wait between attempts, nor be given up"
    if reason:
        raise DurableExecutionError(
            f"{compute_function_id(func)} {reason}: in an `async def` handler call it with "
            "`await ctx.durable_execute_async(...)`"
        )
    if options.retry is None and options.timeout is None and options.outcome_hold is None:
        return options
    return replace(options, retry=None, timeout=None, outcome_hold=None)


def _check_in_doubt(in_doubt: Any) -> InDoubt:
    if in_doubt not in get_args(InDoubt):
        raise ValueError(f"in_doubt must be one of {get_args(InDoubt)}, not {in_doubt!r}")
    checked: InDoubt = in_doubt
    return checked


def _check_retry(retry: Any) -> RetryPolicy:
    if not isinstance(retry, RetryPolicy):
        raise TypeError(f"retry must be a RetryPolicy(...), not {type(retry).__name__}")
    return retry
