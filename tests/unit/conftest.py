"""What the unit tests share: threads that end with the test, and journals of every kind."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from bridges import JavaCursor, JavaSlots, PythonSixMethods, TestedJournal
from host_bench import Task
from kept_journals import KeptJournals
from recordings import recordings
from replays import replay_all

from pyflink_durable import DurableOptions
from pyflink_durable.runtime.execution.executors import CallExecutor


@pytest.fixture
def executor() -> Iterator[CallExecutor]:
    executor = CallExecutor("test-call", 4)
    yield executor
    assert executor.close(time.monotonic() + 10) == []


@pytest.fixture
def new_task() -> Iterator[Callable[..., Task]]:
    """Makes a task with one host, of a handler and the options of its operator."""
    tasks: list[Task] = []

    def new_task(handler: Callable[..., Any], **options: Any) -> Task:
        tasks.append(Task(handler, DurableOptions(**options)))
        return tasks[-1]

    yield new_task
    for task in tasks:
        task.host.close()


@pytest.fixture(scope="session")
def new_java_journal() -> Callable[[Any], Any]:
    """Makes a `CursorJournal` in the gateway's JVM, from the calls of another journal."""
    from pyflink.java_gateway import get_gateway
    from pyflink.util.java_utils import add_jars_to_context_class_loader

    from pyflink_durable.client.jars import bridge_jar

    gateway = get_gateway()
    add_jars_to_context_class_loader([bridge_jar().as_uri()])
    loader = gateway.jvm.Thread.currentThread().getContextClassLoader()
    journal_class = loader.loadClass("pyflink.durable.journal.CursorJournal")
    parameters = gateway.new_array(gateway.jvm.Class, 1)
    parameters[0] = loader.loadClass("java.util.SortedMap")
    restore = journal_class.getMethod("restore", parameters)

    def new_journal(calls: Any) -> Any:
        saved = gateway.jvm.java.util.TreeMap()
        for slot, call in enumerate(calls):
            saved.put(slot, call)
        arguments = gateway.new_array(gateway.jvm.Object, 1)
        arguments[0] = saved
        return restore.invoke(None, arguments)

    return new_journal


@pytest.fixture(params=["six-methods", "java-cursor", "java-slots"])
def journal(request: pytest.FixtureRequest) -> TestedJournal:
    if request.param == "six-methods":
        return PythonSixMethods()
    new_journal = request.getfixturevalue("new_java_journal")
    return JavaCursor(new_journal) if request.param == "java-cursor" else JavaSlots(new_journal)


# -------------------------------------------------------------------- replays


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Replays what handlers did on a `HandlerBench`, when the test has passed."""
    with recordings() as recorded:
        result = yield
    if pyfuncitem.get_closest_marker("one_run") is not None:
        return result
    for recording in recorded:
        replay_all(recording)
    kept = KeptJournals.of(pyfuncitem)
    if kept is not None:
        kept.exchange(recorded)
    return result
