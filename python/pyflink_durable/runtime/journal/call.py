"""A durable call as the handler makes it, and with its slot and what is planned for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyflink_durable.batch import CallPool
from pyflink_durable.call_options import Reconciler
from pyflink_durable.checks.arguments import check_durable_id
from pyflink_durable.identity.digest import compute_args_digest, compute_function_id
from pyflink_durable.identity.versions import older_rule_of
from pyflink_durable.observer import ObservedTool
from pyflink_durable.options import Durability
from pyflink_durable.payload.copies import copy_of_call
from pyflink_durable.runtime.journal.bridge import (
    CallFields,
    HoldKind,
    Identity,
    attempt_of,
    completion_of,
    due_of,
    kind_of,
)
from pyflink_durable.runtime.journal.call_options import ResolvedOptions
from pyflink_durable.runtime.journal.call_site import CallSite, call_site
from pyflink_durable.runtime.journal.planning import Plan
from pyflink_durable.runtime.journal.slot_kind import SlotKind

_LEVELS: dict[HoldKind | None, Durability] = {
    None: "checkpoint",
    "CHECKPOINT": "gated",
    "LOG": "write-ahead",
}

BY_ID_ALONE = "durable_id"
"""In place of a digest of arguments that are not part of the identity."""

_NO_KWARGS: dict[str, Any] = {}


@dataclass(slots=True, eq=False)
class Call:
    """A call as the handler makes it.

    Attributes:
        site: Where in its code.
    """

    identity: Identity
    func: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    reconciler: Reconciler | None
    durable_id: str | None
    options: ResolvedOptions
    pool: CallPool = "calls"
    site: CallSite | None = None

    @property
    def name(self) -> str:
        """How its function is told."""
        return self.identity.function_id

    @property
    def given_up(self) -> bool:
        """What gives up a call that has not begun takes it from the unmade ones."""
        return False

    def drop(self) -> None:
        """Nothing holds on to a call."""

    @classmethod
    def of(
        cls,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        reconciler: Reconciler | None,
        durable_id: str | None,
        options: ResolvedOptions,
        pool: CallPool = "calls",
    ) -> Call:
        """Gives a call its identity, and takes its arguments as they are now."""
        # of a call that waits for minutes nothing is kept that is not needed
        kwargs = kwargs or _NO_KWARGS
        if durable_id is None:
            identity = Identity(compute_function_id(func), compute_args_digest(args, kwargs))
        elif options.by_id_alone:
            identity = Identity(check_durable_id(durable_id), BY_ID_ALONE)
        else:
            identity = Identity(check_durable_id(durable_id), compute_args_digest(args, kwargs))
        func, args, kwargs = copy_of_call(func, args, kwargs)
        site = call_site()
        return cls(identity, func, args, kwargs, reconciler, durable_id, options, pool, site)

    def stands_in(self, found: CallFields) -> bool:
        """Whether a slot holds this call; it goes by the identity that it has there, from then on.

        What an older release has written is compared by that release's rule. Arguments that either
        side leaves out are not compared.
        """
        if kind_of(found) is not SlotKind.CALL:
            return False
        identity = Identity(found[0], found[1])
        if identity == self.identity:
            return True
        if BY_ID_ALONE in (identity.args_digest, self.identity.args_digest):
            if identity.function_id != self.durable_id:
                return False
            self.identity = identity
            return True
        rule = older_rule_of(identity.args_digest)
        if rule is None or (self.durable_id or rule.function_id(self.func)) != identity.function_id:
            return False
        if rule.args_digest(self.args, self.kwargs) != identity.args_digest:
            return False
        self.identity = identity
        return True


class CallProgress:
    """How far a call has come, for those who want to know more than its outcome.

    Attributes:
        attempt: The number of the last start that was journaled; 0 if none was.
        reconciled: Whether its reconciler told the outcome.
    """

    __slots__ = ("attempt", "reconciled")

    def __init__(self) -> None:
        self.attempt = 0
        self.reconciled = False


@dataclass(slots=True, eq=False)
class PlannedCall:
    """A call with its slot and what is to be done for it.

    Attributes:
        found: What stood in the slot, None if nothing did.
        occurrence: How many calls with its durable_id the invocation has made, this one included.
        progress: Where to tell how far it has come; None if nobody asks.
        ended_at: When its outcome came, in microseconds since the epoch; None before.
    """

    call: Call
    slot: int
    plan: Plan
    found: CallFields | None
    occurrence: int = 1
    progress: CallProgress | None = None
    ended_at: int | None = None

    @property
    def name(self) -> str:
        """How its function is told, to observers."""
        return self.call.identity.function_id

    @property
    def durable_id(self) -> str | None:
        """The identity that the handler gave it."""
        return self.call.durable_id

    @property
    def level(self) -> Durability:
        """What its start waits for, as the levels are called."""
        return _LEVELS[self.call.options.start_hold]

    @property
    def tool(self) -> ObservedTool | None:
        """What `pyflink_durable.tools` has the call of a tool say of it."""
        # not by getattr: an object of the user's may answer to any name
        fields: dict[str, Any] = getattr(self.call.func, "__dict__", {})
        tool: ObservedTool | None = fields.get("observed_tool")
        return tool

    @property
    def attempt(self) -> int:
        """The number of the attempt in the slot."""
        return 1 if self.found is None else attempt_of(self.found)

    @property
    def completion(self) -> int:
        """The place of a replayed call in the order of completion."""
        assert self.found is not None
        return completion_of(self.found)

    @property
    def due(self) -> int:
        """When a call that has not started is to start, in milliseconds since the epoch."""
        due = None if self.found is None else due_of(self.found)
        assert due is not None
        return due
