"""A Kafka broker in KRaft mode, and what tests do with it."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import KafkaError

from clusterkit.artifacts import class_path
from clusterkit.ports import free_ports
from clusterkit.process import Process
from clusterkit.waiting import wait_until

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
num.partitions=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
# The sink of a job that is down for long must still find its transactions.
transaction.max.timeout.ms=900000
"""


def kafka_program(main_class: str, *arguments: str | Path) -> list[str]:
    """The command line of a program of Kafka's."""
    java = ["java", "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
    return [*java, "-cp", class_path("kafka"), main_class, *map(str, arguments)]


@dataclass(frozen=True)
class Broker:
    """A running broker."""

    bootstrap: str

    @classmethod
    @contextmanager
    def running(cls, folder: Path) -> Iterator[Broker]:
        broker_port, controller_port = free_ports(2)
        data = folder / "kafka"
        data.mkdir(parents=True)
        properties = folder / "kafka.properties"
        properties.write_text(
            _PROPERTIES.format(broker=broker_port, controller=controller_port, data=data)
        )
        options = ["--config", properties, "--cluster-id", uuid.uuid4().hex[:22]]
        format_storage = kafka_program("kafka.tools.StorageTool", "format", *options)
        subprocess.run(format_storage, check=True, capture_output=True)
        with cls.serving(properties, broker_port) as broker:
            yield broker

    @classmethod
    @contextmanager
    def serving(cls, properties: Path, port: int) -> Iterator[Broker]:
        """Runs one with these settings, whose storage has been formatted."""
        server = Process("kafka", kafka_program("kafka.Kafka", properties), properties.parent)
        broker = cls(f"127.0.0.1:{port}")
        try:
            wait_until(lambda: server.check() or broker._answers(), "the Kafka broker", 60)
            yield broker
        finally:
            server.stop()

    def create_topic(self, name: str, partitions: int) -> None:
        with closing(self._admin()) as admin:
            admin.create_topics([NewTopic(name, num_partitions=partitions, replication_factor=1)])

    def send(self, topic: str, values: Iterable[Any]) -> None:
        """Writes JSON, round the partitions; returns when the broker has it all."""
        partitions = len(self._partitions(topic))
        with closing(KafkaProducer(bootstrap_servers=self.bootstrap, acks="all")) as producer:
            for number, value in enumerate(values):
                producer.send(topic, json.dumps(value).encode(), partition=number % partitions)
            producer.flush()

    def committed(self, topic: str) -> list[Any]:
        """All JSON values of a topic that a reader of committed transactions sees, up to now."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.bootstrap,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        with closing(consumer):
            partitions = self._partitions(topic)
            consumer.assign(partitions)
            ends = consumer.end_offsets(partitions)
            values: list[Any] = []
            while any(consumer.position(one) < ends[one] for one in partitions):
                for records in consumer.poll(timeout_ms=200).values():
                    values += [json.loads(record.value) for record in records]
            return values

    def _partitions(self, topic: str) -> list[TopicPartition]:
        with closing(self._admin()) as admin:
            (description,) = admin.describe_topics([topic])
        return [TopicPartition(topic, n) for n in range(len(description["partitions"]))]

    def _answers(self) -> bool:
        try:
            with closing(self._admin()) as admin:
                return bool(admin.describe_cluster()["brokers"])
        except KafkaError:
            return False

    def _admin(self) -> KafkaAdminClient:
        return KafkaAdminClient(bootstrap_servers=self.bootstrap)
