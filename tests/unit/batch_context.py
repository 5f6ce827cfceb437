"""A context that runs batches, keeps what ended, and answers from it when it is asked again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from pyflink_durable import LocalRunnerContext
from pyflink_durable.batch import CallStatus, DurableCall, Outcomes
from pyflink_durable.identity.digest import compute_args_digest, compute_function_id
from pyflink_durable.payload.results import dump_result, load_result
from pyflink_durable.testing.plain_batch import run_all, run_each
from pyflink_durable.tool_options import ToolCallOptions


class Telemetry:
    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self.recorded: list[tuple[str, int]] = []
        self.lines: list[str] = []

    def count(self, name: str, count: int = 1) -> None:
        self.counters[name] += count

    def record(self, name: str, value: int) -> None:
        self.recorded.append((name, value))

    def info(self, message: str) -> None:
        self.lines.append(message)


class BatchContext(LocalRunnerContext):
    """Runs batches over a journal in memory.

    Args:
        tool_call_options: Of the operator.
        **local: As for `LocalRunnerContext`.

    Attributes:
        batches: What each batch was given: its kind, its calls, its limits.
        journal: What ended, by identity; give it to another context to run a handler again.
        in_doubt: Durable ids of calls that a crash has left in doubt.
    """

    def __init__(self, tool_call_options: ToolCallOptions | None = None, **local: Any) -> None:
        super().__init__(**local)
        self.tool_call_options = tool_call_options
        self.telemetry = Telemetry()
        self.batches: list[tuple[str, list[DurableCall], dict[str, Any]]] = []
        self.journal: dict[tuple[str, str], bytes] = {}
        self.in_doubt: set[str] = set()

    async def durable_execute_all_async(
        self,
        calls: Iterable[DurableCall],
        max_parallelism: int | None = None,
        timeout: float | None = None,
    ) -> Outcomes:
        batch = list(calls)
        limits = {"max_parallelism": max_parallelism, "timeout": timeout}
        self.batches.append(("async", batch, limits))
        ran = await run_all(self._to_run(batch), self._next_call, max_parallelism, timeout)
        return self._with_replays(batch, ran)

    def durable_execute_all(
        self,
        calls: Iterable[DurableCall],
        max_parallelism: int | None = None,
        timeout: float | None = None,
    ) -> Outcomes:
        batch = list(calls)
        limits = {"max_parallelism": max_parallelism, "timeout": timeout}
        self.batches.append(("sync", batch, limits))
        ran = run_each(self._to_run(batch), self._next_call, timeout)
        return self._with_replays(batch, ran)

    def _to_run(self, batch: list[DurableCall]) -> list[DurableCall]:
        missing = [call for call in batch if identity_of(call) not in self.journal]
        return [
            replace(call, func=call.reconciler, args=()) if self._asks(call) else call
            for call in missing
        ]

    def _asks(self, call: DurableCall) -> bool:
        return call.durable_id in self.in_doubt and call.reconciler is not None

    def _with_replays(self, batch: list[DurableCall], ran: Outcomes) -> Outcomes:
        outcomes, fresh = Outcomes(), iter(ran)
        for call in batch:
            identity = identity_of(call)
            if identity in self.journal:
                found: Any = load_result(self.journal[identity])
                outcomes.append(replace(found, replayed=True, duration=0.0))
                continue
            outcome = replace(next(fresh), reconciled=self._asks(call))
            if outcome.status in (CallStatus.SUCCEEDED, CallStatus.FAILED):
                self.journal[identity] = dump_result(outcome)
            outcomes.append(outcome)
        return outcomes


def identity_of(call: DurableCall) -> tuple[str, str]:
    function_id = call.durable_id or compute_function_id(call.func)
    return function_id, compute_args_digest(call.args, call.keywords)
