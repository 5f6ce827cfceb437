"""Build hook: compile java-bridge with Maven and put its jars into the package.

Also a command (`make jar` and `make setup` use it):

    python hatch_build.py           build the jars, if their sources changed
    python hatch_build.py --check   only say whether a JDK and Maven are there
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run as a command, outside a build
    BuildHookInterface = object

ROOT = Path(__file__).resolve().parent
BRIDGE = ROOT / "java-bridge"
LIB = ROOT / "python" / "pyflink_durable" / "lib"
# What each module of java-bridge makes; the version and ".jar" follow.
JARS = {
    "core": "pyflink-durable",
    "kafka": "pyflink-durable-kafka",
    "reader": "pyflink-durable-reader",
}
# Holds the digest of the sources that the jars were built from.
STAMP = LIB / "sources.sha256"
MIN_JDK = 11


class CustomBuildHook(BuildHookInterface):  # type: ignore[misc, unused-ignore]
    """Adds the jars to the wheel and the sdist; an editable install finds them in the tree."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        jars = ensure_jars()
        included = build_data["force_include"]
        if self.target_name == "wheel" and version != "editable":
            included.update({str(jar): f"pyflink_durable/lib/{jar.name}" for jar in jars})
        elif self.target_name == "sdist":
            # With the jars inside, installing from the sdist needs neither JDK nor Maven.
            included.update({str(file): str(file.relative_to(ROOT)) for file in (*jars, STAMP)})


def ensure_jars() -> list[Path]:
    """Return the package's jars, built anew unless they are of the present sources."""
    version = project_version()
    jars = {module: LIB / f"{name}-{version}.jar" for module, name in JARS.items()}
    missing = [jar.name for jar in jars.values() if not jar.is_file()]
    if not (BRIDGE / "pom.xml").is_file():
        if not missing:
            return list(jars.values())
        raise SystemExit(
            f"error: {' and '.join(missing)} and java-bridge/ are missing from this source"
        )
    digest = source_digest()
    if not missing and STAMP.is_file() and STAMP.read_text().strip() == digest:
        return list(jars.values())

    maven = require_tools()
    print(f"building java-bridge {version} with Maven", file=sys.stderr, flush=True)
    # Not "package": that would fetch the test dependencies, which no installation needs.
    goals = ["compile", "jar:jar", "shade:shade"]
    done = subprocess.run([maven, "-q", *goals], cwd=BRIDGE, check=False)
    if done.returncode != 0:
        raise SystemExit("error: Maven could not build java-bridge (its messages are above)")
    LIB.mkdir(parents=True, exist_ok=True)
    for old in LIB.iterdir():
        old.unlink()
    for module, jar in jars.items():
        built = BRIDGE / module / "target" / jar.name
        if not built.is_file():
            raise SystemExit(
                f"error: Maven made no {jar.name}: are the versions in pyproject.toml and in the "
                "pom.xml files of java-bridge the same?"
            )
        # Renamed into place: a job that has the old jar open keeps an intact file.
        partial = jar.with_name(f"{jar.name}.partial")
        shutil.copyfile(built, partial)
        partial.replace(jar)
    STAMP.write_text(digest + "\n")
    return list(jars.values())


def source_digest() -> str:
    # By content: time stamps do not survive an sdist or a change of branch.
    digest = hashlib.sha256()
    sources = (file for file in BRIDGE.glob("*/src/main/**/*") if file.is_file())
    for file in (*sorted(BRIDGE.glob("**/pom.xml")), *sorted(sources)):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(BRIDGE).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def project_version() -> str:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    match = re.search(r'^version = "([^"]+)"', text, re.MULTILINE)
    if match is None:
        raise SystemExit("error: pyproject.toml has no version")
    return match[1]


def require_tools() -> str:
    """Return Maven's path, or end with one line on what to install."""
    # The JDK that Maven will take: JAVA_HOME first.
    home = os.environ.get("JAVA_HOME")
    javac = str(Path(home, "bin", "javac")) if home else "javac"
    where = f"JAVA_HOME={home}" if home else "PATH"
    try:
        out = subprocess.run([javac, "-version"], capture_output=True, text=True, check=True)
        match = re.search(r"javac (\d+)", out.stdout + out.stderr)
        found = int(match[1]) if match else 0
    except (OSError, subprocess.CalledProcessError):
        found = None
    advice = f"install JDK {MIN_JDK} or newer, best 17 (Debian: openjdk-17-jdk-headless)"
    if found is None:
        raise SystemExit(f"error: no JDK (javac) on {where}: {advice}")
    if found < MIN_JDK:
        raise SystemExit(f"error: the JDK on {where} is too old: {advice}")
    maven = shutil.which("mvn")
    if maven is None:
        raise SystemExit("error: no Maven (mvn) on PATH: install Maven >= 3.6 (Debian: maven)")
    return maven


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        require_tools()
    elif not sys.argv[1:]:
        ensure_jars()
    else:
        raise SystemExit(__doc__)
