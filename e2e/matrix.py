"""One jar and one wheel on every supported Flink: `make matrix`.

Each cell of the matrix is a virtual environment in .matrix/ with the wheel of this checkout in it,
in which a few mini-cluster tests run: failovers, a savepoint, an outage of the source.

    python e2e/matrix.py                all cells
    python e2e/matrix.py --ends         the oldest and the newest Flink only, as CI does
    python e2e/matrix.py 2.1.3-3.11     these cells
"""

from __future__ import annotations

import argparse
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
# The newest patch of each Flink; not every pair, but each Flink and each Python.
CELLS = ["1.20.5-3.10", "1.20.5-3.11", "2.0.2-3.11", "2.1.3-3.11", "2.2.1-3.12", "2.3.0-3.11"]
CELLS += ["2.3.0-3.12"]
ENDS = ["1.20.5-3.11", "2.3.0-3.11"]
TESTS = ["tests/minicluster/test_failover.py", "tests/minicluster/test_cluster_modes.py"]
SELECTION = "(checkpoint and (pool or coroutine or def)) or savepoint"
TOOLS = ["pytest>=8", "pytest-timeout"]
_PASSED = re.compile(r"^\d+ passed.*", re.MULTILINE)


@dataclass(frozen=True)
class Result:
    """What became of a cell; `outcome` begins with the word that counts."""

    cell: str
    outcome: str
    seconds: float

    @property
    def has_failed(self) -> bool:
        return not self.outcome.startswith(("passed", "skipped"))


def main() -> int:
    parser = argparse.ArgumentParser(description="Tests this checkout's wheel on every Flink.")
    parser.add_argument("cells", nargs="*", metavar="FLINK-PYTHON", help="default: all")
    parser.add_argument("--ends", action="store_true", help="only the oldest and the newest Flink")
    options = parser.parse_args()
    cells = options.cells or (ENDS if options.ends else CELLS)
    wheel = build_wheel()
    results = [run_cell(cell, wheel) for cell in cells]
    print("\nFlink   Python  seconds  outcome")
    for result in results:
        flink, python = result.cell.split("-")
        print(f"{flink:7} {python:7} {result.seconds:7.0f}  {result.outcome}")
    return int(any(result.has_failed for result in results))


def build_wheel() -> Path:
    dist = ENVIRONMENTS / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", dist, ROOT], check=True)
    (wheel,) = dist.glob("*.whl")
    return wheel


def run_cell(cell: str, wheel: Path) -> Result:
    flink, python = cell.split("-")
    print(f"== Flink {flink}, Python {python}", flush=True)
    started = time.monotonic()
    interpreter = find_python(python)
    if interpreter is None:
        return Result(cell, f"skipped: no Python {python} here", 0)
    environment = ENVIRONMENTS / f"flink-{flink}-python-{python}"
    install(environment, interpreter, flink, wheel)
    return Result(cell, test(environment, cell), time.monotonic() - started)


def find_python(version: str) -> str | None:
    """An interpreter by its version: on the path, or among pyenv's."""
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


def install(environment: Path, interpreter: str, flink: str, wheel: Path) -> None:
    if not (environment / "bin" / "python").is_file():
        subprocess.run([interpreter, "-m", "venv", environment], check=True)
    pip = [environment / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "install", f"apache-flink=={flink}", *TOOLS, wheel], check=True)
    # The wheel's version is the same as before; its content may not be.
    again = ["install", "--force-reinstall", "--no-deps", wheel]
    subprocess.run([*pip, *again], check=True)


def test(environment: Path, cell: str) -> str:
    log = ENVIRONMENTS / f"{cell}.log"
    # Only the wheel: neither this checkout's package nor another Flink.
    variables = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "FLINK"))}
    variables["PATH"] = f"{environment / 'bin'}{os.pathsep}{variables['PATH']}"
    command = [environment / "bin" / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    with log.open("w") as output:
        done = subprocess.run(
            [*command, "-k", SELECTION, *TESTS],
            cwd=ROOT,
            env=variables,
            stdout=output,
            stderr=output,
            check=False,
        )
    passed = _PASSED.search(log.read_text())
    if done.returncode == 0 and passed:
        return f"passed: {passed[0]}"
    return f"FAILED, see {log.relative_to(ROOT)}"


if __name__ == "__main__":
    sys.exit(main())
