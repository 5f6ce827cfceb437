"""Reads what is in flight in a checkpoint or savepoint.

    from pyflink_durable.snapshot import read_snapshot

    with read_snapshot("/checkpoints/1f3c/chk-42") as snapshot:
        for invocation in snapshot.invocations():
            print(invocation.key, [slot.name for slot in invocation.slots if slot.in_doubt])

No job and no cluster are needed: a JVM reads the files with Flink's own classes, and hands over one
key at a time.
"""

from pyflink_durable.runtime.journal.slot_kind import SlotKind
from pyflink_durable.snapshot.content import (
    Invocation,
    KeptState,
    OperatorInfo,
    Payload,
    Slot,
    UnclaimedSlot,
)
from pyflink_durable.snapshot.plain import Opaque
from pyflink_durable.snapshot.reading import Snapshot, SnapshotError, read_snapshot

__all__ = [
    "Invocation",
    "KeptState",
    "Opaque",
    "OperatorInfo",
    "Payload",
    "Slot",
    "SlotKind",
    "Snapshot",
    "SnapshotError",
    "UnclaimedSlot",
    "read_snapshot",
]
