"""Exceptions raised by pyflink-durable.

Every exception here survives pickling: it may be journaled, or cross from a worker to the client.
Those with attributes therefore keep exactly their constructor arguments in ``args`` and build their
message in ``__str__``, or say in ``__reduce__`` how they are made.

Over 300 lines: one flat list, since pickles in journals name each class by this module.
"""

from __future__ import annotations

from typing import Any

from pyflink_durable.wording.one_line import one_line


class DurableExecutionError(Exception):
    """Base of all errors raised by this package; catch it to handle any of them."""


class JournalMismatch(DurableExecutionError):
    """A handler that is run again took another path than before, and something would get lost.

    By default (``on_mismatch="protect"``) it is raised where to go on would drop a call in doubt,
    or the outcome of a call that is not to be made again: one with a reconciler,
    ``in_doubt="raise"`` or a ``durability=`` of its own. It fails the task, whatever the handler
    makes of it. With ``on_mismatch="fail"`` any call in another's slot does.

    The handler's code was changed while it was in flight, or it depends on something that is not
    the same in every run (the clock, a random number, a module variable). Deploy code that makes
    the calls of the journal; make such values the result of a durable call, and give calls a
    ``durable_id`` where their function may change. With ``on_mismatch="clear"`` the job goes on
    without what the message names: look at the outside first.

    Attributes:
        slot: Index of the first slot in question in the invocation's journal.
        expected: Identity ``(function_id, args_digest)`` the journal holds; what is no call is told
            in words, with an empty digest.
        found: The same of what the handler called; None if it ended without.
        status: The status of the slot.
        invocation: The key and the invocation's id, as log lines name them.
        line: The file and line at which the handler made the call; empty if it is not known.
        lost: What would get lost, a text for each slot.
    """

    def __init__(
        self,
        slot: int,
        expected: tuple[str, str],
        found: tuple[str, str] | None,
        status: str = "",
        invocation: str = "",
        line: str = "",
        lost: tuple[str, ...] = (),
    ) -> None:
        super().__init__(slot, expected, found, status, invocation, line, lost)
        self.slot = slot
        self.expected = expected
        self.found = found
        self.status = status
        self.invocation = invocation
        self.line = line
        self.lost = lost

    def __str__(self) -> str:
        called = "has ended" if self.found is None else f"called {_show(self.found)}"
        parts = [
            f"{self.invocation}: " if self.invocation else "",
            f"slot {self.slot} of the journal holds {_show(self.expected)}",
            f" {self.status}" if self.status else "",
            f", but the handler {called}",
            f" at {self.line}" if self.line else "",
            f"; to go on would lose [{'; '.join(self.lost)}]" if self.lost else "",
            ": a handler must make the same calls in the same order each time it runs for one ",
            "input",
        ]
        return one_line("".join(parts))


class ResultNotSerializable(DurableExecutionError):
    """A call returned a value that neither pickle nor cloudpickle can write and read back.

    The call itself has happened; it is journaled as failed with this error. Return plain data
    (numbers, strings, dicts, dataclasses) instead of connections, locks, generators or files.
    """


class PayloadNotLoadable(DurableExecutionError):
    """A journaled result or exception cannot be read back on replay.

    Usually its class was renamed, moved or removed since the call was journaled, or the TaskManager
    lacks the package that defines it. Deploy code in which the class can be imported under its old
    name, let the invocations in flight finish, and remove the class afterwards.
    """


class PayloadRefused(PayloadNotLoadable):
    """Bytes of the journal or of `ctx.state` must not be read as a value; the task fails with it.

    They are damaged, were written for another slot, key or operator, cannot be decrypted, or are a
    pickle where ``allow_pickle=False``. Nothing is dropped: with the right key, or settings, the
    job goes on from the same checkpoint.
    """


class PayloadNotWritable(DurableExecutionError):
    """A codec could not encode what is to be journaled: a key is missing, for example.

    It fails the task, and what the call did is not journaled: after the restart it goes the way of
    a call in doubt. The message names the codec.
    """


class PayloadStoreDown(DurableExecutionError):
    """A call was not made, since the store for its result cannot be written to, see `Offload`.

    Nothing has happened: it is an error like those of the call itself, which its ``retry=`` tries
    again, and the journal holds it as failed if that gives up. Raised at the start of a task it
    fails that, before anything is journaled.
    """


class PayloadTooLarge(DurableExecutionError):
    """A call returned, `ctx.state` was given, or an input has, more bytes than ``max_payload``.

    A call has happened; it is journaled as failed with this error. The handler of an input is not
    started; the error is as if it had raised it. Keep what is not needed outside, or raise the
    limit, or see ``offload``.

    Attributes:
        name: The function, the call's durable_id, the place in `ctx.state`, or "the input".
        size: How many bytes it would have taken.
        limit: How many there may be.
    """

    def __init__(self, name: str, size: int, limit: int) -> None:
        super().__init__(name, size, limit)
        self.name = name
        self.size = size
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"{one_line(self.name)} has a payload of {self.size} bytes, and max_payload is "
            f"{self.limit}: have less in it, keep the rest outside, or raise the limit"
        )


