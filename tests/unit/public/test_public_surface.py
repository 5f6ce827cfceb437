"""The public surface, frozen: a change here is a change for every user."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
from typing import Any

import pytest

import pyflink_durable
from pyflink_durable import (
    DurableCall,
    DurableOptions,
    DurableProcessFunction,
    LocalRunnerContext,
    RunnerContext,
    ToolCallOptions,
    call_options,
    durable_process,
    identity,
)
from pyflink_durable.checks import keywords as call_keywords
from pyflink_durable.runtime.operator.runner_context import FlinkRunnerContext

NAMES = {
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
    "DEAD_LETTER",
    "DeadLetter",
    "DurableCall",
    "DurableExecutionError",
    "DurableOptions",
    "DurableProcessFunction",
    "FileCallLog",
    "HISTORY",
    "HandlerFailed",
    "JournalMismatch",
    "JournaledCall",
    "JsonSerializer",
    "KafkaCallLog",
    "LocalRunnerContext",
    "MsgspecSerializer",
    "NOT_EXECUTED",
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
    "UNCLAIMED_SIGNAL",
    "UnclaimedSignal",
    "UnsupportedLoopOperation",
    "Zstd",
    "current_call",
    "durable_process",
}

CALL = (
    "(self, func, /, *args, options=None, reconciler=None, durable_id=None, durability=None, "
    "in_doubt=None, retry=None, timeout=None, result_type=None, **kwargs)"
)
BATCH = "(self, calls, max_parallelism=None, timeout=None)"
SIGNATURES: list[tuple[Any, str]] = [
    (
        durable_process,
        "(stream, handler, *, output_type, options=None, name='durable', uid=None, signals=None,"
        " version=None, previous=None)",
    ),
    (RunnerContext.durable_execute, CALL),
    (RunnerContext.durable_execute_async, CALL),
    (RunnerContext.durable_execute_all_async, BATCH),
    (RunnerContext.durable_execute_all, BATCH),
    (RunnerContext.gather, "(self, *awaitables)"),
    (RunnerContext.sleep, "(self, seconds)"),
    (RunnerContext.wait_for_signal, "(self, name, timeout=None)"),
    (RunnerContext.pending_signals, "(self, name)"),
    (RunnerContext.now, "(self)"),
    (RunnerContext.uuid4, "(self)"),
    (RunnerContext.collect, "(self, value)"),
    (RunnerContext.output, "(self, tag, value)"),
    (LocalRunnerContext.__init__, "(self, key=None, timestamp=None, state=None, signals=())"),
    (LocalRunnerContext.durable_execute, CALL),
    (LocalRunnerContext.durable_execute_async, CALL),
    (DurableProcessFunction.open, "(self, runtime_context)"),
    (DurableProcessFunction.process, "(self, value, ctx)"),
    (DurableProcessFunction.close, "(self)"),
    (identity.compute_function_id, "(func)"),
    (identity.compute_args_digest, "(args, kwargs)"),
]

OPTIONS = {
    "durability": "checkpoint",
    "call_log": None,
    "in_doubt": "execute",
    "retry": None,
    "call_timeout": None,
    "invocation_id": None,
    "key_ttl": None,
    "state_ttl": None,
    "serializer": None,
    "codecs": (),
    "max_payload": None,
    "allow_pickle": True,
    "offload": None,
    "identity": "arguments",
    "errors": (),
    "state_types": {},
    "signal_ttl": 604_800.0,
    "callback_secret": None,
    "park_after": 10.0,
    "watermarks": "pass",
    "max_waiting_per_key": None,
    "max_in_flight": 1_000,
    "max_pending": 10_000,
    "drain_timeout": 60.0,
    "call_threads": 16,
    "tool_calls": ToolCallOptions().model_dump(),
    "handler_threads": 64,
    "on_error": "fail",
    "on_mismatch": "protect",
    "observers": (),
    "tracing": None,
    "call_metrics": False,
    "history": False,
    "close_timeout": 5.0,
}


def test_names() -> None:
    assert set(pyflink_durable.__all__) == NAMES
    assert sorted(pyflink_durable.__all__) == sorted(set(pyflink_durable.__all__))
    assert all(hasattr(pyflink_durable, name) for name in NAMES)


@pytest.mark.parametrize(("function", "expected"), SIGNATURES)
def test_signatures(function: Any, expected: str) -> None:
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in inspect.signature(function).parameters.values()
    ]
    assert str(inspect.Signature(bare)) == expected


def test_the_context_takes_a_bridge_and_an_executor_first() -> None:
    parameters = list(inspect.signature(FlinkRunnerContext).parameters.values())
    assert [parameter.name for parameter in parameters[:2]] == ["bridge", "executor"]
    assert parameters[1].default is None
    assert all(
        parameter.kind is parameter.KEYWORD_ONLY and parameter.default is not parameter.empty
        for parameter in parameters[2:]
    )


def test_what_a_handler_sees() -> None:
    public = {name for name in dir(RunnerContext) if not name.startswith("_")}
    assert public == {
        *("durable_execute", "durable_execute_async", "collect", "output"),
        *("durable_execute_all_async", "durable_execute_all", "gather"),
        *("wait_for_signal", "pending_signals", "callback", "stay_awake"),
        *("key", "timestamp", "state", "sleep", "now", "uuid4", "random"),
        *("is_replaying", "logger", "patched", "deprecate_patch"),
    }
    made_here = {"durable_execute", "durable_execute_async"}
    assert RunnerContext.__abstractmethods__ == public - made_here | {"_execute", "_execute_async"}


def test_the_options_of_a_call_are_the_same_wherever_they_are_written_out() -> None:
    parameters = inspect.signature(RunnerContext.durable_execute).parameters.values()
    keywords = [one.name for one in parameters if one.kind is one.KEYWORD_ONLY]
    assert keywords == ["options", *call_keywords.OPTIONS]
    # a function may have a parameter `identity`, so that is no keyword of a call
    assert [name for name in call_options.NAMES if name != "identity"] == keywords[1:]
    of_a_batch = {one.name for one in dataclasses.fields(DurableCall) if one.kw_only}
    assert of_a_batch == {*call_options.NAMES, "options", "pool"}


def test_options_and_their_defaults() -> None:
    assert DurableOptions().model_dump() == OPTIONS


def test_every_option_is_documented() -> None:
    source = inspect.getsource(DurableOptions)
    for name, default in OPTIONS.items():
        documentation = source.split(f"    {name}: ")[1].split('"""')[1]
        shown = f"{default:,g}" if isinstance(default, int | float) else f'``"{default}"``'
        shown = str(default) if default is None or isinstance(default, bool) else shown
        shown = f"``{default}``" if default in ((), {}) else shown
        shown = "``ToolCallOptions()``" if name == "tool_calls" else shown
        assert f"Default {shown}." in " ".join(documentation.split())


def test_the_import_starts_no_jvm_and_reads_no_demo() -> None:
    code = (
        "import sys, threading, pyflink_durable\n"
        "import pyflink.java_gateway as gateway\n"
        "assert gateway._gateway is None\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
        "loaded = [name for name in sys.modules if name.startswith('pyflink_durable.demo')]\n"
        "assert not loaded and 'pemja' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
