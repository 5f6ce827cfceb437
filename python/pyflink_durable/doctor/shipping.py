"""Checks of what the configuration ships with every job: files, packages and archives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pyflink_durable.client.python_setup import check_python
from pyflink_durable.doctor.finding import Finding, error, ok, warning
from pyflink_durable.doctor.settings import Settings
from pyflink_durable.errors import ConfigurationError

_PARTS = ("python.files", "python.requirements", "python.archives")


def check_shipping(settings: Settings, *, is_here: bool) -> Iterator[Finding]:
    """Looks at what is set of ``python.files``, ``python.requirements``, ``python.archives``.

    Args:
        settings: The configuration.
        is_here: Whether its paths are of this machine.
    """
    for option in _PARTS:
        paths = [path.strip() for path in settings.get(option, "").split(",") if path.strip()]
        if paths:
            missing = [path for path in paths if is_here and _is_missing(path)]
            yield _missing(option, missing) if missing else _found(option, paths, settings)


def _is_missing(path: str) -> bool:
    places = [place for place in path.split("#")[:1] if "://" not in place]
    return any(not Path(place).exists() for place in places)


def _missing(option: str, paths: list[str]) -> Finding:
    return error(
        option,
        f"there is no {', '.join(paths)}",
        "Each job ships it, and none can be submitted without it: correct the path, or leave it "
        "out.",
    )


def _found(option: str, paths: list[str], settings: Settings) -> Finding:
    if option == "python.archives":
        try:
            check_python(settings)
        except ConfigurationError as problem:
            return error(option, str(problem), "Name a Python that is on the TaskManagers.")
    if option == "python.requirements" and "#" not in paths[0]:
        return warning(
            option,
            f"{paths[0]}: each attempt of a job asks the package index, and fails without it",
            "Install the packages in the TaskManagers' Python, or ship wheels with it: "
            "requirements.txt#folder.",
        )
    return ok(option, ", ".join(paths))
