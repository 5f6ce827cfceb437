"""Checks of a running cluster, by its REST API."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

from pyflink_durable.doctor import versions
from pyflink_durable.doctor.checkpoints import check_checkpoints
from pyflink_durable.doctor.finding import Finding, error, ok, warning
from pyflink_durable.doctor.home import (
    PYTHON_IN_LIB,
    check_cluster_version,
    check_python_executable,
)
from pyflink_durable.doctor.settings import check_opens, check_settings
from pyflink_durable.doctor.shipping import check_shipping

_PATIENCE_SECONDS = 10


def check_cluster(address: str) -> Iterator[Finding]:
    """Looks at a cluster by the address of its JobManager: ``host:port`` or a URL."""
    url = address if "://" in address else f"http://{address}"
    try:
        version = str(_get(url, "/config")["flink-version"])
        environment = _get(url, "/jobmanager/environment")
        entries = _get(url, "/jobmanager/config")
        taskmanagers = _get(url, "/taskmanagers")["taskmanagers"]
    except (OSError, ValueError, KeyError) as problem:
        yield error(
            "cluster",
            f"{url} does not answer as Flink's REST API: {problem}",
            "Give rest.address and rest.port of the JobManager, by default port 8081.",
        )
        return
    settings = {entry["key"]: entry["value"] for entry in entries}
    yield check_cluster_version(version)
    yield _java(versions.version_of(version), environment["jvm"]["version"])
    yield _flink_python(environment["classpath"])
    yield check_opens(" ".join(environment["jvm"]["options"]))
    yield _taskmanagers(len(taskmanagers))
    yield from check_settings(settings)
    yield from check_shipping(settings, is_here=False)
    yield check_python_executable(settings, is_here=False)
    yield from _checkpoints(url)


def _checkpoints(url: str) -> Iterator[Finding]:
    try:
        yield from check_checkpoints(lambda path: _get(url, path))
    except (OSError, ValueError, KeyError) as problem:
        yield warning(
            "checkpoints from here",
            f"{url} does not tell of its jobs: {problem}",
            "Ask again when the JobManager is less busy.",
        )


def _get(url: str, path: str) -> Any:
    # No proxy: a cluster is inside.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(url.rstrip("/") + path, timeout=_PATIENCE_SECONDS) as answer:
        return json.load(answer)


def _java(flink: versions.Version, jvm: str) -> Finding:
    # "OpenJDK 64-Bit Server VM - Debian - 17/17.0.15+6"
    name, _, found = jvm.rpartition(" - ")
    number = found.split("/")[0].removeprefix("1.").split(".")[0]
    supported = versions.java_versions(flink)
    if number.isdecimal() and int(number) not in supported:
        return error(
            "cluster java",
            f"Java {number} does not go with this Flink",
            f"Run the cluster with Java {supported[-1]}.",
        )
    return ok("cluster java", f"{found} ({name})")


def _flink_python(classpath: list[str] | str) -> Finding:
    if "flink-python" not in str(classpath):
        return error(
            "flink-python", "the JobManager was started without flink-python", PYTHON_IN_LIB
        )
    return ok("flink-python", "flink-python is in the JobManager's lib/")


def _taskmanagers(count: int) -> Finding:
    if count == 0:
        return error(
            "TaskManagers",
            "no TaskManager is registered, so no job can run",
            "Start one, and look into its log if it does not register.",
        )
    return ok("TaskManagers", f"{count} registered")
