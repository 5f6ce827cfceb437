"""What `DurableOptions` and the settings of its call logs take."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import cloudpickle
import pytest
from pydantic import ValidationError

from pyflink_durable import DurableOptions, FileCallLog, KafkaCallLog

FILE = FileCallLog(directory=Path("/var/log/calls"))
KAFKA = KafkaCallLog(bootstrap_servers="one:9092,two:9092")


class TestDurableOptions:
    @pytest.mark.parametrize(
        ("setting", "message"),
        [
            ({"durability": "safe"}, "durability\n.*'checkpoint', 'gated' or 'write-ahead'"),
            ({"in_doubt": "ask"}, "in_doubt\n.*'execute' or 'raise'"),
            ({"call_timeout": 0}, "call_timeout\n.*greater than 0"),
            ({"drain_timeout": 0}, "drain_timeout\n.*greater than 0"),
            ({"invocation_id": "event_id"}, "invocation_id\n.*callable"),
            ({"retry": 3}, "retry\n.*RetryPolicy"),
            ({"level": "gated"}, "level\n.*not permitted"),
        ],
        ids=repr,
    )
    def test_bad_settings_are_refused_by_name(self, setting: dict[str, Any], message: str) -> None:
        with pytest.raises(ValidationError, match=message):
            DurableOptions(**setting)

    def test_write_ahead_needs_a_log_and_says_how_to_give_one(self) -> None:
        with pytest.raises(ValidationError, match=r"call_log=FileCallLog\(.*KafkaCallLog\("):
            DurableOptions(durability="write-ahead")

    def test_a_log_may_serve_single_calls_of_a_weaker_operator(self) -> None:
        assert DurableOptions(call_log=FILE).durability == "checkpoint"

    @pytest.mark.parametrize("log", [FILE, KAFKA], ids=lambda log: log.type)
    def test_a_log_is_told_by_its_type(self, log: Any) -> None:
        options = DurableOptions(durability="write-ahead", call_log=log)
        read = DurableOptions.model_validate(options.model_dump())
        assert read.call_log == log
        assert type(read.call_log) is type(log)

    @pytest.mark.parametrize("log", [FILE, KAFKA], ids=lambda log: log.type)
    def test_a_log_may_be_given_instead_of_another(self, log: Any) -> None:
        assert "instead.of" not in log.settings()
        replacing = log.model_copy(update={"instead_of": "an-id"})
        assert replacing.settings() == log.settings() | {"instead.of": "an-id"}

    def test_a_log_of_no_type_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="'file', 'kafka'"):
            DurableOptions(call_log={"type": "redis"})  # type: ignore[arg-type]

    def test_it_survives_the_way_to_the_task_managers(self) -> None:
        options = DurableOptions(call_log=KAFKA, invocation_id=lambda value: value["event_id"])
        there = pickle.loads(cloudpickle.dumps(options))
        assert there.invocation_id({"event_id": "e-1"}) == "e-1"
        assert there.call_log == KAFKA


class TestFileCallLog:
    def test_what_java_reads(self) -> None:
        assert FileCallLog(directory=Path("/log"), segment_megabytes=3).settings() == {
            "type": "file",
            "directory": "/log",
            "segment.size": "3 mb",
        }

    @pytest.mark.parametrize(
        ("setting", "message"),
        [
            ({"directory": "calls"}, "must be an absolute path, not 'calls'"),
            ({"directory": ""}, "must be an absolute path"),
            ({}, "directory\n.*required"),
            ({"directory": "/log", "segment_megabytes": 0}, "segment_megabytes\n.*equal to 1"),
            ({"directory": "/log", "segment_megabytes": 2_048}, "segment_megabytes\n.*2047"),
            ({"directory": "/log", "fsync": True}, "fsync\n.*not permitted"),
        ],
        ids=repr,
    )
    def test_bad_settings_are_refused_by_name(self, setting: dict[str, Any], message: str) -> None:
        with pytest.raises(ValidationError, match=message):
            FileCallLog(**setting)


class TestKafkaCallLog:
    def test_what_java_reads(self) -> None:
        assert KAFKA.settings() == {
            "type": "kafka",
            "bootstrap.servers": "one:9092,two:9092",
            "append.timeout": "30000 ms",
            "recovery.timeout": "120000 ms",
            "max.entry.size": "16 mb",
        }

    def test_everything_set(self) -> None:
        log = KafkaCallLog(
            bootstrap_servers="one:9092",
            topic="calls",
            append_timeout=1.5,
            replication_factor=3,
            properties={"security.protocol": "SSL"},
        )
        assert log.settings() == {
            "type": "kafka",
            "bootstrap.servers": "one:9092",
            "topic": "calls",
            "append.timeout": "1500 ms",
            "recovery.timeout": "120000 ms",
            "max.entry.size": "16 mb",
            "replication.factor": "3",
            "properties.security.protocol": "SSL",
        }

    @pytest.mark.parametrize(
        ("setting", "message"),
        [
            ({"bootstrap_servers": ""}, "bootstrap_servers\n.*at least 1 character"),
            ({"append_timeout": 0}, "append_timeout\n.*equal to 1"),
            ({"append_timeout": float("inf")}, "append_timeout\n.*finite"),
            ({"replication_factor": 0}, "replication_factor\n.*equal to 1"),
            ({"topic": ""}, "topic\n.*at least 1 character"),
            ({"acks": "1"}, "acks\n.*not permitted"),
        ],
        ids=repr,
    )
    def test_bad_settings_are_refused_by_name(self, setting: dict[str, Any], message: str) -> None:
        with pytest.raises(ValidationError, match=message):
            KafkaCallLog(**{"bootstrap_servers": "one:9092", **setting})
