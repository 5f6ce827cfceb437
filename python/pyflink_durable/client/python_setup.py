"""The Python that a job names for its TaskManagers, looked at when the graph is built."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import PurePosixPath

from pyflink_durable.errors import ConfigurationError

_LOCAL = ("local", "minicluster")


def local_python(settings: Mapping[str, str]) -> str | None:
    """The Python that a job needs to be told of: this one, if it runs in this program's JVM.

    Flink's default is whatever ``python`` is on the PATH, which is another one where a virtual
    environment is used without being activated.

    Args:
        settings: The job's configuration.

    Returns:
        A path; None if there is nothing to tell.
    """
    is_local = settings.get("execution.target") in _LOCAL
    return sys.executable if is_local and not settings.get("python.executable") else None


def check_python(settings: Mapping[str, str]) -> None:
    """Checks that the named Python is not in an archive of the job.

    Args:
        settings: The job's configuration.

    Raises:
        ConfigurationError: It is.
    """
    executable = settings.get("python.executable", "")
    if PurePosixPath(executable).parts[:1] in [(target,) for target in archive_targets(settings)]:
        raise ConfigurationError(
            f"python.executable is {executable!r}, a Python in one of the job's python.archives. "
            "Durable operators run in the Python that a TaskManager's process loads once, for all "
            "jobs and attempts, and that one is gone with the job's files. Install the packages in "
            "the TaskManagers' own Python and name that, or bring them by python.requirements or "
            "python.files"
        )


def archive_targets(settings: Mapping[str, str]) -> list[str]:
    """The names of the folders that the job's archives are unpacked to."""
    archives = settings.get("python.archives", "")
    paths = (path.strip().partition("#") for path in archives.split(",") if path.strip())
    return [target or PurePosixPath(path).name for path, _, target in paths]
