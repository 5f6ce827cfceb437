"""Nothing that a test has started outlives the test run, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from clusterkit import wait_until
from clusterkit.procfs import is_alive

RUN = """
import signal, sys, time
from pathlib import Path
from clusterkit import Cluster, Payments
# what a shell runs in the background ignores it, and hands that down
signal.signal(signal.SIGINT, signal.default_int_handler)
folder = Path(sys.argv[1])
with Payments.running(folder), Cluster(folder / "cluster", taskmanagers=1) as cluster:
    print("ready", flush=True)
    time.sleep(600)
"""


def started_in(folder: Path) -> list[int]:
    return [int(file.read_text()) for file in folder.rglob("*.pid") if file.read_text().isdecimal()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_cluster_ends_with_the_run_that_started_it(number: int, tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.Popen(
        [sys.executable, "-c", RUN, str(tmp_path)], stdout=subprocess.PIPE, env=environment
    )
    assert run.stdout is not None
    with run.stdout:
        assert run.stdout.readline() == b"ready\n"
        processes = started_in(tmp_path)
        assert len(processes) >= 3
        run.send_signal(number)
        run.wait(30)

    wait_until(lambda: not any(map(is_alive, processes)), "the end of all processes", 30)
