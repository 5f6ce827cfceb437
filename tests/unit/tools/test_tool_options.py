"""`ToolCallOptions`, and how they are read from Flink's configuration."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from pyflink.common import Configuration

from pyflink_durable.errors import ConfigurationError
from pyflink_durable.tools import ToolCallMode, ToolCallOptions


def test_defaults() -> None:
    options = ToolCallOptions()
    assert options.model_dump() == {
        "async_": True,
        "parallel": True,
        "parallelism": None,
        "num_threads": 16,
        "max_in_flight": None,
        "timeout": None,
    }
    assert ToolCallOptions.from_configuration({}) == options


@pytest.mark.parametrize(
    ("given", "mode", "max_parallelism"),
    [
        ({}, ToolCallMode.PARALLEL, None),
        ({"parallelism": 8}, ToolCallMode.PARALLEL, 8),
        ({"parallel": False}, ToolCallMode.ONE_AFTER_ANOTHER, 1),
        ({"parallel": False, "parallelism": 8}, ToolCallMode.ONE_AFTER_ANOTHER, 1),
        ({"async_": False}, ToolCallMode.SYNC, 1),
        ({"async_": False, "parallel": False}, ToolCallMode.SYNC, 1),
        ({"async_": False, "parallelism": 8}, ToolCallMode.SYNC, 1),
    ],
)
def test_the_mode(given: Any, mode: ToolCallMode, max_parallelism: int | None) -> None:
    options = ToolCallOptions(**given)
    assert (options.mode, options.max_parallelism) == (mode, max_parallelism)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"async_": False, "parallel": True}, "tool-call.parallel needs tool-call.async"),
        ({"async_": False, "timeout": 30}, "tool-call.timeout needs tool-call.async"),
        ({"parallelism": 0}, "greater than or equal to 1"),
        ({"max_in_flight": 0}, "greater than or equal to 1"),
        ({"num_threads": 0}, "greater than or equal to 1"),
        ({"timeout": 0}, "greater than 0"),
        ({"paralel": True}, "Extra inputs are not permitted"),
    ],
)
def test_what_is_refused(given: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ToolCallOptions(**given)


def test_all_options_of_a_configuration() -> None:
    configuration = Configuration()
    for key, value in {
        "tool-call.async": "TRUE",
        "tool-call.parallel": "false",
        "tool-call.parallelism": "8",
        "tool-call.num-threads": "32",
        "tool-call.max-in-flight": "64",
        "tool-call.timeout": "1 min",
        "parallelism.default": "4",
    }.items():
        configuration.set_string(key, value)
    options = ToolCallOptions.from_configuration(configuration.to_dict())
    assert options == ToolCallOptions(
        parallel=False, parallelism=8, num_threads=32, max_in_flight=64, timeout=60.0
    )


def test_what_is_given_goes_before_the_configuration() -> None:
    configuration = {"tool-call.parallelism": "8", "tool-call.num-threads": "4"}
    explicit = ToolCallOptions(num_threads=16, timeout=5)  # 16 is the default, and given
    merged = ToolCallOptions.from_configuration(configuration, explicit)
    assert merged == ToolCallOptions(parallelism=8, num_threads=16, timeout=5)
    with pytest.raises(ConfigurationError, match=r"tool-call\.timeout needs"):
        ToolCallOptions.from_configuration({"tool-call.async": "false"}, explicit)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30 s", 30),
        ("30s", 30),
        ("500 ms", 0.5),
        ("500", 0.5),
        ("2 min", 120),
        ("2 m", 120),
        ("1 h", 3600),
        ("1 Day", 86400),
        ("250 milliseconds", 0.25),
        ("10 µs", 1e-5),
        ("100 nanos", 1e-7),
    ],
)
def test_durations_are_flinks(text: str, seconds: float) -> None:
    options = ToolCallOptions.from_configuration({"tool-call.timeout": text})
    assert options.timeout == pytest.approx(seconds)
    java_seconds = _as_flink_reads(text)
    assert java_seconds == pytest.approx(seconds)


def _as_flink_reads(text: str) -> float:
    from pyflink.java_gateway import get_gateway

    duration = get_gateway().jvm.org.apache.flink.util.TimeUtils.parseDuration(text)
    return float(duration.toNanos()) / 1e9


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        (
            {"tool-call.paralelism": "8"},
            r"tool-call.paralelism is no option; there are .*parallelism",
        ),
        ({"tool-call.timeout": "soon"}, 'tool-call.timeout must be a duration such as "30 s"'),
        ({"tool-call.timeout": "3 fortnights"}, "not '3 fortnights'"),
        ({"tool-call.timeout": "0 s"}, "tool-call.timeout: Input should be greater than 0"),
        (
            {"tool-call.parallelism": "many"},
            "tool-call.parallelism: Input should be a valid integer",
        ),
        ({"tool-call.async": "perhaps"}, "tool-call.async: Input should be a valid boolean"),
        (
            {"tool-call.async": "false", "tool-call.parallel": "true"},
            "tool-call.parallel needs tool-call.async",
        ),
    ],
)
def test_a_wrong_configuration_is_named_by_its_keys(configuration: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ToolCallOptions.from_configuration(configuration)
