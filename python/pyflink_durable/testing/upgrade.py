"""Holds a handler against what is in flight in a checkpoint or savepoint, before it is deployed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pyflink_durable.errors import ConfigurationError, JournalMismatch
from pyflink_durable.handler import Handler, check_versions
from pyflink_durable.options import DurableOptions
from pyflink_durable.snapshot import Invocation, OperatorInfo, read_snapshot
from pyflink_durable.snapshot import Slot as ReadSlot
from pyflink_durable.testing.memory_journal import Slot
from pyflink_durable.testing.replay import replay
from pyflink_durable.testing.saved_journal import SavedJournal
from pyflink_durable.testing.sealed_inputs import input_of
from pyflink_durable.wording.one_line import one_line


@dataclass(frozen=True)
class UpgradeMismatch:
    """An invocation in flight that the handler does not go on with.

    Attributes:
        key: Its key, as `repr` shows it.
        sequence: The number of its input among those of the key.
        slot: The slot in question; None if the handler raises something else.
        then: What the journal holds.
        now: What the handler does.
        line: Where in its code.
    """

    key: str
    sequence: int
    slot: int | None
    then: str
    now: str
    line: str


@dataclass
class UpgradeCheck:
    """What a check has found.

    Attributes:
        operator: The operator, as far as it is known.
        replayed: How many journals the handler was run over.
        in_line: How many inputs wait behind others of their key, and have no journal yet.
        unreadable: How many inputs or keys are of a type that Python cannot read from outside.
        mismatches: The invocations that it does not go on with.
        unknown_versions: How many inputs were accepted by versions that are not named; a job would
            refuse to start on them.
    """

    operator: str
    replayed: int = 0
    in_line: int = 0
    unreadable: int = 0
    mismatches: list[UpgradeMismatch] = field(default_factory=list)
    unknown_versions: Counter[str | None] = field(default_factory=Counter)

    @property
    def passed(self) -> bool:
        """Whether a job may be restored with the handler, as far as can be read from outside."""
        return not (self.mismatches or self.unknown_versions or self.unreadable)


def check_upgrade(
    path: str | Path,
    handler: Handler,
    *,
    uid: str | None = None,
    options: DurableOptions | None = None,
    version: str | None = None,
    previous: Mapping[str | None, Handler] | None = None,
) -> UpgradeCheck:
    """Runs a handler over all journals in flight, without making a call.

    Args:
        path: A checkpoint or savepoint, see `pyflink_durable.snapshot.read_snapshot`.
        handler: The handler that is to be deployed.
        uid: The operator's uid; needed where the snapshot has several.
        options: Those of the operator: its serializer, its codecs.
        version: That of the handler, as `durable_process` takes it; so is what follows.
        previous: The handlers of earlier versions, which are held against what these have accepted.

    Raises:
        ConfigurationError: The snapshot has several durable operators, or none.
        SnapshotError: It cannot be read.
    """
    versions = check_versions(handler, version, previous)
    handlers = {**versions.previous, version: handler}
    with read_snapshot(path, uid=uid, payloads=True) as snapshot:
        operator = _only(snapshot.operators)
        found = UpgradeCheck(operator.shown)
        for invocation in snapshot.invocations():
            if invocation.version in handlers:
                _check(invocation, handlers[invocation.version], options, found)
            else:
                found.unknown_versions[invocation.version] += 1
    return found


def _only(operators: list[OperatorInfo]) -> OperatorInfo:
    if len(operators) == 1:
        return operators[0]
    shown = ", ".join(operator.shown for operator in operators) or "none"
    raise ConfigurationError(
        f"the snapshot has {len(operators)} durable operators ({shown}), and a handler belongs to "
        "one: name its uid with --uid"
    )


def _check(
    invocation: Invocation, handler: Handler, options: DurableOptions | None, found: UpgradeCheck
) -> None:
    if not invocation.slots:
        found.in_line += 1
        return
    try:
        value = input_of(invocation, handler, options)
        if invocation.key_data is None or value is None:
            found.unreadable += 1
            return
        found.replayed += 1
        replay(handler, journal_of(invocation, invocation.key_data, value), options)
    except JournalMismatch as error:
        now = "has ended" if error.found is None else one_line(error.found[0])
        if error.found is not None and error.found[0] == error.expected[0]:
            now += " with other arguments"
        then = one_line(error.expected[0])
        found.mismatches.append(_mismatch(invocation, error.slot, then, now, error.line))
    except Exception as error:
        now = f"raises {type(error).__name__}: {error}"
        found.mismatches.append(_mismatch(invocation, None, "", now, ""))


def _mismatch(
    invocation: Invocation, slot: int | None, then: str, now: str, line: str
) -> UpgradeMismatch:
    return UpgradeMismatch(repr(invocation.key), invocation.sequence, slot, then, now, line)


def journal_of(invocation: Invocation, key: bytes, value: bytes) -> SavedJournal:
    """The journal of an invocation in flight, to be replayed."""
    return SavedJournal(
        payload=value,
        key=key,
        sequence=invocation.sequence,
        timestamp=invocation.timestamp,
        slots=tuple(_slots_of(invocation)),
        ended=False,
        state={
            name: payload.data
            for name, payload in invocation.state.items()
            if payload.data is not None
        },
        uid=invocation.operator.uid or "",
    )


def _slots_of(invocation: Invocation) -> Iterator[Slot]:
    for place, slot in enumerate(invocation.slots):
        yield Slot(
            slot.function_id,
            slot.args_digest,
            slot.status,
            _data(slot, "result"),
            _data(slot, "exception"),
            -1 if slot.completion is None else slot.completion,
            slot.attempt,
            slot.due,
            slot.ended,
            invocation.began if place == 0 else None,
            int(slot.repeatable),
            slot.kind,
        )


def _data(slot: ReadSlot, name: str) -> bytes | None:
    payload = slot.result if name == "result" else slot.exception
    return None if payload is None else payload.data
