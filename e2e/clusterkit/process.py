"""A process on a leash: its log, its process id, and the signals that tests send to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from clusterkit.waiting import wait_until

_LEASH = Path(__file__).with_name("leash.py")
_TAIL_LINES = 60


class ProcessFailed(Exception):
    """A process ended that should not have; the text has the end of its log."""


class Process:
    """One program of a test; see `leash`."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        *,
        environment: Mapping[str, str] | None = None,
        restart: bool = False,
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.out"
        self._pid_file = folder / f"{name}.pid"
        self._pid_file.unlink(missing_ok=True)
        options = ["--restart"] if restart else []
        with self.log.open("ab") as log:
            self._leash = subprocess.Popen(
                [sys.executable, "-I", str(_LEASH), *options, str(self._pid_file), *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=dict(environment) if environment is not None else None,
                cwd=folder,
                start_new_session=True,
            )
        wait_until(self._pid_file.exists, f"the start of {name}", seconds=30)

    @property
    def pid(self) -> int:
        """The process of the moment; after a restart it is another."""
        return int(self._pid_file.read_text())

    def send(self, number: signal.Signals) -> int:
        """Sends a signal to the whole process group and gives the process id it had."""
        pid = self.pid
        os.killpg(pid, number)
        return pid

    def kill(self) -> int:
        """``kill -9``; with a restarting leash, another one takes its place."""
        return self.send(signal.SIGKILL)

    def check(self) -> None:
        """Raises if the program has ended for good."""
        if self._leash.poll() is not None:
            raise ProcessFailed(f"{self.name} has ended; its log ends with\n{self.tail()}")

    def tail(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])

    def stop(self) -> None:
        assert self._leash.stdin is not None
        self._leash.stdin.close()
        self._leash.wait(30)
