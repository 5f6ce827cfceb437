"""What is to be done for a call, given what stands in its slot."""

from __future__ import annotations

from enum import Enum

from pyflink_durable.runtime.bridge import PENDING, CallFields, Identity


class Plan(Enum):
    """The rows of the planning table."""

    EXECUTE = "execute"
    """No slot: announce the call, run it, write its outcome."""

    REPLAY = "replay"
    """A terminal slot: answer from it. Neither the call nor the reconciler runs."""

    RECONCILE = "reconcile"
    """A pending slot: the reconciler runs in place of the call and its outcome is journaled."""

    REEXECUTE = "reexecute"
    """A pending slot and no reconciler: the call runs again."""

    MISMATCH = "mismatch"
    """A slot of another call: the handler took another path than before the failure."""


def plan_call(found: CallFields | None, identity: Identity, has_reconciler: bool) -> Plan:
    """Chooses the row of the planning table.

    Args:
        found: The call in the slot, None if there is none.
        identity: The call that the handler makes.
        has_reconciler: Whether somebody can be asked about a call in doubt.
    """
    if found is None:
        return Plan.EXECUTE
    if (found[0], found[1]) != identity:
        return Plan.MISMATCH
    if found[2] != PENDING:
        return Plan.REPLAY
    return Plan.RECONCILE if has_reconciler else Plan.REEXECUTE
