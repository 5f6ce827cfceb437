"""One jar and one wheel on every supported Flink: `make matrix`.

Each cell of the matrix is a virtual environment in .matrix/ with the wheel of this checkout in it,
in which some mini-cluster tests run: failures of jobs at each level, of full gates, savepoints of
this release and of those before it. On another Python than this one's the unit tests run, too. A
cell whose Python is not here is skipped.

    python e2e/matrix.py                all cells
    python e2e/matrix.py --ends         the oldest and the newest Flink only, as CI does
    python e2e/matrix.py 2.1.3-3.11     these cells
    python e2e/matrix.py --savepoint    no tests: make the savepoint of this release
"""

from __future__ import annotations

import argparse
import functools
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENTS = ROOT / ".matrix"
THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
UNIT = [ROOT / "tests" / "unit", ROOT / "tests" / "standard_asyncio"]
MINICLUSTER = ROOT / "tests" / "minicluster"
TESTS = [
    # one job with a call at each level, in each form
    "test_crash_matrix.py::test_what_becomes_of_a_call[in the gate]",
    "test_crash_matrix.py::test_what_becomes_of_a_call[call started, then a checkpoint]",
    "test_crash_matrix.py::test_what_becomes_of_a_call[finalized]",
    "test_failover.py::test_calls_in_flight_at_the_checkpoint_are_in_doubt",
    "test_cluster_modes.py::test_outputs_and_state_exactly_once",
    "test_cluster_modes.py::test_stop_with_savepoint_and_resume_in_another_job",
    # these hang where Flink's mailbox or its recovery is not what the operator takes it for
    "test_gate_waits.py::test_a_full_operator_with_periodic_checkpoints",
    "test_gate_waits.py::test_a_restore_with_more_recovered_elements_than_fit",
    "test_gate_waits.py::test_a_savepoint_while_the_operator_is_full",
    "test_released_savepoints.py",
    "test_snapshots.py",
    # what Flink's own classes are called
    "test_open.py::test_open_learns_of_its_task_and_counts",
]
TOOLS = ["anyio>=4", "attrs", "hypothesis", "opentelemetry-sdk", "pytest>=8", "pytest-timeout"]
_PASSED = re.compile(r"^\d+ passed.*", re.MULTILINE)
_LAST_LINE_OF_PYTEST = re.compile(r"^\d+ (?:failed|passed|error).* in \d.*", re.MULTILINE)


@dataclass(frozen=True)
class Cell:
    """A Flink and a Python by their versions; as text such as ``2.3.0-3.12``."""

    flink: str
    python: str

    @classmethod
    def parse(cls, text: str) -> Cell:
        flink, dash, python = text.partition("-")
        if not (flink and dash and python):
            raise argparse.ArgumentTypeError(f"expected a cell such as {OLDEST}, not {text}")
        return cls(flink, python)

    def __str__(self) -> str:
        return f"{self.flink}-{self.python}"

    def describe(self) -> str:
        return f"Flink {self.flink}, Python {self.python}"


# The newest patch of each Flink; not every pair, but each Flink and each Python.
CELLS = [
    Cell("1.20.5", "3.10"),
    Cell("1.20.5", "3.11"),
    Cell("2.0.2", "3.11"),
    Cell("2.1.3", "3.11"),
    Cell("2.2.1", "3.12"),
    Cell("2.3.0", "3.11"),
    Cell("2.3.0", "3.12"),
]
# Of each line the first cell whose Python is here.
ENDS = [
    [Cell("1.20.5", "3.10"), Cell("1.20.5", "3.11")],
    [Cell("2.3.0", "3.12"), Cell("2.3.0", "3.11")],
]
OLDEST = CELLS[0]


@dataclass(frozen=True)
class Result:
    """What became of a cell; the outcome is ``passed``, ``FAILED`` or ``skipped``."""

    cell: Cell
    outcome: str
    details: str
    seconds: float = 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Tests this checkout's wheel on every Flink.")
    parser.add_argument(
        "cells", nargs="*", type=Cell.parse, metavar="FLINK-PYTHON", help="default: all"
    )
    parser.add_argument("--ends", action="store_true", help="only the oldest and the newest Flink")
    parser.add_argument("--savepoint", action="store_true", help="make this release's savepoint")
    options = parser.parse_args()
    wheel = build_wheel()
    if options.savepoint:
        return make_savepoint(wheel)
    cells = options.cells or (ends() if options.ends else CELLS)
    results = [run_cell(cell, wheel) for cell in cells]
    print("\nFlink   Python  seconds  outcome")
    for result in results:
        versions = f"{result.cell.flink:7} {result.cell.python:7}"
        print(f"{versions} {result.seconds:7.0f}  {result.outcome}: {result.details}")
    outcomes = {result.outcome for result in results}
    if "passed" not in outcomes:
        print("error: no cell has passed", file=sys.stderr)
    return int("FAILED" in outcomes or "passed" not in outcomes)


