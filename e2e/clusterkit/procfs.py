"""What /proc says of a process."""

from __future__ import annotations

import contextlib
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


def listening_ports(pid: int) -> set[int]:
    """The TCP ports on which a process listens."""
    files = _open_files(pid)
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in files:
                ports.add(int(fields[1].rsplit(":", 1)[1], 16))
    return ports


def _open_files(pid: int) -> set[str]:
    """What its file descriptors are, such as ``socket:[123]``."""
    files = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed since
            files.add(os.readlink(descriptor))
    return files
