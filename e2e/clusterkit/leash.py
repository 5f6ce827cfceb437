"""Runs a command in a process group of its own and never lets it outlive the test run.

    python leash.py [--restart] PID_FILE COMMAND...

The group is killed when standard input ends: when the test closes it, and when the test run itself
is gone, however it ended. With ``--restart`` the command is started again whenever it ends, as
Kubernetes would. PID_FILE names the process of the moment, which leads its group.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

_LOOK_AGAIN_SECONDS = 0.05
_BEFORE_RESTART_SECONDS = 0.3


def main(arguments: list[str]) -> int:
    restart = arguments[0] == "--restart"
    pid_file, *command = arguments[1:] if restart else arguments
    # Ctrl-C at the terminal is for the test run, which then lets go of this process.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        child = _start(command, Path(pid_file))
        let_go = _wait(child)
        if let_go or not restart:
            return 0 if let_go else child.returncode
        time.sleep(_BEFORE_RESTART_SECONDS)


def _start(command: list[str], pid_file: Path) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    partial = pid_file.with_suffix(".partial")
    partial.write_text(str(child.pid))
    partial.replace(pid_file)
    return child


def _wait(child: subprocess.Popen[bytes]) -> bool:
    """Whether the test let go, rather than the command ended. Its group is gone either way."""
    try:
        while child.poll() is None:
            readable, _, _ = select.select([0], [], [], _LOOK_AGAIN_SECONDS)
            if readable and not os.read(0, 1024):
                return True
        return False
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
