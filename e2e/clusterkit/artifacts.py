"""Programs from Maven: Kafka, ZooKeeper and the connector, as `make e2e` fetches them."""

from __future__ import annotations

import socket
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


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, all different."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def is_listening(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
