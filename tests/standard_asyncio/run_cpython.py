"""Runs one module of CPython's own asyncio tests on the handlers' loop.

In a process of its own, since these tests change what a process has only once. The last line of its
output is what came of them, as JSON.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import signal
import sys
import unittest
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "unit"))

from driven_loop import DrivenLoop
from left_out import FAILS, LEFT_OUT_CLASSES
from virtual_loop import CLOCK, VirtualLoop

from pyflink_durable.runtime.loop.invocation_tasks import NumberedTask


class Policy(asyncio.DefaultEventLoopPolicy):
    """Every new loop is the handlers'."""

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        return DrivenLoop()


def use_the_handlers_loop(module: ModuleType) -> None:
    """Has the tests of a module make the handlers' loop, and the handlers' tasks."""
    CLOCK.install()
    utils = importlib.import_module("test.test_asyncio.utils")
    utils.TestLoop = VirtualLoop  # type: ignore[attr-defined]
    set_policy = asyncio.set_event_loop_policy
    set_policy(Policy())
    # each module takes the policy back that it found at its start
    asyncio.set_event_loop_policy = lambda policy: set_policy(policy or Policy())
    if hasattr(module, "CTask_CFuture_Tests"):
        module.CTask_CFuture_Tests.Task = NumberedTask


def tests_of(suite: Any) -> Iterator[Any]:
    for part in suite:
        if isinstance(part, unittest.TestSuite):
            yield from tests_of(part)
        else:
            yield part


def main(name: str) -> None:
    # a shell has what it starts in the background ignore it, and these tests interrupt themselves
    signal.signal(signal.SIGINT, signal.default_int_handler)
    module = importlib.import_module(f"test.test_asyncio.{name}")
    use_the_handlers_loop(module)
    for left_out in LEFT_OUT_CLASSES.get(name, ()):
        vars(module).pop(left_out, None)
    suite = unittest.defaultTestLoader.loadTestsFromModule(module)
    for test in tests_of(suite):
        name = test._testMethodName
        if name in FAILS or f"{type(test).__name__}.{name}" in FAILS:
            test.__unittest_expecting_failure__ = True
    result = unittest.TextTestRunner(stream=sys.stderr).run(suite)
    report = {
        "ran": result.testsRun,
        "failed": {test.id(): text for test, text in [*result.failures, *result.errors]},
        "passed though left out": [test.id() for test in result.unexpectedSuccesses],
        "left out": len(result.expectedFailures),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1])
