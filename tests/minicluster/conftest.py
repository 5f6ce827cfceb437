"""Jobs on Flink's embedded mini-cluster; all of them in one JVM, with one Python inside."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from crashkit import World


def _let_jobs_import_tests() -> None:
    """The Python inside the JVM imports this folder's modules; it reads PYTHONPATH once.

    Here and not in a fixture, since a test of another folder may be the first to start the JVM.
    """
    here = Path(__file__).parent
    agent = here.parents[1] / "examples" / "agent"
    type_cases = here.parent / "unit"
    paths = [str(here), str(agent), str(type_cases), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    sys.path.append(str(type_cases))


def _start_no_server_per_job() -> None:
    """PyFlink has this process serve each job's Python workers, and never ends the servers.

    Hundreds of jobs make hundreds of threads; Python 3.12 fails at its exit for them. The workers
    of these tests run in processes of their own, as on a cluster.
    """
    os.environ["_python_worker_execution_mode"] = "process"  # noqa: SIM112 - PyFlink's name


_let_jobs_import_tests()
_start_no_server_per_job()


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An outside world of the test's own."""
    return World(str(tmp_path))
