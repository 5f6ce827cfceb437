"""Starts what a real deployment has, each in a process of its own, and takes it apart.

`Cluster` is a standalone Flink cluster, `Broker` Kafka, `ZooKeeper` what its name says, and
`Payments` the payment service of the demo. None of them outlives the test run, however it ends.
"""

from clusterkit.artifacts import artifact_jars
from clusterkit.cluster import NO_CHECKPOINTS, Cluster
from clusterkit.home import FlinkHome
from clusterkit.job import Job
from clusterkit.kafka import Broker
from clusterkit.payments import Payments
from clusterkit.process import Process, ProcessFailed
from clusterkit.waiting import wait_until
from clusterkit.zookeeper import ZooKeeper

__all__ = [
    "NO_CHECKPOINTS",
    "Broker",
    "Cluster",
    "FlinkHome",
    "Job",
    "Payments",
    "Process",
    "ProcessFailed",
    "ZooKeeper",
    "artifact_jars",
    "wait_until",
]
