"""All that a task has opened is closed: when a part of it raises, and when opening has failed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from host_bench import DESCRIBED, Bridge, Operation

from pyflink_durable import DurableOptions, DurableProcessFunction, RunnerContext
from pyflink_durable.runtime.execution.closing import close_all
from pyflink_durable.runtime.execution.executors import CallExecutor
from pyflink_durable.runtime.operator.function import DurableFunction
from pyflink_durable.runtime.operator.handler_host import HandlerHost


class TestCloseAll:
    def test_each_step_is_taken_in_order(self) -> None:
        taken: list[int] = []
        close_all(lambda: taken.append(1), lambda: taken.append(2))
        assert taken == [1, 2]

    def test_also_behind_one_that_raises(self) -> None:
        taken: list[int] = []

        def fail(message: str) -> Callable[[], None]:
            def step() -> None:
                raise RuntimeError(message)

            return step

        with pytest.raises(RuntimeError, match="second") as failure:
            close_all(
                fail("first"), lambda: taken.append(1), fail("second"), lambda: taken.append(2)
            )
        assert taken == [1, 2]
        assert str(failure.value.__context__) == "first"


class Client:
    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


class Orders(DurableProcessFunction):
    """Opens a client, and fails at what is told."""

    def __init__(self, *fails: str) -> None:
        self.fails = fails
        self.client = Client()
        self.closed = 0

    def open(self, runtime_context: Any) -> None:
        if "open" in self.fails:
            raise LookupError("no such host")

    async def process(self, value: Any, ctx: RunnerContext) -> Any:
        return await ctx.durable_execute_async(str, value)

    def close(self) -> None:
        self.closed += 1
        self.client.close()
        if "close" in self.fails:
            raise RuntimeError("already closed")


class TaskBridge(Bridge):
    def describeTask(self) -> list[Any]:
        return ["job", "task", "task (1/1)", 0, 1, 128, 0]


class Opening:
    """A task whose operation is open as far as PyFlink got."""

    def __init__(self, handler: DurableProcessFunction) -> None:
        self.bridge = TaskBridge()
        self.host = HandlerHost(self.bridge, None, DESCRIBED)
        self.function = DurableFunction(
            handler, DurableOptions(), "closing", "orders-1", can_gate=True
        )


def threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name.startswith("durable-closing")]


class TestAnOpenThatFails:
    def test_the_handler_is_closed_and_no_thread_is_left(self) -> None:
        handler = Orders("open")
        task = Opening(handler)
        with pytest.raises(LookupError, match="no such host"):
            task.function.open(None)
        assert handler.closed == 1
        task.host.close()  # as Java does, whatever has failed
        assert (handler.closed, handler.client.closed) == (1, 1)
        assert threads() == []

    def test_a_close_that_fails_does_not_hide_it(self) -> None:
        handler = Orders("open", "close")
        task = Opening(handler)
        with pytest.raises(LookupError, match="no such host"):
            task.function.open(None)
        assert handler.client.closed == 1
        (line,) = task.bridge.lines
        assert "RuntimeError('already closed') close() failed, too" in line

    def test_a_handler_whose_client_is_not_there_yet(self) -> None:
        handler = Orders("open")
        del handler.client
        task = Opening(handler)
        with pytest.raises(LookupError, match="no such host"):
            task.function.open(None)
        assert "has no attribute 'client'" in task.bridge.lines[0]

    def test_a_thread_that_cannot_be_started(self, monkeypatch: pytest.MonkeyPatch) -> None:
        handler = Orders()
        task = Opening(handler)

        def refuse(self: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            task.function.open(None)  # the watchdog is missed, and nothing else
        task.host.close()
        assert handler.closed == 1

    def test_a_function_behind_it_that_cannot_be_opened(self) -> None:
        handler = Orders()
        task = Opening(handler)
        task.function.open(None)
        task.host.close()  # it was never bound to PyFlink's operation
        assert handler.closed == 1
        assert threads() == []


PARTS = ["_executor", "_tool_executor", "_runner", "_watchdog", "_loop"]


@pytest.mark.parametrize("broken", [*PARTS, "handler"])
def test_what_raises_keeps_nothing_else_open(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = Orders(*(["close"] if broken == "handler" else []))
    task = Opening(handler)
    task.function.open(None)
    task.host.bind(Operation(task.function))
    closed: list[str] = []
    for name in PARTS:
        note_close(getattr(task.function, name), name, broken, closed, monkeypatch)

    with pytest.raises(RuntimeError, match=r"already closed|broken"):
        task.host.close()

    assert sorted(closed) == sorted(PARTS)
    assert handler.closed == 1
    assert threads() == []


def note_close(
    part: Any, name: str, broken: str, closed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    close = part.close

    def noted(*arguments: Any) -> Any:
        closed.append(name)
        result = close(*arguments)
        if name == broken:
            raise RuntimeError("broken")
        return result

    monkeypatch.setattr(part, "close", noted)


def test_functions_behind_are_closed_behind_one_that_raises() -> None:
    task = Opening(Orders("close"))
    task.function.open(None)
    operation = Operation(task.function)
    task.host.bind(operation)
    behind = Client(), Client()
    operation._chained_operations = behind  # type: ignore[assignment]

    with pytest.raises(RuntimeError, match="already closed"):
        task.host.close()

    assert [one.closed for one in behind] == [1, 1]


def test_the_pool_is_closed_behind_an_asyncio_thread_that_raises(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    executor = CallExecutor("closing-pool", 1)
    close, closed = executor._pool.close, []

    def fail(deadline: float) -> list[str]:
        raise RuntimeError("Event loop is closed")

    monkeypatch.setattr(executor._asyncio, "close", fail)
    monkeypatch.setattr(
        executor._pool, "close", lambda deadline: closed.append(deadline) or close(deadline)
    )
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        executor.close(0)
    assert closed == [0]
