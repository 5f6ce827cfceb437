"""Programs from Maven: Kafka, ZooKeeper and the connector, as `make e2e` fetches them."""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).resolve().parents[1] / "artifacts"


def artifact_jars(name: str) -> list[Path]:
    """The jars of ``kafka``, ``zookeeper`` or ``connector``."""
    jars = sorted((_FOLDER / name).glob("*.jar"))
    if not jars:
        raise FileNotFoundError(f"no jars of {name} in {_FOLDER}: `make e2e` fetches them")
    return jars


def class_path(name: str) -> str:
    return ":".join(map(str, artifact_jars(name)))
