"""Crashes inside of a function: it stops at its second line."""

from __future__ import annotations

import sys
from functools import lru_cache, partial
from types import CodeType
from typing import Any

from pyflink_durable.checks.arguments import is_coroutine_function
from pyflink_durable.runtime.execution.execution import Execution
from pyflink_durable.testing.crashes import Crashed


def _code_of(func: Any) -> Any:
    while isinstance(func, partial):
        func = func.func
    return getattr(getattr(func, "__func__", func), "__code__", None)


def has_a_second_line(func: Any) -> bool:
    """Whether an ordinary function has a line that a crash can keep from running."""
    code = _code_of(func)
    return code is not None and not is_coroutine_function(func) and _has_lines(code)


@lru_cache(1_000)
def _has_lines(code: CodeType) -> bool:
    lines = {line for _, _, line in code.co_lines() if line not in (None, code.co_firstlineno)}
    return len(lines) > 1


def run_first_line(execution: Execution) -> None:
    """Runs a function until it comes to its second line."""
    code, lines = _code_of(execution.func), 0

    def trace(frame: Any, event: str, arg: Any) -> Any:
        nonlocal lines
        if frame.f_code is not code:
            return None
        if event == "line":
            lines += 1
            if lines > 1:
                raise Crashed
        return trace

    tracing = sys.gettrace()
    sys.settrace(trace)
    try:
        execution.run()
    finally:
        sys.settrace(tracing)