class ArgumentNotEncodable(DurableExecutionError, TypeError):
    """An argument of a durable call has no canonical form, so the call cannot be identified.

    Raised for values that cannot be pickled (connections, locks, generators) and for structures
    that contain themselves. Pass plain data, and open the connection inside the function.
    """


class RemoteError(DurableExecutionError):
    """Stands for an exception of a call that could not itself be pickled.

    Raised in the first run as well as on replay, so that a handler sees the same both times; its
    cause and context are those of the original. To get the original type, make the exception
    picklable: keep only plain data on it.

    Attributes:
        type_name: ``module.qualname`` of the original exception's class.
        message: ``str()`` of the original exception.
        traceback_text: The formatted traceback of the original exception.
    """

    def __init__(self, type_name: str, message: str, traceback_text: str = "") -> None:
        super().__init__(type_name, message, traceback_text)
        self.type_name = type_name
        self.message = message
        self.traceback_text = traceback_text

    def __str__(self) -> str:
        return f"{self.type_name}: {self.message}" if self.message else self.type_name


class OutcomeUnknown(DurableExecutionError):
    """A call may or may not have happened, and there is nobody to ask.

    Raised for a call in doubt that has no reconciler, with ``in_doubt="raise"``, and for a call
    that ran into its timeout, has no reconciler and no attempt left. Ask the outside about
    `idempotency_key`, by hand or in the handler, and decide; or give the call a reconciler.

    With ``in_doubt="raise"`` it is in the journal only once the handler has gone on without
    failing. A handler that lets it pass fails its task, and the call is in doubt again: a new
    release of the handler may bring a reconciler then. With a call log it is in the log when it is
    raised, and stays: catch it.

    Attributes:
        function_id: The function, or the call's durable_id.
        args_digest: Digest of its arguments.
        idempotency_key: What `current_call` gave to the function, to look the call up by.
        attempt: The attempt that is in doubt, from 1.
        reason: ``"failure"`` of the job, or ``"timeout"`` of the call.
    """

    def __init__(
        self, function_id: str, args_digest: str, idempotency_key: str, attempt: int, reason: str
    ) -> None:
        super().__init__(function_id, args_digest, idempotency_key, attempt, reason)
        self.function_id = function_id
        self.args_digest = args_digest
        self.idempotency_key = idempotency_key
        self.attempt = attempt
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"attempt {self.attempt} of {_show((self.function_id, self.args_digest))} is in doubt "
            f"after a {self.reason}: it may or may not have happened. Look it up by its idempotency"
            f" key {self.idempotency_key}, or give the call a reconciler"
        )


class CallTimedOut(DurableExecutionError, TimeoutError):
    """A call ran into its timeout, and its reconciler says that it has not happened.

    Attributes:
        function_id: The function, or the call's durable_id.
        timeout: The timeout of an attempt, in seconds.
    """

    def __init__(self, function_id: str, timeout: float) -> None:
        super().__init__(function_id, timeout)
        self.function_id = function_id
        self.timeout = timeout

    def __str__(self) -> str:
        return (
            f"{one_line(self.function_id)} ran into its timeout of {self.timeout} s; its "
            "reconciler says that it has not happened"
        )


class CallCancelled(DurableExecutionError):
    """The function of a call raised a cancellation, and nobody had cancelled the call.

    It cancelled itself, or something that it waited for was cancelled. That is a failure of the
    call like any other: journaled, raised in the handler, tried again as its retry policy says. The
    cancellation is its ``__cause__``. To a handler a bare `asyncio.CancelledError` would say that
    the handler itself is to stop.

    Attributes:
        function_id: The function.
        raised: The cancellation, as `repr` shows it.
    """

    def __init__(self, function_id: str, raised: str) -> None:
        super().__init__(function_id, raised)
        self.function_id = function_id
        self.raised = raised

    def __str__(self) -> str:
        return (
            f"{one_line(self.function_id)} raised {self.raised}, and nobody had cancelled the call"
        )


class ThreadNotStarted(DurableExecutionError):
    """There is no thread for a call or a handler, and none can be started. It fails the task.

    What it was for has not started. Raise the limit of processes (``ulimit -u``, the ``pids`` limit
    of the container), or lower ``call_threads``, ``handler_threads`` or the number of slots of a
    TaskManager.

    Attributes:
        thread: The name that the thread would have had.
        running: How many threads Python runs in this process.
        reason: Why the system has given none.
    """

    def __init__(self, thread: str, running: int, reason: str) -> None:
        super().__init__(thread, running, reason)
        self.thread = thread
        self.running = running
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"thread {self.thread} cannot be started ({self.reason}); Python runs {self.running} in"
            " this process. Raise the limit of processes (ulimit -u, the pids limit of the "
            "container), or lower call_threads and handler_threads"
        )


