"""Checks of where a write-ahead log is to go: a local directory, or Kafka."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from pathlib import Path

from pyflink_durable.doctor.finding import Finding, error, ok, warning

_PATIENCE_SECONDS = 5.0
_SLOW_MILLISECONDS = 50.0
_SYNCS = 5


def check_log_directory(directory: Path) -> Finding:
    """Whether a file can be written and forced to the disk, and how long that takes."""
    check = "log directory"
    remedy = "Give an existing directory on a local disk that the TaskManager's user may write to."
    try:
        with tempfile.NamedTemporaryFile(dir=directory, prefix=".doctor-") as file:
            started = time.perf_counter()
            for _ in range(_SYNCS):
                file.write(b"x" * 128)
                file.flush()
                os.fsync(file.fileno())
            took = (time.perf_counter() - started) / _SYNCS * 1000
    except OSError as problem:
        return error(check, f"{directory}: {problem.strerror or problem}", remedy)
    if took > _SLOW_MILLISECONDS:
        return warning(
            check,
            f"{directory}: forcing a write to the disk takes {took:.0f} ms, as each append will",
            "Use a faster disk.",
        )
    return ok(check, f"{directory}: forcing a write to the disk takes {took:.1f} ms")


def check_log_kafka(bootstrap: str) -> list[Finding]:
    """Whether each broker of ``host:port,host:port`` takes a connection."""
    return [_broker(one.strip()) for one in bootstrap.split(",")]


def _broker(address: str) -> Finding:
    check = "log brokers"
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        return error(check, f"{address!r} is not host:port", "Give host:port, as in broker-1:9092.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _PATIENCE_SECONDS).close()
    except (OSError, OverflowError) as problem:
        return error(
            check,
            f"{address} takes no connection: {problem}",
            "Check the address, and that the TaskManagers reach it; the broker must run.",
        )
    return ok(check, f"{address} takes connections")
