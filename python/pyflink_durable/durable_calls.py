"""How a handler makes durable calls: one, or many together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar, overload

from pyflink_durable.batch import DurableCall, Outcomes
from pyflink_durable.call_options import CallOptions, GivenOptions, Reconciler
from pyflink_durable.checks.keywords import has_parameter, takes_any_keyword
from pyflink_durable.options import Durability, InDoubt
from pyflink_durable.retry import RetryPolicy

T = TypeVar("T")


class DurableCalls(ABC):
    """The durable calls of a `RunnerContext`.

    The options of a call are written out in each signature, see the design record on keywords of a
    call: a type that stood for them would refuse the keyword arguments of the function.
    """

    def durable_execute(
        self,
        func: Callable[..., T],
        /,
        *args: Any,
        options: CallOptions | None = None,
        reconciler: Reconciler | None = None,
        durable_id: str | None = None,
        durability: Durability | None = None,
        in_doubt: InDoubt | None = None,
        retry: RetryPolicy | None = None,
        timeout: float | None = None,
        result_type: Any = None,
        **kwargs: Any,
    ) -> T:
        """Runs an ordinary function here and now, once over all failures of the job.

        In an ``async def`` handler it holds the whole subtask until it returns; anything that
        waits for the network belongs into `durable_execute_async`, or into a ``def`` handler. It
        is made once there, whatever the operator's retry policy and timeout, and is refused if it
        would have to wait at the gate or for the log.

        Args:
            func: The function to run. Its result, or the exception it raises, is journaled.
            *args: Its arguments; together with the function they are the call's identity.
            options: What of the following is not given beside it. With it, a keyword that the
                function has a parameter of goes to the function.
            reconciler: A function without arguments that finds out how this call ended. It is
                asked only when a failure left the call in doubt; what it returns or raises is
                the outcome of the call, unless it returns `NOT_EXECUTED`.
            durable_id: An identity to use in place of the function's name, and of the slot in the
                idempotency key.
            durability: A level at least as strong as the operator's.
            in_doubt: Whether a call in doubt that has no reconciler runs again or raises.
            retry: How a failure is tried again. ``RetryPolicy(max_attempts=1)``: it is not.
            timeout: Seconds that an attempt may take, ``math.inf`` for no end. Then a coroutine is
                cancelled, a thread abandoned, and the call is in doubt: its reconciler is asked;
                without one it is tried again, as far as `retry` and `in_doubt` allow, or raises
                `OutcomeUnknown`. A policy with a `retry_on` of its own has to admit `CallTimedOut`.
            result_type: The type of the result, for a serializer that wants to know it; by default
                what the function declares.
            **kwargs: Keyword arguments of the function. One that it has of the same name as an
                option above needs `options`, or is bound to it by `functools.partial`.

        Returns:
            What `func` returned, now or before a failure.

        Raises:
            Exception: Whatever `func` raised, now or before a failure.
            TypeError: `reconciler` is not a callable without arguments, `func` is asynchronous, or
                a keyword is a misspelt option.
            OutcomeUnknown: The call may or may not have happened, and there is nobody to ask.
            CallTimedOut: It ran into its timeout, and the reconciler says it has not happened.
            CallLogError: The write-ahead log did not take what was to be written.
            ResultNotSerializable: The result cannot be written and read back.
            PayloadTooLarge: It takes more bytes than ``max_payload``.
            JournalMismatch: Another call was made here before the failure, see `on_mismatch`.
        """
        given: GivenOptions = (
            reconciler,
            durable_id,
            durability,
            in_doubt,
            retry,
            timeout,
            result_type,
            None,
        )
        if options is not None:
            given = _with_options(options, given, func, kwargs)
        return self._execute(func, args, kwargs, given, options is not None)

    @abstractmethod
    def _execute(
        self,
        func: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        given: GivenOptions,
        by_options: bool,
    ) -> T:
        """Makes a call, see `durable_execute`.

        Args:
            func: The function.
            args: Its arguments.
            kwargs: Its keyword arguments.
            given: The call's options.
            by_options: Whether they came by ``options=``, so that no keyword can be mistaken.
        """

    @overload
    def durable_execute_async(
        self,
        func: Callable[..., Awaitable[T]],
        /,
        *args: Any,
        options: CallOptions | None = None,
        reconciler: Reconciler | None = None,
        durable_id: str | None = None,
        durability: Durability | None = None,
        in_doubt: InDoubt | None = None,
        retry: RetryPolicy | None = None,
        timeout: float | None = None,
        result_type: Any = None,
        **kwargs: Any,
    ) -> Awaitable[T]: ...

    @overload
    def durable_execute_async(
        self,
        func: Callable[..., T],
        /,
        *args: Any,
        options: CallOptions | None = None,
        reconciler: Reconciler | None = None,
        durable_id: str | None = None,
        durability: Durability | None = None,
        in_doubt: InDoubt | None = None,
        retry: RetryPolicy | None = None,
        timeout: float | None = None,
        result_type: Any = None,
        **kwargs: Any,
    ) -> Awaitable[T]: ...

    def durable_execute_async(
        self,
        func: Callable[..., Any],
        /,
        *args: Any,
        options: CallOptions | None = None,
        reconciler: Reconciler | None = None,
        durable_id: str | None = None,
        durability: Durability | None = None,
        in_doubt: InDoubt | None = None,
        retry: RetryPolicy | None = None,
        timeout: float | None = None,
        result_type: Any = None,
        **kwargs: Any,
    ) -> Awaitable[Any]:
        """As `durable_execute`, without holding anything while the call runs.

        An ordinary function runs on a thread pool, a coroutine function on an asyncio thread that
        takes thousands of them at once. The call gets its place in the journal when it is first
        awaited; nothing is written before. Calls awaited together run together. A handler that ends
        without awaiting one fails with `CallNotAwaited`.

        Returns:
            An awaitable of the result.
        """
        given: GivenOptions = (
            reconciler,
            durable_id,
            durability,
            in_doubt,
            retry,
            timeout,
            result_type,
            None,
        )
        if options is not None:
            given = _with_options(options, given, func, kwargs)
        return self._execute_async(func, args, kwargs, given, options is not None)

    @abstractmethod
    def _execute_async(
        self,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        given: GivenOptions,
        by_options: bool,
    ) -> Awaitable[Any]:
        """Makes a call, see `durable_execute_async`."""

    @abstractmethod
    def durable_execute_all_async(
        self,
        calls: Iterable[DurableCall],
        max_parallelism: int | None = None,
        timeout: float | None = None,
    ) -> Awaitable[Outcomes]:
        """Makes calls together; each is journaled when it ends, and none hides another's outcome.

        Their places in the journal are reserved together, in the order of `calls`, before the first
        one starts. After a failure each is replayed, reconciled or run on its own account. Calls
        with a `durable_id` are found again by it, whatever their order.

        Args:
            calls: The calls.
            max_parallelism: How many run at a time; by default all of them.
            timeout: Seconds for all calls together. Those that still run are given up, those that
                have not started never do; what had ended by then is the same in every run.

        Returns:
            An awaitable of the outcomes, in the order of `calls`.

        Raises:
            TypeError: An argument is of the wrong type.
            ValueError: Two calls have one `durable_id`, or a limit is not positive.
        """

    @abstractmethod
    def durable_execute_all(
        self,
        calls: Iterable[DurableCall],
        max_parallelism: int | None = None,
        timeout: float | None = None,
    ) -> Outcomes:
        """As `durable_execute_all_async`, for a ``def`` handler, whose thread waits.

        In an ``async def`` handler it makes ordinary functions one after another and holds the
        whole subtask, as `durable_execute` does.
        """

    @abstractmethod
    def gather(self, *awaitables: Awaitable[Any]) -> Awaitable[Outcomes]:
        """Awaits durable calls together and gives the outcome of each, as a batch does.

        Args:
            *awaitables: What `durable_execute_async` gave, or any other awaitables.

        Returns:
            An awaitable of the outcomes, in the order of the arguments.
        """


def _with_options(
    options: Any, given: GivenOptions, func: Callable[..., Any], kwargs: dict[str, Any]
) -> GivenOptions:
    """What a call is given; ``options=`` of another kind is a keyword argument of its function."""
    if isinstance(options, CallOptions):
        return options.beside(given, func, kwargs)
    if not has_parameter(func, "options") and not takes_any_keyword(func):
        raise TypeError(f"options must be CallOptions(...), not {type(options).__name__}")
    kwargs["options"] = options
    return given
