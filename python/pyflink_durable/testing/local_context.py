"""A context for one line in a script or a test: no journal, no Flink."""

from __future__ import annotations

import asyncio
from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
    MutableMapping,
)
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import datetime, timezone
from hashlib import blake2b
from logging import Logger, LoggerAdapter, getLogger
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from pyflink_durable.batch import DurableCall, Outcomes
from pyflink_durable.call_options import NAMES, GivenOptions
from pyflink_durable.callback_token import make_token
from pyflink_durable.checks.arguments import check_reconciler, check_seconds
from pyflink_durable.checks.keywords import check_keywords
from pyflink_durable.context import RunnerContext
from pyflink_durable.current_call import CurrentCall
from pyflink_durable.errors import SignalTimedOut
from pyflink_durable.signals import Signal, check_signal_name
from pyflink_durable.testing.plain_batch import gather, run_all, run_each
from pyflink_durable.testing.plain_call import PlainCall
from pyflink_durable.tickets import Ticket

if TYPE_CHECKING:
    from pyflink.datastream import OutputTag

T = TypeVar("T")

logger = getLogger("pyflink_durable.testing")

_OF_CRASHES = ("reconciler", "in_doubt", "durability")
"""Options that say what a crash can do to a call."""


class LocalRunnerContext(RunnerContext):
    """Runs each call plainly, with no journal: for one line in a script, or in a test.

    ``asyncio.run(handler(value, LocalRunnerContext(key="k")))``. Retry policies are honoured, with
    real pauses. Coroutine functions are given up at their timeout, as in a job that knows nobody to
    ask: with `OutcomeUnknown`; ordinary functions run here, and nothing interrupts them. Ignored,
    as there is no crash: reconcilers (they are checked), `in_doubt` and levels; the first call that
    has one says so in a log line. The fixture `durable` of `pyflink_durable.testing` knows all.

    Args:
        key: What `key` answers.
        timestamp: What `timestamp` answers.
        state: The initial state of the key.
        signals: Those that have come. A wait for another one is over at once: it has timed out.

    Attributes:
        collected: The values given to `collect`, in order.
        outputs: The pairs given to `output`, in order.
    """

    def __init__(
        self,
        key: Any = None,
        timestamp: int | None = None,
        state: MutableMapping[str, Any] | None = None,
        signals: Iterable[Signal] = (),
    ) -> None:
        self._key = key
        self._signals = list(signals)
        self._timestamp = timestamp
        self._state: MutableMapping[str, Any] = {} if state is None else state
        self._random = Random()
        self._calls = 0
        self._has_told = False
        self.collected: list[Any] = []
        self.outputs: list[tuple[OutputTag, Any]] = []

    @property
    def key(self) -> Any:
        return self._key

    @property
    def timestamp(self) -> int | None:
        return self._timestamp

    @property
    def state(self) -> MutableMapping[str, Any]:
        return self._state

    def _execute(
        self,
        func: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        given: GivenOptions,
        by_options: bool,
    ) -> T:
        reconciler, durable_id, _, _, retry, *_ = given
        check_reconciler(reconciler)
        check_keywords(func, kwargs)
        self._tell_ignored(given)
        call = PlainCall(func, args, kwargs, self._next_call(durable_id), retry=retry)
        result: T = call.run()
        return result

    def _execute_async(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        given: GivenOptions,
        by_options: bool,
    ) -> Awaitable[Any]:
        reconciler, durable_id, _, _, retry, timeout, *_ = given
        check_reconciler(reconciler)
        check_keywords(func, kwargs)
        check_seconds("timeout", timeout)
        self._tell_ignored(given)
        call = PlainCall(func, args, kwargs, self._next_call(durable_id), timeout, retry)
        return call.run_async()

    def _tell_ignored(self, given: GivenOptions) -> None:
        options = dict(zip(NAMES, given, strict=True))
        ignored = [f"{name}=" for name in _OF_CRASHES if options[name] is not None]
        if ignored and not self._has_told:
            self._has_told = True
            logger.warning(
                "LocalRunnerContext has no journal and no crash, and ignores %s: the fixture "
                "`durable` of pyflink_durable.testing, and @crash_points, try what they do",
                ", ".join(ignored),
            )

    def durable_execute_all_async(
        self,
        calls: Iterable[DurableCall],
        max_parallelism: int | None = None,
        timeout: float | None = None,
    ) -> Awaitable[Outcomes]:
        return run_all(calls, self._next_call, max_parallelism, timeout)

    def durable_execute_all(
        self,
        calls: Iterable[DurableCall],
        max_parallelism: int | None = None,
        timeout: float | None = None,
    ) -> Outcomes:
        return run_each(calls, self._next_call, timeout)

    def gather(self, *awaitables: Awaitable[Any]) -> Awaitable[Outcomes]:
        return gather(awaitables)

    def sleep(self, seconds: float) -> Awaitable[None]:
        return asyncio.sleep(seconds)

    async def wait_for_signal(self, name: str, timeout: float | None = None) -> Any:
        for signal in self.pending_signals(name):
            self._signals.remove(signal)
            if signal.raises is not None:
                raise signal.raises
            return signal.value
        raise SignalTimedOut(name, timeout)

    def pending_signals(self, name: str) -> list[Signal]:
        check_signal_name(name)
        return [signal for signal in self._signals if signal.name == name]

    def callback(self, name: str, timeout: float | None = None) -> Ticket:
        check_signal_name(name)
        self._calls += 1
        token = make_token(b"local", "", str(self._key), 0, self._calls)
        return _LocalTicket(name, token, self.wait_for_signal(name, timeout))

    def stay_awake(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    def patched(self, patch: str) -> bool:
        return True

    def deprecate_patch(self, patch: str) -> None:
        """Nothing is in flight here."""

    def now(self) -> datetime:
        return datetime.now(timezone.utc)

    def uuid4(self) -> UUID:
        return UUID(int=self._random.getrandbits(128), version=4)

    @property
    def random(self) -> Random:
        return self._random

    @property
    def is_replaying(self) -> bool:
        return False

    @property
    def logger(self) -> LoggerAdapter[Logger]:
        fields = {"key": self._key, "invocation": 0, "operator": ""}
        return LoggerAdapter(getLogger("pyflink_durable.handler"), fields)

    def collect(self, value: Any) -> None:
        self.collected.append(value)

    def output(self, tag: OutputTag, value: Any) -> None:
        self.outputs.append((tag, value))

    def _next_call(self, durable_id: str | None) -> CurrentCall:
        slot = self._calls
        self._calls += 1
        return CurrentCall(1, slot, durable_id, slot, _LocalInvocation(self._key))


class _LocalTicket(Ticket):
    """Gets the first signal of its own name."""

    def __init__(self, name: str, token: str, answer: Coroutine[Any, Any, Any]) -> None:
        self.name = name
        self.token = token
        self._answer = answer

    def __await__(self) -> Generator[Any, None, Any]:
        return self._answer.__await__()


class _LocalInvocation:
    """Makes keys for the calls of a local context: another for every call of a key."""

    def __init__(self, key: Any) -> None:
        self._key = key

    def idempotency_key(self, slot: int, durable_id: str | None, occurrence: int) -> str:
        text = f"{self._key!r} {slot} {durable_id}"
        return blake2b(text.encode(), digest_size=16).hexdigest()
