"""The settings of a call log: what they show of themselves."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from pyflink_durable import DurableOptions, KafkaCallLog

SECRET = {"sasl.jaas.config": 'PlainLoginModule required password="geheim";'}


def test_no_password_is_shown() -> None:
    log = KafkaCallLog(bootstrap_servers="broker:9092", properties=SECRET)
    options = DurableOptions(call_log=log)
    for shown in (repr(log), str(log), repr(options), str(options)):
        assert "broker:9092" in shown
        assert "geheim" not in shown
    assert log.settings()["properties.sasl.jaas.config"] == SECRET["sasl.jaas.config"]


def test_no_password_is_in_an_error() -> None:
    with pytest.raises(ValidationError) as caught:
        KafkaCallLog(bootstrap_servers="broker:9092", properties={"password": ["geheim"]})  # type: ignore[dict-item]
    assert "geheim" not in str(caught.value)
