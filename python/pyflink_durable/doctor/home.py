"""Checks of a Flink home: its version, its lib folder, its configuration and its Python."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pyflink_durable.doctor import versions
from pyflink_durable.doctor.client import installed
from pyflink_durable.doctor.finding import Finding, error, ok, warning
from pyflink_durable.doctor.settings import Settings, check_opens, check_settings
from pyflink_durable.doctor.shipping import check_shipping

_PATIENCE_SECONDS = 60
_ASK_PYTHON = """
import json, sys
from importlib import metadata
def version(name):
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
print(json.dumps({
    "python": list(sys.version_info[:2]),
    "flink": version("apache-flink"),
    "own": version("pyflink-durable"),
}))
"""
PYTHON_IN_LIB = (
    "Copy opt/flink-python-*.jar of the distribution into lib/ on every machine and restart the "
    "cluster. Without it the second job in a TaskManager fails."
)


def check_home(home: Path) -> Iterator[Finding]:
    """Looks at the folder that a cluster is started from."""
    dist = jar_version(home / "lib", "flink-dist")
    if not dist:
        yield error(
            "flink home",
            f"there is no flink-dist-*.jar in {home / 'lib'}",
            "Give the folder of a Flink distribution, with bin, conf and lib in it.",
        )
        return
    yield check_cluster_version(dist)
    yield _flink_python(home, dist)
    try:
        settings = read_configuration(home / "conf")
    except ValueError as problem:
        yield error("configuration", str(problem), "Correct the file, or restore Flink's own.")
        return
    opened = ("env.java.default-opts.all", "env.java.opts.all", "env.java.opts.taskmanager")
    yield check_opens(" ".join(settings.get(name, "") for name in opened))
    yield from check_settings(settings)
    yield from check_shipping(settings, is_here=True)
    yield check_python_executable(settings, is_here=True)


def check_cluster_version(cluster: str) -> Finding:
    """Whether the cluster's Flink is that of the package here."""
    own = installed("apache-flink")
    if versions.version_of(cluster) != versions.version_of(own):
        return error(
            "cluster version",
            f"the cluster has Flink {cluster}, the package here is apache-flink {own or 'none'}",
            f"python -m pip install apache-flink=={cluster}, here and on every TaskManager.",
        )
    return ok("cluster version", f"Flink {cluster}")


def _flink_python(home: Path, dist: str) -> Finding:
    version = jar_version(home / "lib", "flink-python")
    if not version:
        return error(
            "flink-python", f"there is no flink-python-*.jar in {home / 'lib'}", PYTHON_IN_LIB
        )
    if version != dist:
        return error(
            "flink-python",
            f"flink-python in lib/ is of Flink {version}, the distribution of {dist}",
            f"Replace it by flink-python-{dist}.jar.",
        )
    return ok("flink-python", f"flink-python-{version}.jar is in lib/")


def jar_version(folder: Path, name: str) -> str:
    """The version in the name of a jar; empty if there is none."""
    for jar in sorted(folder.glob(f"{name}*.jar")):
        if found := re.fullmatch(rf"{name}(?:_[\d.]+)?-(\d.*)\.jar", jar.name):
            return found[1]
    return ""


def read_configuration(folder: Path) -> Settings:
    """A configuration as flat names, from config.yaml or from the older flink-conf.yaml.

    Raises:
        ValueError: There is none, or it cannot be read.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    file = folder / "config.yaml"
    if not file.is_file():
        file = folder / "flink-conf.yaml"
    try:
        tree = YAML(typ="safe").load(file) or {}
    except OSError:
        raise ValueError(f"there is no config.yaml in {folder}") from None
    except YAMLError as problem:
        raise ValueError(f"{file} is not YAML: {problem}") from None
    if not isinstance(tree, Mapping):
        raise ValueError(f"{file} holds no settings")
    return _flat(tree)


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = "" if value is None else str(value)
    return flat


def check_python_executable(settings: Settings, *, is_here: bool) -> Finding:
    """Whether the Python of the TaskManagers goes with this one.

    Args:
        settings: The configuration.
        is_here: Whether it is of this machine. Only then is the program asked: what another machine
            names is never run here, and may be anything here.
    """
    check = "python.executable"
    program = settings.get(check, "").strip()
    if not program:
        return warning(
            check,
            "python.executable is not set: a TaskManager takes the first python on its PATH",
            "Set it to the Python that pyflink-durable is installed in, or submit with -pyexec.",
        )
    own = installed("pyflink-durable")
    install = f"{program} -m pip install pyflink-durable=={own}"
    if not is_here and program == sys.executable:
        return ok(check, f"{program}, as this Python; elsewhere run this command there, too")
    answer = _ask(program) if is_here else None
    if answer is None:
        return warning(
            check,
            f"{program} {'does not run' if is_here else 'is not run'} on this machine, so it was "
            "not looked at",
            "Run this command on a TaskManager, too.",
        )
    if tuple(answer["python"]) != sys.version_info[:2]:
        here = versions.as_text(sys.version_info[:2])
        there = versions.as_text(tuple(answer["python"]))
        return error(
            check, f"{program} is Python {there}, this one is {here}", "Use the same on both sides."
        )
    if answer["own"] != own:
        found = f"pyflink-durable {answer['own']}" if answer["own"] else "no pyflink-durable"
        return error(check, f"{program} has {found}, this Python has {own}", install)
    if answer["flink"] != installed("apache-flink"):
        return error(
            check,
            f"{program} has apache-flink {answer['flink'] or 'none'}, this Python has another",
            "Install the cluster's version on both sides.",
        )
    return ok(check, f"{program} has pyflink-durable {own}")


def _ask(program: str) -> Any:
    try:
        done = subprocess.run(
            [program, "-c", _ASK_PYTHON],
            capture_output=True,
            text=True,
            timeout=_PATIENCE_SECONDS,
            check=True,
        )
        return json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
