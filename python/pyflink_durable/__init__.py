"""Durable execution for PyFlink: outside calls that survive failover.

This module is the whole public surface; nothing is to be imported from `pyflink_durable.runtime`.
"""

from pyflink_durable.batch import CallOutcome, CallStatus, DurableCall, Outcomes
from pyflink_durable.call_log import FileCallLog, KafkaCallLog
from pyflink_durable.call_options import CallOptions
from pyflink_durable.client.durable_process import durable_process
from pyflink_durable.context import NOT_EXECUTED, RunnerContext
from pyflink_durable.current_call import CurrentCall, current_call
from pyflink_durable.dead_letter import DEAD_LETTER, DeadLetter, JournaledCall
from pyflink_durable.errors import (
    ArgumentNotEncodable,
    CallCancelled,
    CallLogError,
    CallNotAwaited,
    CallNotStarted,
    CallTimedOut,
    ConfigurationError,
    DurableExecutionError,
    HandlerFailed,
    JournalMismatch,
    NestedDurableCall,
    NotInInvocation,
    OutcomeUnknown,
    PayloadNotLoadable,
    PayloadNotWritable,
    PayloadRefused,
    PayloadStoreDown,
    PayloadTooLarge,
    RemoteError,
    ResultNotSerializable,
    SignalTimedOut,
    ThreadNotStarted,
    TooManyWaiting,
    UnsupportedLoopOperation,
)
from pyflink_durable.handler import DurableProcessFunction
from pyflink_durable.history import HISTORY
from pyflink_durable.observer import ObservedCall, ObservedInvocation, Observer
from pyflink_durable.options import DurableOptions
from pyflink_durable.payload.aes_gcm import AesGcm
from pyflink_durable.payload.dataclass_markers import write_markers_by_name
from pyflink_durable.payload.json_serializer import JsonSerializer
from pyflink_durable.payload.msgspec_serializer import MsgspecSerializer
from pyflink_durable.payload.offload import Offload
from pyflink_durable.payload.pickle_serializer import PickleSerializer
from pyflink_durable.payload.zstd import Zstd
from pyflink_durable.retry import RetryPolicy
from pyflink_durable.serializer import Codec, Serializer
from pyflink_durable.signals import UNCLAIMED_SIGNAL, Signal, UnclaimedSignal
from pyflink_durable.testing.local_context import LocalRunnerContext
from pyflink_durable.tickets import Ticket
from pyflink_durable.tool_options import ToolCallOptions

__all__ = [
    "DEAD_LETTER",
    "HISTORY",
    "NOT_EXECUTED",
    "UNCLAIMED_SIGNAL",
    "AesGcm",
    "ArgumentNotEncodable",
    "CallCancelled",
    "CallLogError",
    "CallNotAwaited",
    "CallNotStarted",
    "CallOptions",
    "CallOutcome",
    "CallStatus",
    "CallTimedOut",
    "Codec",
    "ConfigurationError",
    "CurrentCall",
    "DeadLetter",
    "DurableCall",
    "DurableExecutionError",
    "DurableOptions",
    "DurableProcessFunction",
    "FileCallLog",
    "HandlerFailed",
    "JournalMismatch",
    "JournaledCall",
    "JsonSerializer",
    "KafkaCallLog",
    "LocalRunnerContext",
    "MsgspecSerializer",
    "NestedDurableCall",
    "NotInInvocation",
    "ObservedCall",
    "ObservedInvocation",
    "Observer",
    "Offload",
    "OutcomeUnknown",
    "Outcomes",
    "PayloadNotLoadable",
    "PayloadNotWritable",
    "PayloadRefused",
    "PayloadStoreDown",
    "PayloadTooLarge",
    "PickleSerializer",
    "RemoteError",
    "ResultNotSerializable",
    "RetryPolicy",
    "RunnerContext",
    "Serializer",
    "Signal",
    "SignalTimedOut",
    "ThreadNotStarted",
    "Ticket",
    "TooManyWaiting",
    "ToolCallOptions",
    "UnclaimedSignal",
    "UnsupportedLoopOperation",
    "Zstd",
    "current_call",
    "durable_process",
]

write_markers_by_name()
