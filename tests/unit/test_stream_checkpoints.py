"""The checkpoints that `durable_process` demands or sets for the level of its operator."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from pyflink.common import Configuration, Types
from pyflink.datastream import CheckpointingMode, StreamExecutionEnvironment

from pyflink_durable import (
    ConfigurationError,
    DurableOptions,
    FileCallLog,
    RunnerContext,
    durable_process,
)
from pyflink_durable.checkpoints import can_gate, checkpoint_interval

GATED = DurableOptions(durability="gated")


async def handler(value: Any, ctx: RunnerContext) -> None: ...


def environment(interval: int = 1_000) -> StreamExecutionEnvironment:
    env = StreamExecutionEnvironment.get_execution_environment(Configuration())
    if interval:
        env.enable_checkpointing(interval)
    return env


def process(env: StreamExecutionEnvironment, **arguments: Any) -> Any:
    stream = env.from_collection([1], Types.INT()).key_by(lambda value: value, Types.INT())
    return durable_process(stream, handler, output_type=Types.INT(), **arguments)


def is_unaligned(env: StreamExecutionEnvironment) -> bool:
    return bool(env.get_checkpoint_config().is_unaligned_checkpoints_enabled())


def test_gated_sets_unaligned_checkpoints_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    env = environment()
    with caplog.at_level(logging.INFO, "pyflink_durable"):
        process(env, options=GATED, name="orders")
    assert is_unaligned(env)
    assert can_gate(env)
    [record] = caplog.records
    assert record.levelno == logging.INFO
    assert "operator=orders unaligned checkpoints are turned on" in record.getMessage()


def test_gated_says_nothing_where_they_are_on(caplog: pytest.LogCaptureFixture) -> None:
    env = environment()
    env.get_checkpoint_config().enable_unaligned_checkpoints()
    with caplog.at_level(logging.INFO, "pyflink_durable"):
        process(env, options=GATED)
    assert caplog.records == []


def test_gated_without_checkpoints_is_refused() -> None:
    with pytest.raises(
        ConfigurationError,
        match=r"'orders' has durability=\"gated\".*checkpointing is off.*env\.enable_checkpointing",
    ):
        process(environment(0), options=GATED, name="orders")


def test_gated_at_least_once_is_refused() -> None:
    env = environment()
    env.get_checkpoint_config().set_checkpointing_mode(CheckpointingMode.AT_LEAST_ONCE)
    with pytest.raises(ConfigurationError, match=r"'orders' .*mode: EXACTLY_ONCE"):
        process(env, options=GATED, name="orders")
    assert not is_unaligned(env)


def test_a_refused_job_is_left_as_it_was() -> None:
    env = environment()
    process(env, uid="taken")
    with pytest.raises(ConfigurationError, match="uid 'taken'"):
        process(env, options=GATED, uid="taken")
    assert not is_unaligned(env)
    other = environment()
    with pytest.raises(ConfigurationError):
        durable_process(
            other.from_collection([1], Types.INT()),  # type: ignore[arg-type]
            handler,
            output_type=Types.INT(),
            options=GATED,
        )
    assert not is_unaligned(other)


LOGGED = DurableOptions(durability="write-ahead", call_log=FileCallLog(directory=Path("/log")))


def test_other_levels_leave_the_checkpoints_alone() -> None:
    env = environment(1_000)
    process(env)
    process(env, options=LOGGED, uid="logged")
    assert not is_unaligned(env)


def test_a_call_log_needs_checkpoints_that_let_it_forget() -> None:
    with pytest.raises(ConfigurationError, match="checkpointing is off"):
        process(environment(0), options=LOGGED, uid="logged")


def test_write_ahead_needs_a_uid_by_which_its_log_is_found() -> None:
    options = DurableOptions(call_log=FileCallLog(directory=Path("/log")))
    with pytest.raises(ConfigurationError, match=r"a call log needs uid=\.\.\."):
        process(environment(), options=options)


@pytest.mark.parametrize(
    ("interval", "mode", "unaligned", "expected"),
    [
        (1_000, CheckpointingMode.EXACTLY_ONCE, True, True),
        (1_000, CheckpointingMode.EXACTLY_ONCE, False, False),
        (1_000, CheckpointingMode.AT_LEAST_ONCE, True, False),
        (0, CheckpointingMode.EXACTLY_ONCE, True, False),
    ],
)
def test_single_calls_can_gate_where_the_job_takes_such_checkpoints(
    interval: int, mode: CheckpointingMode, unaligned: bool, expected: bool
) -> None:
    env = environment(interval)
    config = env.get_checkpoint_config()
    config.enable_unaligned_checkpoints(unaligned)
    config.set_checkpointing_mode(mode)
    assert can_gate(env) is expected


def test_the_interval_is_what_the_operator_is_told() -> None:
    assert checkpoint_interval(environment(2_500)) == 2_500
    assert checkpoint_interval(environment(0)) == 0
