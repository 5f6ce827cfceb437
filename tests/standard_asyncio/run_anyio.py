"""Runs anyio's own tests on the handlers' loop, as far as they need no I/O and no threads.

anyio's wheel has no tests, its source distribution does: that of the version installed here is
fetched by pip and kept in a folder. Its tests run as they are. They know three event loops, one of
which is uvloop; a module of that name, in stand_ins, is the handlers' loop.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE.parents[1] / ".anyio"
TESTS = [
    "test_concurrency_utils.py",
    "test_contextmanagers.py",
    "test_eventloop.py",
    "test_functools.py",
    "test_futures.py",
    "test_itertools.py",
    "test_lowlevel.py",
    "test_synchronization.py",
    "test_taskgroups.py",
    "streams/test_buffered.py",
    "streams/test_memory.py",
    "streams/test_stapled.py",
    "streams/test_text.py",
]
"""Those that this version has; the others need files, sockets, processes, signals or threads."""

PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


def fetch() -> Path:
    """The source of anyio, and what its tests need, in the folder."""
    name = f"anyio-{version('anyio')}"
    source = FOLDER / name
    if not source.is_dir():
        FOLDER.mkdir(exist_ok=True)
        sdist = ["download", "--no-deps", "--no-binary", "anyio", "--dest", FOLDER]
        subprocess.run([*PIP, *sdist, name.replace("-", "==")], check=True)
        with tarfile.open(FOLDER / f"{name}.tar.gz") as archive:
            archive.extractall(FOLDER, filter="data")
    if not (FOLDER / "needs").is_dir():
        needs = ["install", "--no-deps", "--target", FOLDER / "needs", "pytest-mock"]
        subprocess.run([*PIP, *needs], check=True)
    return source


def main() -> int:
    source = fetch()
    tests = [f"tests/{name}" for name in TESTS if (source / "tests" / name).is_file()]
    options = ["-q", "-c", os.devnull, "--rootdir", ".", "-o", "anyio_mode=auto", "-k", "uvloop"]
    plugins = ["-p", "anyio", "-p", "pytest_mock", "-p", "no:cacheprovider", "--timeout", "60"]
    path = os.pathsep.join(map(str, [FOLDER / "needs", HERE / "stand_ins"]))
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *plugins, *tests],
        cwd=source,
        env={**os.environ, "PYTHONPATH": path},
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
