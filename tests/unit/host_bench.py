"""The host of handlers, as Java calls it, over a bridge in Python."""

from __future__ import annotations

import pickle
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import repeat
from struct import pack
from typing import Any

from bridges import OneInvocation, Slot, SlotsInMemory
from loops import PATIENCE

from pyflink_durable import DurableOptions
from pyflink_durable.handler import Handler
from pyflink_durable.runtime.operator.function import DurableFunction
from pyflink_durable.runtime.operator.handler_host import NO_TIMESTAMP, HandlerHost
from pyflink_durable.testing.memory_journal import writes_of

A_DAY = 86_400_000  # no clock decides a test


class Bridge:
    """What the host asks of Java, for invocations that have journals of their own."""

    def __init__(self) -> None:
        self.journals: dict[int, SlotsInMemory] = {}
        self.counters: Counter[str] = Counter()
        self.identified: list[tuple[Any, ...]] = []
        self.logged: list[Slot] = []
        self.lines: list[str] = []
        self.woken = threading.Event()

    def wake(self) -> None:
        self.woken.set()

    def wakeAt(self, millis: int) -> None: ...

    def log(self, level: str, message: str) -> None:
        self.lines.append(message)

    def count(self, name: str, count: int) -> None:
        self.counters[name] += count

    def describeTask(self) -> tuple[Any, ...]:
        return ("job", "orders", "orders (1/1)#0", 0, 1, 128, 0)

    def record(self, name: str, value: int) -> None: ...

    def getKey(self, invocation: int) -> Any:
        return pickle.dumps(f"key-{invocation}")

    def getCalls(self, invocation: int) -> list[Any]:
        return [list(slot) for slot in self.journals[invocation].slots]

    def getCallResultFieldsAt(self, invocation: int, slot: int) -> Any:
        return self.journals[invocation].getCallResultFieldsAt(slot)

    def applyJournalWrites(self, executed: int, writes: Any) -> None:
        for write in writes_of(writes):
            OneInvocation(self.journals[write[0]]).apply(*write)

    def identify(self, invocation: int, invocation_id: str, digest: str) -> int:
        self.identified.append((invocation, invocation_id, digest))
        self.journals[invocation].slots.extend(self.logged)
        return len(self.journals[invocation].slots)


class Operation:
    """PyFlink's operation, as far as it goes between the host and the function."""

    _chained_operations = ()

    def __init__(self, function: DurableFunction) -> None:
        self._function = function
        self._main_operation = self

    def process_element(self, row: Any) -> Iterator[Any]:
        yield from self._function.process_element(row[1], self)  # type: ignore[arg-type]

    def on_timer(self, timestamp: int) -> Iterator[Any]:
        return self._function.on_timer(timestamp, self)  # type: ignore[arg-type]

    def close(self) -> None:
        self._function.close()


def read(report: tuple[Any, ...]) -> tuple[Any, ...]:
    """A report, with the outputs as the handlers gave them."""
    *parts, outputs = report
    values: list[Any] = []
    for written in outputs:
        plain, numbers = pickle.loads(written)
        for value, number in zip(plain, numbers or repeat(None), strict=False):
            is_pickled = number in (None, 0)
            values.append(pickle.loads(value) if is_pickled else (number, value))
    return *parts, tuple(values)


PICKLED = "PICKLED_BYTE_ARRAY"
DESCRIBED = pickle.dumps((PICKLED, ["durable-dead-letter", "audit"], [PICKLED, "INT"]))


class Task:
    """A task with one host; Java reads its outputs."""

    def __init__(
        self,
        handler: Handler,
        options: DurableOptions,
        previous: Mapping[str | None, Handler] | None = None,
    ) -> None:
        self.bridge = Bridge()
        self.host = HandlerHost(self.bridge, None, DESCRIBED)
        function = DurableFunction(
            handler, options, "orders", "orders-1", can_gate=True, previous=previous
        )
        function.open(None)
        self.host.bind(Operation(function))

    def start(
        self, value: Any, invocation: int = 1, *slots: Slot, others: tuple[Any, ...] | None = None
    ) -> tuple[Any, ...]:
        self.bridge.journals[invocation] = SlotsInMemory(slots)
        numbers = pack(">4q", invocation, NO_TIMESTAMP, len(slots), 5)
        return read(self.host.start([pickle.dumps([value])], numbers, A_DAY, others))

    def start_together(self, *values: Any, millis: int = A_DAY) -> tuple[Any, ...]:
        numbers = b""
        for invocation in range(len(values)):
            self.bridge.journals[invocation] = SlotsInMemory(())
            numbers += pack(">4q", invocation, 1_000 + invocation, 0, 5)
        return read(self.host.start([pickle.dumps(list(values))], numbers, millis))

    def resume_until_it_reports(self) -> tuple[Any, ...]:
        """Goes on after each wake, until something has happened in a step."""
        deadline = time.monotonic() + PATIENCE
        while True:
            assert self.bridge.woken.wait(deadline - time.monotonic())
            self.bridge.woken.clear()
            report = self.host.resume(None)
            if report is not None:
                return read(report)
