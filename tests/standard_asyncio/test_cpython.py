"""CPython's own tests of asyncio, on the handlers' loop."""

from __future__ import annotations

import importlib.util
import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from left_out import FAILS, LEFT_OUT_CLASSES, LEFT_OUT_MODULES, MODULES

HERE = Path(__file__).parent
ABSENT = (
    "this Python comes without its own tests, the package `test`: on Debian and Ubuntu install "
    "libpython3-testsuite"
)


def modules_of_asyncio() -> list[str]:
    """Names of CPython's test modules of asyncio; none where they are not installed."""
    if importlib.util.find_spec("test") is None:
        return []
    package = importlib.util.find_spec("test.test_asyncio")
    places = [] if package is None else package.submodule_search_locations
    return sorted(m.name for m in pkgutil.iter_modules(places) if m.name.startswith("test_"))


FOUND = modules_of_asyncio()


def require_cpythons_tests() -> None:
    if not FOUND:
        # on CI they are always run
        (pytest.fail if os.environ.get("CI") else pytest.skip)(ABSENT)


def run(module: str) -> Any:
    finished = subprocess.run(
        [sys.executable, str(HERE / "run_cpython.py"), module],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=HERE,
    )
    assert finished.stdout, finished.stderr[-5_000:]
    return json.loads(finished.stdout.splitlines()[-1])


@pytest.mark.parametrize("module", [name for name in MODULES if name in FOUND or not FOUND])
def test_the_module_passes(module: str) -> None:
    require_cpythons_tests()
    report = run(module)
    assert report["failed"] == {}
    assert report["passed though left out"] == []
    assert report["ran"] > report["left out"]


def test_no_module_is_forgotten() -> None:
    require_cpythons_tests()
    assert not set(FOUND) - set(MODULES) - set(LEFT_OUT_MODULES)
    assert not set(MODULES) & set(LEFT_OUT_MODULES)


def test_the_reasons_are_in_the_docs() -> None:
    concepts = (HERE.parents[1] / "docs" / "concepts.md").read_text()
    in_classes = [reason for classes in LEFT_OUT_CLASSES.values() for reason in classes.values()]
    for reason in {*LEFT_OUT_MODULES.values(), *in_classes, *FAILS.values()}:
        assert f"| {reason} |" in concepts
