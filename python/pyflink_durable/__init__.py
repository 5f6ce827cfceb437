"""Durable execution for PyFlink: outside calls that survive failover.

This module is the whole public surface; nothing is to be imported from `pyflink_durable.runtime`.
"""

from pyflink_durable.context import NOT_EXECUTED, LocalRunnerContext, RunnerContext
from pyflink_durable.dataclass_markers import write_markers_by_name
from pyflink_durable.dead_letter import DEAD_LETTER, DeadLetter, JournaledCall
from pyflink_durable.errors import (
    ArgumentNotEncodable,
    ConfigurationError,
    DurableExecutionError,
    HandlerFailed,
    JournalMismatch,
    NestedDurableCall,
    NotInInvocation,
    PayloadNotLoadable,
    RemoteError,
    ResultNotSerializable,
    UnsupportedLoopOperation,
)
from pyflink_durable.handler import DurableProcessFunction
from pyflink_durable.options import DurableOptions
from pyflink_durable.stream import durable_process

__all__ = [
    "DEAD_LETTER",
    "NOT_EXECUTED",
    "ArgumentNotEncodable",
    "ConfigurationError",
    "DeadLetter",
    "DurableExecutionError",
    "DurableOptions",
    "DurableProcessFunction",
    "HandlerFailed",
    "JournalMismatch",
    "JournaledCall",
    "LocalRunnerContext",
    "NestedDurableCall",
    "NotInInvocation",
    "PayloadNotLoadable",
    "RemoteError",
    "ResultNotSerializable",
    "RunnerContext",
    "UnsupportedLoopOperation",
    "durable_process",
]

write_markers_by_name()
