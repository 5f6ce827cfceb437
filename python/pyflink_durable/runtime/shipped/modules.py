"""What the interpreter has loaded of the files that came with jobs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.machinery import EXTENSION_SUFFIXES
from types import ModuleType

from pyflink_durable.runtime.shipped.folder import JobFiles, Unit, digest_of_module, folder_of


@dataclass
class LoadedUnit:
    """The modules of a unit, or of a package of whose files nothing is known.

    Attributes:
        name: Of the unit.
        folder: The folder of the job that brought it.
        unit: As it was when it was loaded; None if nothing is known of that job.
        modules: Those that are loaded, by name.
        is_compiled: Whether there is machine code among them.
    """

    name: str
    folder: str
    unit: Unit | None
    modules: dict[str, ModuleType] = field(default_factory=dict)
    is_compiled: bool = False

    def drop(self) -> None:
        """Has the next import load it again."""
        for name, module in self.modules.items():
            del sys.modules[name]
            parent, _, child = name.rpartition(".")
            attributes = vars(sys.modules[parent]) if parent in sys.modules else {}
            if attributes.get(child) is module:
                del attributes[child]  # `from parent import child` looks there first

    def move(self, to: Unit) -> None:
        """Tells its modules that their files are elsewhere now."""
        assert self.unit is not None
        for module in self.modules.values():
            _move(module, self.unit.path, to.path)

    def look_also_in(self, place: Unit) -> None:
        """Has its packages find there, too, what is not loaded yet."""
        assert self.unit is not None
        for module in self.modules.values():
            paths = getattr(module, "__path__", None)
            if isinstance(paths, list):
                second = (_moved(path, self.unit.path, place.path) for path in tuple(paths))
                paths += [path for path in second if path not in paths]


def loaded_units(known: dict[str, JobFiles]) -> list[LoadedUnit]:
    """What is loaded of the files of jobs.

    Args:
        known: What jobs have brought, by folder.
    """
    units: dict[tuple[str, str], LoadedUnit] = {}
    for name, module, path in _modules_with_files():
        folder = folder_of(path)
        if folder is None:
            continue
        found = known[folder].find(name) if folder in known else None
        unit_name, unit = found or (name.partition(".")[0], None)
        loaded = units.setdefault((folder, unit_name), LoadedUnit(unit_name, folder, unit))
        loaded.modules[name] = module
        loaded.is_compiled |= path.endswith(tuple(EXTENSION_SUFFIXES))
    return list(units.values())


def loaded_from_elsewhere(files: JobFiles) -> dict[str, str]:
    """Units that a job has brought, and that others than jobs have, with other content."""
    return {
        name: path
        for name, _, path in _modules_with_files()
        if folder_of(path) is None
        and (mine := files.units.get(name))
        and digest_of_module(path) != mine.digest
    }


def _modules_with_files() -> Iterator[tuple[str, ModuleType, str]]:
    """What is built in has none; neither has a namespace, whose parts are found anew each time."""
    for name, module in list(sys.modules.items()):
        # not by getattr: some modules answer to any name
        file = getattr(module, "__dict__", {}).get("__file__")
        if isinstance(file, str):
            yield name, module, file


def _move(module: ModuleType, old: str, new: str) -> None:
    spec = module.__spec__
    for owner, names in (
        (module, ("__file__", "__cached__")),
        (spec, ("origin", "cached")),
        (getattr(module, "__loader__", None), ("path",)),
    ):
        for name in names:
            path = getattr(owner, name, None)
            if isinstance(path, str):
                setattr(owner, name, _moved(path, old, new))
    locations = getattr(spec, "submodule_search_locations", None)
    for paths in (getattr(module, "__path__", None), locations):
        if isinstance(paths, list):
            paths[:] = dict.fromkeys(_moved(path, old, new) for path in paths)  # each once


def _moved(path: str, old: str, new: str) -> str:
    return new + path[len(old) :] if path.startswith(old) else path


def clear_search_path(is_there: Callable[[str], bool]) -> None:
    """Takes off the paths of jobs that have ended, and doubles: PyFlink adds some each time.

    Args:
        is_there: Whether a folder of a job is.
    """
    seen: set[str] = set()
    kept = []
    for path in sys.path:
        folder = folder_of(path)
        if path not in seen and (folder is None or is_there(folder)):
            kept.append(path)
            seen.add(path)
    if len(kept) < len(sys.path):
        sys.path[:] = kept
    for path in list(sys.path_importer_cache):
        folder = folder_of(path)
        if folder is not None and not is_there(folder):
            sys.path_importer_cache.pop(path, None)
    importlib.invalidate_caches()
