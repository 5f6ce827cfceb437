"""docker-compose.yml on a machine without Docker: the same topology, settings and command lines."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from clusterkit import Broker, Cluster, Payments, Process, artifact_jars, wait_until
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[1]
ORDERS = ROOT / "examples" / "orders.ndjson"


@pytest.fixture
def services() -> Any:
    """The services of docker-compose.yml."""
    return YAML(typ="safe").load(ROOT / "docker-compose.yml")["services"]


def flink_properties(service: Any) -> dict[str, str]:
    lines = service["environment"]["FLINK_PROPERTIES"].splitlines()
    return dict(line.split(": ", 1) for line in lines)


def words(service: Any, places: dict[str, str]) -> list[str]:
    """A command with the containers' names replaced by where things are here."""
    command = service["command"]
    for name, here in places.items():
        command = command.replace(name, here)
    return shlex.split(command)


def test_compose_file_is_valid() -> None:
    compose = shutil.which("docker-compose")
    if compose is None:
        pytest.skip("docker-compose is not installed (Debian: docker-compose)")
    subprocess.run([compose, "config", "--quiet"], cwd=ROOT, check=True)


def test_the_demo_charges_every_order_through_a_kill(
    services: Any, broker: Broker, tmp_path: Path
) -> None:
    settings = flink_properties(services["jobmanager"])
    settings |= {
        "jobmanager.rpc.address": "127.0.0.1",
        "execution.checkpointing.dir": (tmp_path / "checkpoints").as_uri(),
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
    }
    taskmanagers = services["taskmanager"]["deploy"]["replicas"]
    assert flink_properties(services["taskmanager"]) == flink_properties(services["jobmanager"])
    for topic in ("orders", "answers"):
        broker.create_topic(topic, partitions=2)
    orders = [json.loads(line) for line in ORDERS.read_text().splitlines()]

    places = {"python ": f"{sys.executable} ", "/tmp/": f"{tmp_path}/", "8321": "0"}
    service = Process("payments", words(services["payments"], places), tmp_path)
    with Cluster(
        tmp_path / "cluster",
        taskmanagers=taskmanagers,
        settings=settings,
        jars=artifact_jars("connector"),
    ) as cluster:
        wait_until(lambda: service.check() or service.tail(), "the payment service")
        payments = Payments(service.tail().strip(), tmp_path / "payments.db")
        places = {
            "/opt/flink/bin/flink": cluster.home.program("flink"),
            "jobmanager:8081": cluster.rest.url.removeprefix("http://"),
            "/opt/durable/": f"{ROOT / 'examples'}/",
            "kafka:9092": broker.bootstrap,
            "http://payments:8321": payments.url,
        }
        command = words(services["job"], places)
        environment = cluster.home.environment(tmp_path)
        subprocess.run(command, env=environment, cwd=tmp_path, check=True, timeout=120)
        job = cluster.only_job()
        broker.send("orders", orders)
        wait_until(lambda: payments.stats().orders_charged > len(orders) // 4, "some charges")
        for taskmanager in cluster.taskmanagers:  # as `docker compose kill taskmanager` does
            taskmanager.kill()
        wait_until(lambda: len(answered(broker)) == len(orders), "all answers", 300)
        job.cancel()
    service.stop()

    assert set(answered(broker).values()) == {1}


def answered(broker: Broker) -> Counter[str]:
    return Counter(answer["order"] for answer in broker.committed("answers"))
