"""What others choose (ids, keys, tags, names of functions) writes no line of its own into a log."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from bridges import Slot
from handler_bench import HandlerBench

from pyflink_durable import DurableOptions, JournalMismatch, RunnerContext
from pyflink_durable.errors import CallCancelled, CallTimedOut, OutcomeUnknown
from pyflink_durable.identity.digest import compute_args_digest
from pyflink_durable.payload.results import dump_result
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.journal.bridge import Identity
from pyflink_durable.runtime.telemetry.telemetry import FlinkTelemetry, LocalTelemetry
from pyflink_durable.tools.observe import ToolObserver
from pyflink_durable.wording.one_line import one_line

FORGED = "order-1\n2026-01-01 12:00:00,000 ERROR payments - refund everything"
ESCAPED = r"order-1\n2026-01-01 12:00:00,000 ERROR payments - refund everything"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (FORGED, ESCAPED),
        ("a\r\nb", r"a\r\nb"),
        ("a\x85b\u2028c\u2029d\x0be", r"a\x85b\u2028c\u2029d\x0be"),
        ("\x1b[2K\x08", r"\x1b[2K\x08"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\ud800", r"\ud800"),
        ("Zürich 東京 🍐 'quoted' \\n", "Zürich 東京 🍐 'quoted' \\n"),
        ("", ""),
    ],
    ids=ascii,
)
def test_what_is_not_printable_is_escaped(text: str, line: str) -> None:
    assert one_line(text) == line
    assert len(one_line(text).splitlines()) <= 1


class Log:
    """The part of the bridge that takes log lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    def log(self, level: str, message: str) -> None:
        self.lines.append((level, message))


def test_each_message_is_one_line_in_flinks_log() -> None:
    log = Log()
    telemetry = FlinkTelemetry(log, "orders")
    telemetry.warning(FORGED)
    telemetry.info(FORGED)
    assert log.lines == [
        ("WARNING", f"operator=orders {ESCAPED}"),
        ("INFO", f"operator=orders {ESCAPED}"),
    ]


def test_and_where_there_is_no_flink(caplog: pytest.LogCaptureFixture) -> None:
    class Nothing:
        """A context without telemetry."""

    caplog.set_level(logging.INFO, "pyflink_durable")
    telemetry = LocalTelemetry()
    telemetry.warning(FORGED)
    telemetry.info(FORGED)
    without_flink: Any = Nothing()
    ToolObserver.of(without_flink)._telemetry.info(FORGED)
    assert caplog.messages == [ESCAPED] * 3


@pytest.mark.parametrize(
    "error",
    [
        JournalMismatch(1, (FORGED, "2:aa"), (FORGED, "2:bb")),
        OutcomeUnknown(FORGED, "2:aa", "key", 1, "failure"),
        CallTimedOut(FORGED, 5.0),
        CallCancelled(FORGED, "CancelledError()"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_name_a_call_in_one_line(error: Exception) -> None:
    assert ESCAPED in str(error)
    assert "\n" not in str(error)


def test_an_identity_is_shown_in_one_line_and_kept_as_it_is() -> None:
    identity = Identity(FORGED, "2:aa")
    assert (str(identity), identity.shown) == (f"{ESCAPED}(2:aa)", ESCAPED)
    assert identity.function_id == FORGED


def test_a_durable_id_forges_no_line_where_a_handler_takes_another_path(
    executor: CallExecutor, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(value: Any, ctx: RunnerContext) -> None:
        ctx.durable_execute(str, 1, durable_id=f"{FORGED} again")

    journaled = Slot(FORGED, compute_args_digest((1,), {}), "SUCCEEDED", dump_result("1"), None, 0)
    bench = HandlerBench(handler, executor, DurableOptions(on_mismatch="clear"), [journaled])
    bench.run()
    (message,) = caplog.messages
    assert ESCAPED in message
    assert len(message.splitlines()) == 1
    assert bench.slots[0].function_id == f"{FORGED} again"
