"""The demo's two other processes, each ended with the demo however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_GRACE_SECONDS = 5
# Another Flink, its configuration or its logging would not be the one this package runs on.
_FOREIGN_SETTINGS = (
    "FLINK_HOME",
    "FLINK_CONF_DIR",
    "FLINK_LIB_DIR",
    "FLINK_OPT_DIR",
    "FLINK_PLUGINS_DIR",
    "LOG4J_PROPERTIES",
    "PYFLINK_GATEWAY_PORT",
)


class DemoError(Exception):
    """The demo cannot go on; the text is all the user gets to see."""


@contextmanager
def payment_service(database: Path, seed: int) -> Iterator[str]:
    """Runs the payment service and gives its URL."""
    command = [sys.executable, "-m", "pyflink_durable.demo.service", "--db", str(database)]
    command += ["--seed", str(seed), "--stop-with-stdin"]
    process: subprocess.Popen[str] | None = None
    try:
        with _signals_wait():
            # In a session of its own: a Ctrl-C at the terminal is for the demo, which then ends it.
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not url:
            raise DemoError("the payment service did not start; see its error above")
        yield url
    finally:
        if process is not None:
            _end(process)


@contextmanager
def flink_process(scratch: Path, logs: Path) -> Iterator[None]:
    """Lets PyFlink start its JVM inside this block, and ends that JVM with the block.

    PyFlink keeps no handle of the process it starts and leaves its end to a watchdog that looks
    every ten seconds; the demo wants neither a process nor a file left when it returns.
    """
    from pyflink import java_gateway

    started: list[subprocess.Popen[bytes]] = []
    launch = java_gateway.launch_gateway_server_process

    def launch_and_remember(env: dict[str, str], arguments: list[str]) -> Any:
        with _signals_wait():
            process = launch(env, arguments)
            started.append(process)
        _drain(process, logs / "gateway.err")
        return process

    environment = dict(os.environ)
    _set_environment(scratch, logs)
    java_gateway.launch_gateway_server_process = launch_and_remember
    try:
        yield
    finally:
        java_gateway.launch_gateway_server_process = launch
        os.environ.clear()
        os.environ.update(environment)
        _disconnect()
        for process in started:
            _end(process)


@contextmanager
def _signals_wait() -> Iterator[None]:
    """Lets a process start before a signal ends the demo: who does not know it cannot end it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, frame: arrived.append(number))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for caught in arrived:
            signal.raise_signal(caught)


def _disconnect() -> None:
    """Before the JVM ends: else every Java object still known here complains about its loss."""
    from pyflink import java_gateway

    gateway, java_gateway._gateway = java_gateway._gateway, None
    if gateway is not None:
        gateway.shutdown()


def _set_environment(scratch: Path, logs: Path) -> None:
    """The JVM inherits it, and so does the Python inside that JVM."""
    for name in _FOREIGN_SETTINGS:
        os.environ.pop(name, None)
    # The job's Python is inside the JVM. The server that PyFlink starts for workers outside of it
    # ends with a traceback on Python 3.12.
    os.environ["_python_worker_execution_mode"] = "process"  # noqa: SIM112 - the name is PyFlink's
    jvm = f"-Djava.io.tmpdir={scratch} -XX:ErrorFile={logs}/jvm-error.txt -XX:-UsePerfData"
    # The Python inside the JVM finds its packages by the first python3 on the path.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    os.environ["FLINK_LOG_DIR"] = str(logs)
    os.environ["ROOT_LOG_LEVEL"] = "INFO"  # the job's counters are read from the log
    os.environ["TMPDIR"] = str(scratch)
    os.environ["JVM_ARGS"] = f"{os.environ.get('JVM_ARGS', '')} {jvm}"


def _drain(process: subprocess.Popen[bytes], file: Path) -> None:
    """Nobody reads the pipe that PyFlink opens; a full one would block the JVM."""
    pipe = process.stderr
    assert pipe is not None

    def copy() -> None:
        with file.open("wb") as target:
            for chunk in iter(lambda: pipe.read1(4096), b""):  # type: ignore[attr-defined]
                target.write(chunk)

    threading.Thread(target=copy, name="gateway-stderr", daemon=True).start()


def _end(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
