"""What a job has brought to this TaskManager."""

from __future__ import annotations

import hashlib
import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FOLDER = re.compile(r".*?/python-dist-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=/|$)")
_NOT_CODE = ("__pycache__",)
_MODULE = re.compile(r"([A-Za-z_]\w*)(?:\.[\w-]+)?\.(?:py|so|pyd)")


def folder_of(path: str | None) -> str | None:
    """The folder in which PyFlink has unpacked a job's files, if a path is in one.

    It is there as long as a task of the job is open in this process, and each time another.
    """
    found = _FOLDER.match(path.replace(os.sep, "/")) if path else None
    return found[0] if found else None


@dataclass(frozen=True)
class Unit:
    """A module, or a package with all that is in it.

    Attributes:
        root: The entry of the search path that it is found by.
        path: Of its file or folder.
        digest: Of its content; equal ones may stand for each other.
    """

    root: str
    path: str
    digest: str

    def is_like(self, other: Unit | None) -> bool:
        """Whether it has the content of another, of which something is known."""
        return other is not None and self.digest == other.digest


@dataclass(frozen=True)
class JobFiles:
    """The files of a job in this process.

    Attributes:
        job: The job's name.
        folder: Where they are.
        units: The modules and packages among them, by name.
    """

    job: str
    folder: str
    units: dict[str, Unit]

    @classmethod
    def of(cls, job: str, folder: str, search_path: list[str]) -> JobFiles:
        """What is in a folder, as far as it is on the search path."""
        units: dict[str, Unit] = {}
        for root in search_path:
            if folder_of(root) == folder:
                for name, unit in _units_in(Path(root)):
                    units.setdefault(name, unit)  # the first on the path is found
        return cls(job, folder, units)

    @property
    def is_there(self) -> bool:
        """Whether a task of the job is open."""
        return os.path.isdir(self.folder)

    @property
    def archives(self) -> Path | None:
        """Where ``python.archives`` are; a job that has some expects to work in there."""
        archives = Path(self.folder, "python-archives")
        return archives if archives.is_dir() else None

    def find(self, module: str) -> tuple[str, Unit] | None:
        """The unit that a module is in, if the job has brought it, with the unit's name."""
        while module and module not in self.units:
            module = module.rpartition(".")[0]
        return (module, self.units[module]) if module else None


def _units_in(root: Path) -> Iterator[tuple[str, Unit]]:
    if root.is_dir():
        yield from _units_in_folder(root, root, "")
    elif zipfile.is_zipfile(root):
        yield from _units_in_zip(root)


def _units_in_folder(root: Path, folder: Path, prefix: str) -> Iterator[tuple[str, Unit]]:
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            if not entry.name.isidentifier() or entry.name in _NOT_CODE:
                continue
            if any(entry.glob("__init__.*")):
                yield prefix + entry.name, Unit(str(root), str(entry), _digest_of(entry))
            else:  # part of a namespace, which may have parts elsewhere
                yield from _units_in_folder(root, entry, f"{prefix}{entry.name}.")
        elif module := _MODULE.fullmatch(entry.name):
            yield prefix + module[1], Unit(str(root), str(entry), _digest_of(entry))


def _units_in_zip(file: Path) -> Iterator[tuple[str, Unit]]:
    """All of its top-level names, with the digest of the whole."""
    digest = _digest_of(file)
    with zipfile.ZipFile(file) as archive:
        for name in sorted({name.split("/")[0] for name in archive.namelist()}):
            module = _MODULE.fullmatch(name)
            if module or name.isidentifier():
                yield module[1] if module else name, Unit(str(file), f"{file}/{name}", digest)


def digest_of_module(file: str) -> str:
    """The digest that the unit of this module has, by the file of its first module."""
    path = Path(file)
    try:
        return _digest_of(path.parent if path.stem == "__init__" else path)
    except OSError:  # it is in a zip file, or gone
        return ""


def _digest_of(path: Path) -> str:
    digest = hashlib.sha256()
    for file in _files_in(path):
        digest.update(f"{file.relative_to(path)}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as content:
            while block := content.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _files_in(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
        return
    for folder, folders, files in os.walk(path, followlinks=True):
        folders[:] = sorted(name for name in folders if name not in _NOT_CODE)
        yield from (Path(folder, name) for name in sorted(files))
