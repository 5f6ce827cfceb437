"""The options of a durable call, as one value that many calls can share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, get_args

from pyflink_durable.checks.arguments import check_durable_id, check_reconciler, check_seconds
from pyflink_durable.checks.keywords import has_parameter
from pyflink_durable.options import CallIdentity, Durability, InDoubt
from pyflink_durable.retry import RetryPolicy

Reconciler = Callable[[], Any]

GivenOptions = tuple[
    Reconciler | None,
    str | None,
    Durability | None,
    InDoubt | None,
    RetryPolicy | None,
    float | None,
    Any,
    CallIdentity | None,
]
"""The fields of `CallOptions`, in their order. A plain tuple: each call has one, and a frozen
object takes three microseconds to make."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """How a call is made; frozen, checked when it is made, for as many calls as you like.

    ``ctx.durable_execute_async(charge, order, options=CHARGE)``. What is left out is as the
    operator says. A keyword that is given beside it goes before it, for this call.

    Attributes:
        reconciler: A function without arguments that finds out how a call in doubt has ended.
        durable_id: An identity to use in place of the function's name.
        durability: A level at least as strong as the operator's.
        in_doubt: Whether a call in doubt that has no reconciler runs again or raises.
        retry: How a failure is tried again.
        timeout: Seconds that an attempt may take.
        result_type: The type of the result; by default what the function declares.
        identity: Whether the arguments of a call with a ``durable_id`` count, as in
            `DurableOptions`. It is no keyword of a call: functions have parameters of this name.
    """

    reconciler: Reconciler | None = None
    durable_id: str | None = None
    durability: Durability | None = None
    in_doubt: InDoubt | None = None
    retry: RetryPolicy | None = None
    timeout: float | None = None
    result_type: Any = None
    identity: CallIdentity | None = None

    def __post_init__(self) -> None:
        check_reconciler(self.reconciler)
        if self.durable_id is not None:
            check_durable_id(self.durable_id)
        check_choice("durability", self.durability, (None, *get_args(Durability)))
        check_choice("in_doubt", self.in_doubt, (None, *get_args(InDoubt)))
        check_choice("identity", self.identity, (None, *get_args(CallIdentity)))
        if self.retry is not None and not isinstance(self.retry, RetryPolicy):
            raise TypeError(f"retry must be a RetryPolicy(...), not {type(self.retry).__name__}")
        check_seconds("timeout", self.timeout)

    def beside(
        self, given: GivenOptions, func: Callable[..., Any], kwargs: dict[str, Any]
    ) -> GivenOptions:
        """These options, with the keywords that a call has beside them.

        A keyword that the function has a parameter of is the function's: the call's own are here.

        Args:
            given: The keywords of the call that have the names of options.
            func: The function of the call.
            kwargs: Its keyword arguments; those that are the function's are added.
        """
        taken: list[Any] = []
        for name, beside in zip(NAMES, given, strict=True):
            own = getattr(self, name)
            if beside is not None and has_parameter(func, name):
                kwargs[name], beside = beside, None
            taken.append(own if beside is None else beside)
        return tuple(taken)


NAMES = tuple(field.name for field in fields(CallOptions))


def check_choice(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    """Checks a setting that has a few values.

    Raises:
        ValueError: It is none of them.
    """
    if value not in choices:
        known = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name} must be one of {known}, not {value!r}")
