"""A ZooKeeper server, for the high availability of the JobManager."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from clusterkit.artifacts import class_path
from clusterkit.ports import free_ports, is_listening
from clusterkit.process import Process
from clusterkit.waiting import wait_until


@dataclass(frozen=True)
class ZooKeeper:
    """A running server."""

    port: int

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[ZooKeeper]:
        (port,) = free_ports(1)
        data = folder / "zookeeper"
        data.mkdir(parents=True)
        main = "org.apache.zookeeper.server.ZooKeeperServerMain"
        java = ["java", "-Xmx256m", "-Dzookeeper.admin.enableServer=false"]
        command = [*java, "-cp", class_path("zookeeper"), main, str(port), str(data)]
        server = Process("zookeeper", command, folder)
        try:
            wait_until(lambda: server.check() or is_listening(port), "ZooKeeper", 30)
            yield cls(port)
        finally:
            server.stop()

    def settings(self, storage: Path) -> dict[str, str]:
        """What makes a cluster find its jobs and checkpoints here after a JobManager's death."""
        return {
            "high-availability.type": "zookeeper",
            "high-availability.zookeeper.quorum": f"127.0.0.1:{self.port}",
            "high-availability.storageDir": storage.as_uri(),
            "high-availability.zookeeper.client.session-timeout": "5000",
        }
