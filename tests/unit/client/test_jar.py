"""The package brings two jars, and does not take one for the other."""

from pyflink_durable.client.jars import bridge_jar, kafka_jar


def test_the_jar_of_every_job_is_not_the_one_with_kafka() -> None:
    assert bridge_jar().name.startswith("pyflink-durable-0")
    assert kafka_jar().name.startswith("pyflink-durable-kafka-0")
    assert bridge_jar().parent == kafka_jar().parent
