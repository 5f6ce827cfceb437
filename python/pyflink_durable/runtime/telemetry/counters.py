"""The first of all observers: counts what happens to calls."""

from __future__ import annotations

from pyflink_durable.observer import ObservedCall, ObservedInvocation, Observer
from pyflink_durable.runtime.telemetry.telemetry import Telemetry


class CallCounters(Observer):
    """Counts in the metrics of the operator; their names are told in docs/operations.md.

    Args:
        telemetry: Where to count.
    """

    def __init__(self, telemetry: Telemetry) -> None:
        self._count = telemetry.count

    def call_replayed(self, invocation: ObservedInvocation, call: ObservedCall) -> None:
        self._count("replayed")

    def attempt_timed_out(
        self, invocation: ObservedInvocation, call: ObservedCall, attempt: int
    ) -> None:
        self._count("timedOut")

    def call_retried(
        self, invocation: ObservedInvocation, call: ObservedCall, attempt: int, due: int
    ) -> None:
        self._count("retried")

    def call_reconciled(
        self,
        invocation: ObservedInvocation,
        call: ObservedCall,
        attempt: int,
        error: BaseException | None,
    ) -> None:
        self._count("reconciled")

    def call_reexecuted(
        self, invocation: ObservedInvocation, call: ObservedCall, attempt: int
    ) -> None:
        self._count("reexecuted")

    def call_unknown(
        self, invocation: ObservedInvocation, call: ObservedCall, attempt: int, reason: str
    ) -> None:
        self._count("unknown")
