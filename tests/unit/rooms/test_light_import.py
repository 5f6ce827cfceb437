"""What it costs a TaskManager to import the package, beside PyFlink."""

from __future__ import annotations

import subprocess
import sys

HEAVY = [
    *("anyio", "click", "cryptography", "fsspec", "httpx", "hypothesis", "msgspec"),
    *("openai", "opentelemetry", "pytest", "rich", "ruamel.yaml", "zstandard"),
]
SECONDS = 0.3
TRIES = 10


def run(code: str) -> str:
    process = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120
    )
    return process.stdout


def test_nothing_is_loaded_that_only_tools_and_tests_need() -> None:
    before = "import sys, pyflink.datastream; before = set(sys.modules); import pyflink_durable; "
    loaded = run(f"{before} print([name for name in {HEAVY} if name in set(sys.modules) - before])")
    assert loaded.strip() == "[]"


def test_it_takes_little_time() -> None:
    """The time of the processor, and the least of several: others use this machine, too."""
    code = (
        "import time, pyflink.datastream; began = time.process_time(); import pyflink_durable; "
        "print(time.process_time() - began)"
    )
    seconds: list[float] = []
    while len(seconds) < TRIES and not (seconds and min(seconds) < SECONDS):
        seconds.append(float(run(code)))
    assert min(seconds) < SECONDS
