"""Many failovers in one TaskManager: what a failed attempt leaves behind adds up."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from clusterkit import Cluster, wait_until
from clusterkit.procfs import Footprint

JOB = Path(__file__).parent / "jobs" / "failing.py"
FAILOVERS = int(os.environ.get("FAILOVERS", "200"))
SETTINGS = {
    # No pause between attempts: hundreds in minutes.
    "restart-strategy.fixed-delay.delay": "1 ms",
    "restart-strategy.fixed-delay.attempts": "100000",
    "execution.checkpointing.interval": "100 ms",
    "execution.checkpointing.min-pause": "0 ms",
}
MORE_MIB = 24.0
MORE_THREADS = 10
MORE_FILES = 10


def footprint(pid: int) -> Footprint:
    """What the process holds after a garbage collection."""
    subprocess.run(["jcmd", str(pid), "GC.run"], check=True, capture_output=True)
    return Footprint.of(pid)


def test_threads_files_and_memory_stay_flat(cluster: Cluster) -> None:
    job = cluster.submit(JOB, settings=SETTINGS)
    taskmanager = cluster.busy_taskmanager(job, "failing")
    pid = taskmanager.pid
    prints = []
    # The first quarter warms up: classes, compiled code, pools.
    for quarter in range(1, 5):
        failovers = FAILOVERS * quarter // 4
        wait_until(lambda n=failovers: job.restarts() >= n, f"{failovers} failovers", 300)
        prints.append(footprint(pid))
        print(f"{failovers:5} failovers: {prints[-1]}")
    job.cancel()

    assert taskmanager.pid == pid, "it was another TaskManager in the end"
    warm, last = prints[0], prints[-1]
    assert last.threads <= warm.threads + MORE_THREADS
    assert last.files <= warm.files + MORE_FILES
    assert last.memory <= warm.memory + MORE_MIB
