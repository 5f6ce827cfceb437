"""What /proc says of a process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Footprint:
    """What a process holds; `memory` is resident memory in MiB."""

    threads: int
    files: int
    memory: float

    @classmethod
    def of(cls, pid: int) -> Footprint:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        return cls(thread_count(pid), files, pages * os.sysconf("SC_PAGE_SIZE") / 2**20)


def thread_count(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def is_alive(pid: int) -> bool:
    """Whether there is such a process, and it has not merely not been waited for."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"
