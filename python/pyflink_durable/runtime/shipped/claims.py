"""Sees to it that a job gets the modules that it has brought, or says why it cannot."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from threading import RLock
from typing import SupportsIndex

from pyflink_durable.errors import ConfigurationError
from pyflink_durable.runtime.shipped.folder import JobFiles, Unit, folder_of
from pyflink_durable.runtime.shipped.modules import (
    LoadedUnit,
    clear_search_path,
    loaded_from_elsewhere,
    loaded_units,
)

_APART = "Let each job have TaskManagers of its own: one slot each (taskmanager.numberOfTaskSlots)"

_lock = RLock()
_known: dict[str, JobFiles] = {}
"""What jobs of this process have brought, by folder. As `sys.modules`, it is the interpreter's."""


def claim(job: str, folder: str, warn: Callable[[str], None]) -> None:
    """Gives a job its own modules; to be called before code of the job is loaded.

    Args:
        job: The job's name.
        folder: Where PyFlink has unpacked its files.
        warn: Logs a line.

    Raises:
        ConfigurationError: It cannot have its own while others have theirs.
    """
    with _lock:
        own = _known.get(folder)
        is_new = own is None
        own = own or JobFiles.of(job, folder, sys.path)
        others = _running_beside(own)
        for other in others:
            _refuse_other_content(own, other)
            _refuse_other_archives(own, other)
        _settle(own, others)
        _known[folder] = own
        _share(own, others)
        _watch_search_path()
        if own.archives is not None:
            os.chdir(own.archives)  # PyFlink does so in the job's first attempt only
        if is_new and (elsewhere := loaded_from_elsewhere(own)):
            warn(_not_its_own(own, elsewhere))


def _running_beside(own: JobFiles) -> list[JobFiles]:
    """The jobs whose tasks are open in this process, also those without a durable operator."""
    for folder in {found for path in sys.path if (found := folder_of(path))}:
        if folder != own.folder and folder not in _known:
            _known[folder] = JobFiles.of("without durable operators", folder, sys.path)
    return [one for one in _known.values() if one.folder != own.folder and one.is_there]


def forget_ended_jobs() -> None:
    """Drops what is loaded of jobs that are gone from this process."""
    with _lock:
        _settle(None, [one for one in _known.values() if one.is_there])


def _settle(own: JobFiles | None, others: list[JobFiles]) -> None:
    """Finds the fate of what ended jobs have left.

    A unit goes on with another job's files if that uses it; with those of this job if it is of
    machine code, which most often cannot be loaded twice. What lies beside compiled units goes on
    with them if it has not changed: they hold objects of it. All else is dropped.
    """
    left = [one for one in loaded_units(_known) if not os.path.isdir(one.folder)]
    compiled_roots = {one.unit.root for one in left if one.unit and one.is_compiled}
    drops: list[LoadedUnit] = []
    moves: list[tuple[LoadedUnit, Unit]] = []
    clashes: list[str] = []
    for one in left:
        stays = one.is_compiled or (one.unit is not None and one.unit.root in compiled_roots)
        mine = own.units.get(one.name) if own is not None and stays else None
        heirs = [*(other.units.get(one.name) for other in others), mine]
        heir = next((heir for heir in heirs if heir and heir.is_like(one.unit)), None)
        if heir is not None:
            moves.append((one, heir))
        elif one.is_compiled and mine is not None:
            clashes.append(one.name)
        elif not one.is_compiled and (own is not None or not stays):
            drops.append(one)
    if clashes:
        raise _cannot_load_twice(own, clashes)
    for one in drops:
        one.drop()
    for one, heir in moves:
        one.move(heir)
    clear_search_path(os.path.isdir)
    used = {one.folder for one in loaded_units(_known)}
    for folder in [f for f in _known if f not in used and not os.path.isdir(f)]:
        del _known[folder]


def _share(own: JobFiles, others: list[JobFiles]) -> None:
    """What another job has loaded of the same content serves both, also when that job has ended."""
    running = {other.folder for other in others}
    for one in loaded_units(_known):
        mine = own.units.get(one.name)
        if one.folder in running and one.unit is not None and mine is not None:
            one.look_also_in(mine)


class _SearchPath(list[str]):
    """``sys.path``, on which PyFlink puts a job's files for each operator that it opens.

    So it is known that a job comes, before any operator of it has loaded its code: those of PyFlink
    itself in thread mode ask nobody.
    """

    def insert(self, index: SupportsIndex, path: str) -> None:
        if folder_of(path) is not None and path not in self:
            forget_ended_jobs()
        super().insert(index, path)


def _watch_search_path() -> None:
    if not isinstance(sys.path, _SearchPath):
        sys.path = _SearchPath(sys.path)


# ------------------------------------------------------------------------------ what is refused


def _refuse_other_content(own: JobFiles, other: JobFiles) -> None:
    clashes = {
        name
        for one, another in ((own, other), (other, own))
        for name, unit in one.units.items()
        if (found := another.find(name)) and not found[1].is_like(unit)
    }
    if clashes:
        raise ConfigurationError(
            f"job {own.job!r} brings {_listed(clashes)} with other content than job "
            f"{other.job!r}, which runs in the same TaskManager: its one Python has one module of "
            f"a name, and one of the jobs would run the other's code. {_APART}, run them one "
            "after another, or give the modules other names"
        )


def _refuse_other_archives(own: JobFiles, other: JobFiles) -> None:
    if own.archives is not None and other.archives is not None:
        raise ConfigurationError(
            f"job {own.job!r} and job {other.job!r}, which runs in the same TaskManager, both have "
            "python.archives: a process has one working directory, and one of the jobs would read "
            f"the other's files. {_APART}, or bring the data in a package by python.files"
        )


def _not_its_own(own: JobFiles, elsewhere: Mapping[str, str]) -> str:
    found = ", ".join(f"{name} ({elsewhere[name]})" for name in sorted(elsewhere))
    return (
        f"job={own.job!r} brings modules that this TaskManager has loaded of other content before, "
        f"and goes on with those: {found}. Install what the job needs in the TaskManagers' Python, "
        "or restart them for it"
    )


def _cannot_load_twice(own: JobFiles | None, clashes: list[str]) -> ConfigurationError:
    job = own.job if own is not None else "?"
    return ConfigurationError(
        f"job {job!r} brings {_listed(clashes)}, of which this TaskManager has loaded another "
        "release for a job that has ended. They are machine code, which a process loads only "
        "once. Restart the TaskManagers, or install them in the TaskManagers' Python "
        "(python.executable) instead of bringing them with jobs"
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