def ends() -> list[Cell]:
    return [next((one for one in cells if interpreter(one.python)), cells[0]) for cells in ENDS]


def build_wheel() -> Path:
    dist = ENVIRONMENTS / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", dist, ROOT], check=True)
    (wheel,) = dist.glob("*.whl")
    return wheel


def run_cell(cell: Cell, wheel: Path) -> Result:
    print(f"== {cell.describe()}", flush=True)
    started = time.monotonic()
    if interpreter(cell.python) is None:
        return Result(cell, "skipped", f"no Python {cell.python} on the path or in pyenv")
    try:
        environment = install(cell, wheel)
    except subprocess.CalledProcessError:
        return Result(cell, "FAILED", "to install, see above", time.monotonic() - started)
    outcome, details = test(environment, cell)
    return Result(cell, outcome, details, time.monotonic() - started)


@functools.cache
def interpreter(version: str) -> str | None:
    """The Python of a version: on the path, or among pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    candidates = [f"python{version}", *sorted(map(str, pyenv.glob(f"{version}.*/bin/python")))]
    for candidate in candidates:
        try:
            # pyenv's shim is there for every version, and fails for those not chosen.
            subprocess.run(
                [candidate, "-c", "import venv, ensurepip"], check=True, stderr=subprocess.DEVNULL
            )
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    return None


def install(cell: Cell, wheel: Path) -> Path:
    """Makes the environment of a cell, or puts the new wheel into it."""
    environment = ENVIRONMENTS / f"flink-{cell.flink}-python-{cell.python}"
    if not (environment / "bin" / "pip").is_file():
        python = interpreter(cell.python)
        assert python is not None
        subprocess.run([python, "-m", "venv", environment], check=True)
    # -qq: some of what Flink needs makes old versions of pip warn.
    pip = [environment / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "-qq"]
    package = f"{wheel}[agent,crypto,demo,msgspec,offload,zstd]"
    subprocess.run([*pip, "install", f"apache-flink=={cell.flink}", *TOOLS, package], check=True)
    # The wheel's version is the same as before; its content may not be.
    again = ["install", "--force-reinstall", "--no-deps", wheel]
    subprocess.run([*pip, *again], check=True)
    return environment


def variables_of(environment: Path) -> dict[str, str]:
    """Only the wheel: neither this checkout's package nor another Flink."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "FLINK"))}
    variables["PATH"] = f"{environment / 'bin'}{os.pathsep}{variables['PATH']}"
    return variables


def test(environment: Path, cell: Cell) -> tuple[str, str]:
    log = ENVIRONMENTS / f"{cell}.log"
    command = [environment / "bin" / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    tests = [str(MINICLUSTER / name) for name in TESTS]
    if cell.python != THIS_PYTHON:
        tests += map(str, UNIT)
    with log.open("w") as output:
        done = subprocess.run(
            [*command, *tests],
            cwd=ROOT,
            env=variables_of(environment),
            stdout=output,
            stderr=output,
            check=False,
        )
    text = log.read_text()
    passed = _PASSED.search(text)
    if done.returncode == 0 and passed:
        return "passed", passed[0]
    last = _LAST_LINE_OF_PYTEST.search(text)
    print(text[: last.end() if last else None][-8_000:])  # not what is written at its exit
    return "FAILED", f"see {log.relative_to(ROOT)}"


def make_savepoint(wheel: Path) -> int:
    """In the oldest cell, since all that are newer have to read it."""
    if interpreter(OLDEST.python) is None:
        sys.exit(
            f"error: the savepoint is made by {OLDEST.describe()}, and that Python is not here"
        )
    environment = install(OLDEST, wheel)
    command = [environment / "bin" / "python", MINICLUSTER / "make_savepoint.py"]
    return subprocess.run(command, env=variables_of(environment), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
