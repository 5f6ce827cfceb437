"""No file of the package is longer than 300 lines and no function than 60, as in Java.

Unless a sentence at its head says why, which begins as the constants here do.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pyflink_durable

FILE_LINES = 300
FILE_REASON = "Over 300 lines: "
FUNCTION_LINES = 60
FUNCTION_REASON = "Over 60 lines: "

PACKAGE = Path(pyflink_durable.__file__).parent
Function = ast.FunctionDef | ast.AsyncFunctionDef


@lru_cache
def sources() -> dict[str, str]:
    found = sorted(PACKAGE.rglob("*.py"))
    assert len(found) > 200
    return {str(file.relative_to(PACKAGE)): file.read_text() for file in found}


def functions(source: str) -> Iterator[Function]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Function):
            yield node


def lines_of(function: Function) -> int:
    """Its lines without those of its docstring, as a method's Javadoc stands outside of it."""
    assert function.end_lineno is not None
    first = min(node.lineno for node in [function, *function.decorator_list])
    lines = function.end_lineno - first + 1
    if ast.get_docstring(function, clean=False) is None:
        return lines
    docstring = function.body[0]
    assert docstring.end_lineno is not None
    return lines - (docstring.end_lineno - docstring.lineno + 1)


def functions_longer_than(limit: int) -> list[str]:
    return [
        f"{name} {function.name}: {lines}"
        for name, source in sources().items()
        for function in functions(source)
        if (lines := lines_of(function)) > limit
        and FUNCTION_REASON not in (ast.get_docstring(function) or "")
    ]


def files_longer_than(limit: int) -> dict[str, int]:
    lengths = {name: len(source.splitlines()) for name, source in sources().items()}
    return {name: lines for name, lines in lengths.items() if lines > limit}


def test_no_file_is_too_long() -> None:
    too_long = files_longer_than(FILE_LINES)
    heads = {name: ast.get_docstring(ast.parse(sources()[name])) or "" for name in too_long}
    assert [(name, too_long[name]) for name in heads if FILE_REASON not in heads[name]] == []


def test_no_function_is_too_long() -> None:
    assert functions_longer_than(FUNCTION_LINES) == []


def test_functions_are_found() -> None:
    """Else the test above would pass whatever there is."""
    assert functions_longer_than(FUNCTION_LINES // 2) != []
