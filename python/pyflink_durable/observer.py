"""What watches invocations and calls: counters, spans, a history of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from pyflink_durable.options import Durability

Enter = Callable[[], object]
"""Called where a function runs, in its context, before it begins."""


class ObservedInvocation(Protocol):
    """An invocation, as observers see it."""

    @property
    def operator(self) -> str:
        """The operator's uid."""

    @property
    def id(self) -> int | str:
        """The number of the input among all of its key, or what `invocation_id` gave."""

    @property
    def key(self) -> Any:
        """The key of the input; not to be changed."""

    def digest(self, purpose: str) -> bytes:
        """16 bytes that are the same in every run of the invocation, and others for others."""


class ObservedTool(Protocol):
    """A tool that a model has asked for, as observers see its call."""

    @property
    def name(self) -> str:
        """The tool's name."""

    @property
    def call_id(self) -> str:
        """The id of the tool call."""

    @property
    def arguments(self) -> Any:
        """What the model wrote, text or a dict; it may be personal."""

    @property
    def result(self) -> Any:
        """What the tool gave in this attempt, in the form of JSON; None before."""


class ObservedCall(Protocol):
    """A call, as observers see it; one object from its start to its end in one run."""

    @property
    def slot(self) -> int:
        """Its place in the journal."""

    @property
    def name(self) -> str:
        """Its function, or its durable_id."""

    @property
    def durable_id(self) -> str | None:
        """The identity that the handler gave it."""

    @property
    def level(self) -> Durability:
        """What its start waits for: nothing, the gate or the log; as the levels are called."""

    @property
    def tool(self) -> ObservedTool | None:
        """The tool that it is the call of; None for any other call."""


class Observer:
    """Told of what happens to invocations and calls; a subclass overrides what it wants to know.

    The methods are called on the threads of the runtime, several at a time, between one step of a
    handler and the next: they must not block. One that raises is logged once, and changes nothing.
    The object is pickled into the job; what it makes in `open` never leaves the TaskManager.
    """

    def open(self) -> None:
        """Called once per attempt of a subtask, before its first invocation."""

    def close(self) -> None:
        """Called once per attempt of a subtask, when nothing runs any more."""

    def invocation_started(self, invocation: ObservedInvocation, replaying: bool) -> None:
        """A handler begins; called in its context, on its thread.

        Args:
            invocation: Whose handler it is.
            replaying: Whether an earlier run has left something in the journal.
        """

    def invocation_ended(self, invocation: ObservedInvocation, error: BaseException | None) -> None:
        """A run has ended: with outputs, an exception, or a cancellation.

        It is cancelled if its task ends, or if the invocation is parked: it runs again then.
        """

    def call_replayed(self, invocation: ObservedInvocation, call: ObservedCall) -> None:
        """A call is answered from the journal; nothing of it runs."""

    def call_held(
        self, invocation: ObservedInvocation, call: ObservedCall, by: Literal["CHECKPOINT", "LOG"]
    ) -> None:
        """A call waits at the gate, or for the log, before it may start."""

    def attempt_started(
        self, invocation: ObservedInvocation, call: ObservedCall, attempt: int
    ) -> Enter | None:
        """An attempt of a call is handed to where it runs.

        Returns:
            What is to be called there, in the context of the function, before it begins.
        """

    def attempt_ended(
        self,
        invocation: ObservedInvocation,
        call: ObservedCall,
        attempt: int,
        error: BaseException | None,
    ) -> None:
        """An attempt has ended, was given up at its timeout, or was cancelled."""

    def attempt_timed_out(
        self, invocation: ObservedInvocation, call: ObservedCall, attempt: int
    ) -> None:
        """An attempt ran into its timeout: it is in doubt."""

    def call_retried(
        self, invocation: ObservedInvocation, call: ObservedCall, attempt: int, due: int
    ) -> None:
        """A call is tried again.

        Args:
            invocation: Whose call it is.
            call: The call.
            attempt: The number of the attempt that is to come.
            due: When it starts, in milliseconds since the epoch.
        """

    def call_reconciled(
        self,
        invocation: ObservedInvocation,
        call: ObservedCall,
        attempt: int,
        error: BaseException | None,
    ) -> None:
        """The reconciler told the outcome of a call in doubt: a result, or an error."""

    def call_reexecuted(
        self, invocation: ObservedInvocation, call: ObservedCall, attempt: int
    ) -> None:
        """A call in doubt after a failure of the job runs again.

        Args:
            invocation: Whose call it is.
            call: The call.
            attempt: The number of the attempt that is in doubt.
        """

    def call_unknown(
        self, invocation: ObservedInvocation, call: ObservedCall, attempt: int, reason: str
    ) -> None:
        """A call in doubt is left to the handler, by `OutcomeUnknown`."""

    def call_ended(
        self, invocation: ObservedInvocation, call: ObservedCall, error: BaseException | None
    ) -> None:
        """The outcome of a call is in the journal; the handler gets it when that is safe."""
