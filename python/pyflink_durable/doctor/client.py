"""Checks of this Python: its version, Flink's package, Java, and the jar in our package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from pyflink_durable.client.jars import bridge_jar
from pyflink_durable.doctor import versions
from pyflink_durable.doctor.finding import Finding, error, ok, warning
from pyflink_durable.errors import ConfigurationError

_PATIENCE_SECONDS = 60


def check_client() -> Iterator[Finding]:
    """Looks at what `durable_process` and ``flink run`` will find here."""
    flink = installed("apache-flink")
    yield _python(sys.version_info[:2], versions.version_of(flink))
    yield _flink(flink)
    yield check_java(versions.version_of(flink), java_program())
    yield check_interpreter(find_spec("pemja") is not None, shared_library())
    yield check_jar()


def shared_library() -> str | None:
    """The library of this Python, by which a JVM loads it; None if there is none."""
    if find_spec("find_libpython") is None:
        return None
    return cast("str | None", import_module("find_libpython").find_libpython())


def check_interpreter(has_pemja: bool, library: str | None) -> Finding:
    """Whether Flink can load this Python into its JVM, as a job run from here does."""
    check = "interpreter"
    if not has_pemja:
        return error(
            check,
            "pemja is not installed here, by which Flink runs Python in its JVM",
            "python -m pip install --force-reinstall apache-flink",
        )
    if not library:
        return error(
            check,
            "this Python has no shared library, by which a JVM could load it",
            "Install it (Debian: libpython3.11), or use a Python built with --enable-shared.",
        )
    return ok(check, library)


def installed(package: str) -> str:
    """The version of a package of this Python, without importing it; empty if it is not there."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _python(python: versions.Version, flink: versions.Version) -> Finding:
    found = f"Python {versions.as_text(python)}"
    if not versions.is_within(python, versions.PYTHON):
        supported = versions.as_range(versions.PYTHON)
        return error("python", found, f"Use Python {supported}, here and on every TaskManager.")
    if python >= (3, 12) and (0, 0) < flink < versions.FIRST_PYTHON_312:
        first = versions.as_text(versions.FIRST_PYTHON_312)
        return error(
            "python",
            f"{found} with Flink {versions.as_text(flink)}, which does not know it",
            f"Use Python 3.11, or Flink {first} or newer.",
        )
    return ok("python", found)


def _flink(version: str) -> Finding:
    if not version:
        return error(
            "flink", "apache-flink is not installed here", "python -m pip install apache-flink"
        )
    if not versions.is_within(versions.version_of(version), versions.FLINK):
        return warning(
            "flink",
            f"apache-flink {version}",
            f"This release is tested with Flink {versions.as_range(versions.FLINK)}.",
        )
    return ok("flink", f"apache-flink {version}")


def java_program() -> str | None:
    """The Java that Flink's scripts take."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home, "bin", "java")) if home else shutil.which("java")


def check_java(flink: versions.Version, program: str | None) -> Finding:
    """Whether this Flink runs on this Java."""
    supported = versions.java_versions(flink)
    remedy = f"Install Java {supported[-1]}, or one of {', '.join(map(str, supported))}; "
    remedy += "JAVA_HOME says which one Flink takes."
    output = _java_output(program) if program else ""
    found = re.search(r'version "(?:1\.)?(\d+)', output)
    if found is None:
        return error("java", f"no Java at {program or 'JAVA_HOME or on the PATH'}", remedy)
    version = int(found[1])
    if version not in supported:
        return error("java", f"Java {version} does not go with this Flink", remedy)
    return ok("java", f"Java {version} ({program})")


def _java_output(program: str) -> str:
    try:
        done = subprocess.run(
            [program, "-version"],
            capture_output=True,
            text=True,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stderr + done.stdout


def check_jar() -> Finding:
    """Whether the package has its jar, whole and of its own version."""
    remedy = "Install a wheel: python -m pip install --force-reinstall pyflink-durable"
    try:
        jar = bridge_jar()
    except ConfigurationError as problem:
        return error("jar", str(problem), remedy)
    try:
        with zipfile.ZipFile(jar) as archive:
            manifest = archive.read("META-INF/MANIFEST.MF").decode()
    except (OSError, KeyError, zipfile.BadZipFile) as problem:
        return error("jar", f"{jar} cannot be read: {problem}", remedy)
    found = re.search(r"^Implementation-Version: (\S+)", manifest, re.MULTILINE)
    own = installed("pyflink-durable")
    if found is None or found[1] != own:
        other = found[1] if found else "an unknown version"
        return error("jar", f"{jar.name} is of {other}, the package of {own}", remedy)
    return ok("jar", f"{jar.name}")
