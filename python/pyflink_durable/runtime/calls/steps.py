"""What a life may need next."""

from __future__ import annotations

from typing import NamedTuple

from pyflink_durable.runtime.execution.execution import Execution
from pyflink_durable.runtime.journal.holds import Hold


class SleepUntil(NamedTuple):
    """Wait until a time in milliseconds since the epoch; send None."""

    due: int


class WaitForTurn(NamedTuple):
    """Wait for a place in the order in which calls are answered from the journal; send None."""

    completion: int


Step = Execution | SleepUntil | WaitForTurn | Hold
"""What a life needs next; for an `Execution`, run it somewhere and send its `FunctionOutcome`;
for a `Hold`, wait until it is released, and send its error."""
