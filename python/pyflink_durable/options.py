"""The settings of a durable operator."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, InstanceOf, field_validator, model_validator

from pyflink_durable.call_log import FileCallLog, KafkaCallLog
from pyflink_durable.observer import Observer
from pyflink_durable.retry import RetryPolicy
from pyflink_durable.serializer import Codec, PayloadStore, Serializer
from pyflink_durable.tool_options import ToolCallOptions
from pyflink_durable.tracing import Tracing

Durability = Literal["checkpoint", "gated", "write-ahead"]
CallIdentity = Literal["arguments", "durable_id"]
InDoubt = Literal["execute", "raise"]
OnMismatch = Literal["protect", "clear", "fail"]
ParkedWatermarks = Literal["pass", "hold"]

LONGEST_TTL = 100 * 365 * 86_400
"""A hundred years in seconds."""


class DurableOptions(BaseModel):
    """Settings of one `durable_process`; frozen, checked when it is made.

    Every limit is per subtask. Thread counts are per subtask, too: the subtasks of a TaskManager
    share one Python interpreter and its lock.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    durability: Durability = "checkpoint"
    """What a crash can do to a call. Default ``"checkpoint"``.

    - ``"checkpoint"``: what a call did is safe once it is in a completed checkpoint. A call made
      after the last one runs again.
    - ``"gated"``: no call starts before its place in the journal is in a completed checkpoint, so a
      call that ever started is found in doubt and never blindly repeated. This holds for calls with
      a reconciler, with ``in_doubt="raise"``, or marked ``durability="gated"``; others could be run
      again anyway and start at once. Costs up to one checkpoint interval per call.
    - ``"write-ahead"``: as gated, by a log (`call_log`) in place of the checkpoint. Costs two log
      appends per call; outcomes are safe before the handler sees them, but for those of sync calls
      in ``async def`` handlers, which wait for nothing."""

    call_log: FileCallLog | KafkaCallLog | None = Field(default=None, discriminator="type")
    """The log of the write-ahead level. Default None."""

    in_doubt: InDoubt = "execute"
    """What becomes of a call in doubt that has no reconciler: ``"execute"`` runs it again,
    ``"raise"`` raises `OutcomeUnknown` in the handler. Default ``"execute"``."""

    retry: RetryPolicy | None = None
    """How asynchronous calls, and calls of ``def`` handlers, that fail are tried again. Default
    None."""

    call_timeout: float | None = Field(default=None, gt=0)
    """Seconds that an attempt of such a call may take. A coroutine is then cancelled, a thread
    abandoned, and the call is in doubt. Default None."""

    invocation_id: Callable[[Any], str | int] | None = None
    """Gives the id of an invocation for its input, such as ``lambda value: value["event_id"]``. It
    is part of the idempotency keys. By default the number of the input among all of its key, which
    needs the inputs of a key to come in the same order again after a failure. Default None."""

    key_ttl: float | None = Field(default=None, gt=0, le=LONGEST_TTL)
    """Seconds behind a key's last input for which its number is kept, of which idempotency keys are
    made. A key that comes back later counts from 0 again: longer than the outside knows the keys
    that it has seen, and than the job may be down. By default numbers are kept for ever. Not with
    `invocation_id`, which needs none. Default None."""

    state_ttl: float | None = Field(default=None, gt=0, le=LONGEST_TTL)
    """Seconds for which a value of `RunnerContext.state` is kept that no handler reads or writes:
    longer than a handler may wait, and than the job may be down. By default values are kept for
    ever. Default None."""

    signal_ttl: float = Field(default=604_800.0, gt=0, le=LONGEST_TTL)
    """Seconds for which a signal is kept that no handler takes; then it goes to the side output
    `UNCLAIMED_SIGNAL`. A week; its id is known for as long.
    Default 604,800."""

    callback_secret: Callable[[], bytes | Sequence[bytes]] | None = None
    """Gives the secret, 16 bytes or more, that tokens of `RunnerContext.callback` are made with. It
    is called in the TaskManager when a task starts, and travels with the job, so it must not hold
    the secret itself. A list of several: the first makes tokens, all are accepted.
    Default None."""

    park_after: float | None = Field(default=10.0, ge=0.1, le=86_400)
    """Seconds after which an invocation that waits for nothing but time or signals is dropped from
    memory; it is run again, by replay, when it goes on. By ``None`` never. Without a place left in
    `max_in_flight` it is at once. Default 10."""

    watermarks: ParkedWatermarks = "pass"
    """What invocations that are parked do to watermarks. All others hold those back that would make
    their outputs late. Default ``"pass"``.

    - ``"pass"``: a watermark passes what is parked; its outputs get a timestamp behind it, and are
      not late.
    - ``"hold"``: it waits, for days if need be: windows behind see outputs at the time of their
      input."""

    max_waiting_per_key: int | None = Field(default=None, ge=1, le=10_000_000)
    """How many inputs of a key may wait behind its first, parked or not. One that comes to more
    is a `TooManyWaiting`, which goes the way of `on_error`. By default any number: those behind one
    that is parked are in the state, all others count in `max_pending`. Default None."""

    max_in_flight: int = Field(default=1_000, ge=1, le=1_000_000)
    """How many invocations run at a time. Default 1,000."""

    max_pending: int = Field(default=10_000, ge=1, le=10_000_000)
    """How many further inputs are accepted before the operator holds its input back. They are
    part of every checkpoint. Invocations that wait for a checkpoint count here. Default 10,000."""

    drain_timeout: float = Field(default=60.0, gt=0, le=86_400)
    """Seconds that a checkpoint may be late at the end of the input, while only calls that wait for
    it are left. Flink takes none while ``stop --drain`` ends a job: that fails then. Default 60."""

    call_threads: int = Field(default=16, ge=1, le=4_096)
    """Threads for ordinary functions given to `durable_execute_async`. Default 16."""

    tool_calls: ToolCallOptions = ToolCallOptions()
    """How `pyflink_durable.tools.call_tools` makes the calls of a request, and the limits of all of
    them together. A field that is not given is taken from ``tool-call.*`` of Flink's configuration.
    Default ``ToolCallOptions()``."""

    handler_threads: int = Field(default=64, ge=1, le=4_096)
    """Threads for ``def`` handlers; as many of them run at a time. Default 64."""

    on_error: Literal["fail", "dead-letter"] = "fail"
    """What an exception of a handler does: ``"fail"`` the task, so that Flink restarts it, or
    send input, exception and journal to the `DEAD_LETTER` side output and go on with the next
    input of the key. Default ``"fail"``."""

    on_mismatch: OnMismatch = "protect"
    """What a journal does that holds another call than the handler makes, or more calls. Default
    ``"protect"``.

    - ``"protect"``: drops this slot and all after it with a warning, and runs the call, if all that
      is dropped may simply run again. If a call in doubt is among it, or the outcome of a call that
      has a reconciler, ``in_doubt="raise"`` or a ``durability=``, the task fails with
      `JournalMismatch`.
    - ``"fail"``: the task fails, whatever would be dropped.
    - ``"clear"``: drops everything; the warning names what is lost."""

    observers: tuple[InstanceOf[Observer], ...] = ()
    """Told of what happens to invocations and calls, in this order. Default ``()``."""

    tracing: InstanceOf[Tracing] | None = None
    """Makes OpenTelemetry spans of runs, attempts and waits, see `Tracing`. Default None."""

    call_metrics: bool = False
    """Whether calls are counted by their names, and their latencies: ``durable.call.NAME.started``
    and others, see docs/observability.md. Costs a microsecond or two for each call.
    Default False."""

    history: bool = False
    """Whether each invocation that ends gives a line of JSON to the `HISTORY` side output: its
    times, its calls with status, attempt and size, no payloads. Default False."""

    close_timeout: float = Field(default=5.0, ge=0, le=120)
    """Seconds that the end of a task waits for threads whose call still runs. A call that blocks
    longer is abandoned with a warning: its thread ends when the call returns, and what it returns
    touches nothing. Default 5."""

    serializer: Serializer | None = None
    """What results, exceptions and `RunnerContext.state` are written by: `PickleSerializer`,
    `JsonSerializer`, or one of your own. What another has written is still read. By default pickle.
    Default None."""

    codecs: Sequence[Codec] = ()
    """What the bytes go through on their way into the journal, in this order, such as
    ``[Zstd(), AesGcm(...)]``. Default ``()``."""

    offload: PayloadStore | None = None
    """Where results and exceptions go that are large, see `Offload`. Default None."""

    max_payload: int | None = Field(default=None, ge=1)
    """Bytes that a result, an exception or a value of `RunnerContext.state` may have in the
    journal, and an input as it comes; larger ones are a `PayloadTooLarge`. From 256 KB on
    there is a warning in any case. Default None."""

    allow_pickle: bool = True
    """Whether a pickle that stands in the journal or the state is read. Whoever can write to
    checkpoints or the call log runs code in the TaskManagers with one. False needs a `serializer`,
    and inputs and keys of a type that is not ``PICKLED_BYTE_ARRAY``. Default True."""

    identity: CallIdentity = "arguments"
    """What tells calls with a ``durable_id`` apart, beside it. ``"durable_id"``: nothing. Their
    arguments are not digested then: a chat's history that grows with each turn, for example.
    Default ``"arguments"``."""

    errors: Sequence[type[BaseException]] = ()
    """Exception types that come back as themselves from a journal that is not of pickles; others,
    but for Python's own, come back as `RemoteError`. Default ``()``."""

    state_types: Mapping[str, Any] = Field(default_factory=dict)
    """The types of values of `RunnerContext.state`, by name, for a serializer that wants to know
    them. Without one a value may be what JSON itself carries. Default ``{}``."""

    @property
    def every_observer(self) -> tuple[Observer, ...]:
        """The observers, and the one that makes spans."""
        return self.observers if self.tracing is None else (*self.observers, self.tracing)

    @property
    def writes_frames(self) -> bool:
        """Whether payloads are bound to operator, key and slot, and so to the operator's uid."""
        serializer = self.serializer
        if self.codecs or self.offload is not None:
            return True
        return serializer is not None and serializer.name != "pickle"

    @field_validator("serializer", "codecs")
    @classmethod
    def _check_names(cls, given: Any) -> Any:
        """Names stand in the journal."""
        named = [given] if isinstance(given, Serializer) else list(given or ())
        names = [one.name for one in named]
        for name in names:
            if not isinstance(name, str) or not re.fullmatch("[a-z0-9-]{1,32}", name):
                raise ValueError(
                    f"the name of a serializer or codec is made of lower-case letters, digits and "
                    f"'-', not {name!r}"
                )
        if len(set(names)) < len(names):
            raise ValueError(f"two codecs have one name: {', '.join(names)}")
        if (
            "zstd" in names
            and names.index("zstd") > 0
            and "aes-gcm" in names[: names.index("zstd")]
        ):
            raise ValueError("Zstd belongs before AesGcm: encrypted bytes do not get smaller")
        return given

    @model_validator(mode="after")
    def _check_pickle(self) -> DurableOptions:
        if not self.allow_pickle and (self.serializer is None or self.serializer.name == "pickle"):
            raise ValueError(
                "allow_pickle=False needs a serializer that writes no pickles: "
                "serializer=JsonSerializer()"
            )
        return self

    @model_validator(mode="after")
    def _check_key_ttl(self) -> DurableOptions:
        if self.key_ttl is not None and self.invocation_id is not None:
            raise ValueError(
                "key_ttl is for the numbers that tell invocations apart; with invocation_id there "
                "are none. Leave it out"
            )
        return self

    @model_validator(mode="after")
    def _check_call_log(self) -> DurableOptions:
        if self.durability == "write-ahead" and self.call_log is None:
            raise ValueError(
                'durability="write-ahead" needs a log: call_log=FileCallLog(directory=...) for one '
                "machine or a shared disk, call_log=KafkaCallLog(bootstrap_servers=...) otherwise"
            )
        return self
