"""A journal that holds another call than the handler makes, or more: what may be dropped of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from pyflink_durable.errors import JournalMismatch
from pyflink_durable.options import OnMismatch
from pyflink_durable.runtime.journal.access import JournalAccess
from pyflink_durable.runtime.journal.bridge import (
    PENDING,
    CallFields,
    Identity,
    due_of,
    is_repeatable,
    kind_of,
)
from pyflink_durable.runtime.telemetry.telemetry import Telemetry


class Mismatch:
    """One place at which a handler and its journal part.

    Args:
        slot: The first slot in question.
        found: What stands in it.
        called: What the handler has called; None if it has ended.
        line: Where in its code; empty if that is not known.
    """

    def __init__(self, slot: int, found: CallFields, called: Identity | None, line: str) -> None:
        self._slot = slot
        self._found = found
        self._called = called
        self._line = line

    def settle(
        self,
        access: JournalAccess,
        policy: OnMismatch,
        who: str,
        telemetry: Telemetry,
        kept: Collection[int] = (),
    ) -> JournalMismatch | None:
        """Says why the task has to fail; None, with a warning, if the slots may be dropped.

        Args:
            access: The journal.
            policy: See `DurableOptions.on_mismatch`.
            who: Names the invocation.
            telemetry: Where to count and log.
            kept: Slots that are not dropped.
        """
        telemetry.count("mismatched")
        lost = tuple(self._losses(access, kept))
        expected = Identity.of(self._found)
        if policy == "fail" or (lost and policy == "protect"):
            status = str(self._found[2])
            called = None if self._called is None else self._called.told
            return JournalMismatch(self._slot, expected.told, called, status, who, self._line, lost)
        did = "has ended" if self._called is None else f"called={self._called}"
        telemetry.warning(
            f"{who} slot={self._slot} journaled={expected} {did} line={self._line or 'unknown'} "
            f"lost={list(lost)} the handler took another path than before the failure; this slot "
            "and all after it are dropped. A handler must be deterministic; see on_mismatch"
        )
        return None

    def _losses(self, access: JournalAccess, kept: Collection[int]) -> Iterator[str]:
        """What may have happened and is not to happen twice."""
        slot, found = self._slot, self._found
        while found is not None:
            reason = None if slot in kept else _reason_to_keep(found)
            if reason is not None:
                yield f"slot {slot}, {Identity.of(found).told[0]}: {reason}"
            if not access.concurrent:
                return  # the slots behind cannot be asked for
            slot += 1
            found = access.read(slot)  # type: ignore[assignment]


def _reason_to_keep(found: CallFields) -> str | None:
    if not kind_of(found).is_from_outside:
        return None
    if found[2] == PENDING:
        # one that is scheduled has not started
        return "in doubt" if due_of(found) is None else None
    return None if is_repeatable(found) else f"{found[2]}, and not to be made again"
