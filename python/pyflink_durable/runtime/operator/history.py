"""Lines of JSON for those who ask later what happened.

The names are those that `pyflink_durable.inspection.records` has for what is still in flight.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from pyflink_durable.runtime.journal.bridge import (
    CallFields,
    Identity,
    attempt_of,
    began_at,
    ended_at,
)
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity

_PLAIN = (str, bool, int, type(None))


def history_line(
    identity: InvocationIdentity, calls: Iterable[CallFields], error: BaseException | None
) -> str:
    """One line of JSON about an invocation that has ended; without payloads.

    Args:
        identity: The invocation.
        calls: Its journal.
        error: What its handler raised, if it became a dead letter.
    """
    slots = list(calls)
    began = began_at(slots[0]) if slots else None
    key = identity.key
    return json.dumps(
        {
            "operator": identity.operator,
            "key": key if isinstance(key, _PLAIN) else repr(key),
            "id": identity.id,
            "condition": "ended" if error is None else "failed",
            "began": None if began is None else _iso(began / 1e6),
            "ended": _iso(time.time()),
            "error": None if error is None else type(error).__name__,
            "slots": [_slot(number, fields) for number, fields in enumerate(slots)],
        },
        ensure_ascii=False,
    )


def _slot(number: int, fields: CallFields) -> dict[str, Any]:
    _, digest, status, result, exception = fields[:5]
    identity = Identity.of(fields)
    return {
        "slot": number,
        "kind": identity.kind.shown,
        "name": identity.told[0],
        "status": status,
        "attempt": attempt_of(fields),
        "digest": digest,
        "endedMicros": ended_at(fields),
        "resultBytes": None if result is None else len(result),
        "exceptionBytes": None if exception is None else len(exception),
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=timezone.utc).isoformat()