class SignalTimedOut(DurableExecutionError, TimeoutError):
    """No signal came in the time that `RunnerContext.wait_for_signal` waited for it.

    Attributes:
        name: The name of the signal.
        timeout: How many seconds the wait was given.
    """

    def __init__(self, name: str, timeout: float | None) -> None:
        super().__init__(name, timeout)
        self.name = name
        self.timeout = timeout

    def __str__(self) -> str:
        return f"no signal {one_line(self.name)!r} came in {self.timeout} seconds"


class TooManyWaiting(DurableExecutionError):
    """As many inputs of a key wait as ``max_waiting_per_key`` lets, and another one has come.

    With ``on_error="dead-letter"`` it goes there, and a later one of the key is taken in when there
    is room. Otherwise the task fails, and does again when the input comes back: raise the limit, or
    look for what the first invocation of the key waits for.

    Attributes:
        operator: The name given to `durable_process`.
        key: The repr of the key.
        most: How many may wait.
    """

    def __init__(self, operator: str, key: str, most: int) -> None:
        super().__init__(operator, key, most)
        self.operator = operator
        self.key = key
        self.most = most

    def __str__(self) -> str:
        return (
            f"operator {self.operator!r} key={one_line(self.key)} {self.most} inputs of the key "
            "wait behind its first, which max_waiting_per_key allows: see what that one waits for, "
            'raise the limit, or send what is beyond to the dead letters, on_error="dead-letter"'
        )


class CallLogError(DurableExecutionError):
    """The write-ahead log did not take what was to be written of a call.

    A call whose announcement failed has not started. One whose outcome failed has run; its place
    in the log still says that it is in doubt. Let the error fail the task: after the restart the
    call goes the way of a call in doubt. The message holds the log's own.
    """


class NestedDurableCall(DurableExecutionError):
    """A durable call was made inside the function of another, or ``ctx.collect`` and the like used.

    The outer call is replayed as a whole, so what is inside would have no place in the journal.
    Make both calls from the handler, one after the other; pass the function what it needs, and
    return what the handler is to do.
    """


class CallNotStarted(DurableExecutionError):
    """The timeout of a batch came before this call of it had started.

    The call did not happen. Give the batch more time or more parallelism, or make the call again.
    """


class CallNotAwaited(DurableExecutionError):
    """A handler has ended without awaiting what it has called, so that was never made.

    Write ``await`` in front of it, or give it to `asyncio.gather` or a task group. A call that is
    not wanted any more is given up with its ``cancel()``.

    Attributes:
        calls: What it was, each with the line of the handler.
    """

    def __init__(self, calls: tuple[str, ...]) -> None:
        super().__init__(calls)
        self.calls = calls

    def __str__(self) -> str:
        return (
            f"the handler has ended and never awaited [{'; '.join(self.calls)}], so nothing of it "
            "was done: write `await` in front of it, or call its cancel() if it is not wanted"
        )


class NotInInvocation(DurableExecutionError):
    """A context was used where its handler does not run.

    That is after the handler had ended, on another thread or event loop, or by the handler of
    another input. Use the ``ctx`` in the handler that it was given to, and await every durable call
    before it returns.
    """


class UnsupportedLoopOperation(DurableExecutionError):
    """Real I/O, a thread or a subprocess was asked of the handler's event loop, or it was woken.

    That loop only runs ready callbacks, so that a handler takes the same path on replay. Put the
    operation into a function and run it through ``ctx.durable_execute_async``. What a thread or the
    function of a call has for the handler is that function's result: an event or a future that it
    sets is in no journal.
    """


class HandlerFailed(DurableExecutionError):
    """A handler raised, so the task fails and Flink restarts it as the job's strategy says.

    Calls that have ended are replayed then. With ``on_error="dead-letter"`` the input would go to
    the `DEAD_LETTER` side output instead, and the job would go on.

    Attributes:
        operator: The name given to `durable_process`.
        key: The key of the input, as `repr` shows it.
        traceback_text: The formatted traceback of the handler's exception.
    """

    def __init__(self, operator: str, key: str, traceback_text: str) -> None:
        # the message as the only argument: of several, Flink would show the first and no more
        super().__init__(
            f"the handler of operator {operator!r} failed for key {key}; the task "
            'restarts (on_error="dead-letter" would put the input aside)\n' + traceback_text
        )
        self.operator = operator
        self.key = key
        self.traceback_text = traceback_text

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.operator, self.key, self.traceback_text), vars(self)


class ConfigurationError(DurableExecutionError, ValueError):
    """The job or an option is set up in a way that cannot work; raised when the graph is built.

    The message names the option and the value to use.
    """


def _show(identity: tuple[str, str]) -> str:
    function_id, args_digest = identity
    return one_line(function_id) + (f" (arguments {args_digest})" if args_digest else "")
