"""What is to be done for a call, given what stands in its slot."""

from __future__ import annotations

from enum import Enum

from pyflink_durable.options import InDoubt
from pyflink_durable.runtime.journal.bridge import PENDING, CallFields, due_of


class Plan(Enum):
    """The rows of the planning table."""

    EXECUTE = "execute"
    """No slot: announce the call, run it, write its outcome."""

    REPLAY = "replay"
    """A terminal slot: answer from it. Neither the call nor the reconciler runs."""

    RESUME = "resume"
    """A pending slot whose attempt has not started: it starts when its time has come."""

    RECONCILE = "reconcile"
    """A slot in doubt: the reconciler runs in place of the call and its outcome is journaled."""

    REEXECUTE = "reexecute"
    """A slot in doubt and no reconciler: the call runs again."""

    REFUSE = "refuse"
    """A slot in doubt, no reconciler, and it must not run again: the handler has to decide."""


def plan_call(
    found: CallFields | None, has_reconciler: bool, in_doubt: InDoubt = "execute"
) -> Plan:
    """Chooses the row of the planning table.

    Args:
        found: What stands of this call in its slot, None if nothing does. A slot of another call
            has been dropped before.
        has_reconciler: Whether somebody can be asked about a call in doubt.
        in_doubt: What becomes of a call in doubt otherwise.
    """
    if found is None:
        return Plan.EXECUTE
    if found[2] != PENDING:
        return Plan.REPLAY
    if due_of(found) is not None:
        return Plan.RESUME
    if has_reconciler:
        return Plan.RECONCILE
    return Plan.REEXECUTE if in_doubt == "execute" else Plan.REFUSE
