"""A Flink home of the test's own, made of the distribution inside the apache-flink package."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pyflink_durable.doctor.home import read_configuration

_ROOT = Path(__file__).resolve().parents[2]
# Another Flink of this machine, or its settings, must not get in.
_FOREIGN = ("FLINK_", "PYFLINK_", "LOG4J_", "HADOOP_", "JVM_ARGS", "CLASSPATH")


def packaged_flink() -> Path:
    """The distribution inside the package of this Python."""
    import pyflink

    return Path(pyflink.__file__).parent


@dataclass(frozen=True)
class FlinkHome:
    """A folder with ``bin``, ``lib``, ``opt``, ``plugins`` and ``conf``; the package stays as is.

    ``bin`` is copied, since its scripts find the home by their own place; the jars are links.
    """

    folder: Path

    @classmethod
    def make(
        cls,
        folder: Path,
        settings: Mapping[str, str],
        *,
        jars: Iterable[Path] = (),
        flink_python_in_lib: bool = True,
    ) -> FlinkHome:
        """Makes a home.

        Args:
            folder: Where; it must not exist.
            settings: Flink's configuration, added to the distribution's own, which keeps its
                ``env.java.opts.all``.
            jars: More for ``lib``, such as a connector.
            flink_python_in_lib: Without it, a TaskManager takes only one Python job in its life.
        """
        flink = packaged_flink()
        shutil.copytree(flink / "bin", folder / "bin")
        shutil.copytree(flink / "conf", folder / "conf")
        (folder / "plugins").symlink_to(flink / "plugins")
        in_opt = list((flink / "opt").glob("*.jar"))
        in_lib = [*(flink / "lib").glob("*.jar"), *jars]
        if flink_python_in_lib:
            in_lib += [jar for jar in in_opt if jar.name.startswith("flink-python-")]
        # Links to the jars and not to their folders: Flink does not follow those.
        _link(in_opt, folder / "opt")
        _link(in_lib, folder / "lib")
        home = cls(folder)
        home._configure(settings)
        return home

    def program(self, name: str) -> str:
        return str(self.folder / "bin" / name)

    def environment(self, logs: Path) -> dict[str, str]:
        """What Flink's scripts and the Python inside the JVM are to see."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
        path = [str(Path(sys.executable).parent), kept.get("PATH", "")]
        # The crash kit of the mini-cluster tests is what some jobs here are made of, too.
        python_path = [str(_ROOT / "python"), str(_ROOT / "tests" / "minicluster")]
        return kept | {
            # The Python inside the JVM finds its packages by the first python3 on the path.
            "PATH": os.pathsep.join(path),
            "PYTHONPATH": os.pathsep.join(python_path),
            "FLINK_LOG_DIR": str(logs),
            "FLINK_PID_DIR": str(logs),
            "FLINK_PLUGINS_DIR": str(self.folder / "plugins"),
            "TMPDIR": str(logs),
        }

    def _configure(self, settings: Mapping[str, str]) -> None:
        folder = self.folder / "conf"
        together = dict(read_configuration(folder)) | dict(settings)
        # JSON is YAML, and takes any value.
        lines = [f"{name}: {json.dumps(value)}\n" for name, value in together.items()]
        (folder / "config.yaml").write_text("".join(lines))


def _link(jars: Iterable[Path], folder: Path) -> None:
    folder.mkdir()
    for jar in jars:
        (folder / jar.name).symlink_to(jar)
