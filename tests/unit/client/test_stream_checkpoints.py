"""The checkpoints that `durable_process` demands or sets for the level of its operator."""

from __future__ import annotations

import logging
from collections.abc import Callable
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
from pyflink_durable.client.checkpoints import can_gate, checkpoint_interval

GATED = DurableOptions(durability="gated")


async def handler(value: Any, ctx: RunnerContext) -> None: ...


def environment(interval: int = 1_000) -> StreamExecutionEnvironment:
    env = StreamExecutionEnvironment.get_execution_environment(Configuration())
    if interval:
        env.enable_checkpointing(interval)
    return env


def process(env: StreamExecutionEnvironment, **arguments: Any) -> Any:
    numbers = env.from_collection([1], Types.INT()).uid("numbers")
    stream = numbers.key_by(lambda value: value, Types.INT())
    return durable_process(stream, handler, output_type=Types.INT(), **arguments)


def is_unaligned(env: StreamExecutionEnvironment) -> bool:
    return bool(env.get_checkpoint_config().is_unaligned_checkpoints_enabled())


LOGGED = DurableOptions(durability="write-ahead", call_log=FileCallLog(directory=Path("/log")))
LEVELS = pytest.mark.parametrize(
    "options", [DurableOptions(), GATED, LOGGED], ids=lambda options: options.durability
)
OTHER_LEVELS = pytest.mark.parametrize(
    "options", [DurableOptions(), LOGGED], ids=lambda options: options.durability
)


@LEVELS
def test_unaligned_checkpoints_are_turned_on_with_a_line(
    options: DurableOptions, caplog: pytest.LogCaptureFixture
) -> None:
    env = environment()
    with caplog.at_level(logging.INFO, "pyflink_durable"):
        process(env, options=options, name="orders", uid="orders")
    assert is_unaligned(env)
    assert can_gate(env)
    [record] = caplog.records
    assert record.levelno == logging.INFO
    assert "operator=orders unaligned checkpoints are turned on" in record.getMessage()


@LEVELS
def test_nothing_is_said_where_they_are_on(
    options: DurableOptions, caplog: pytest.LogCaptureFixture
) -> None:
    env = environment()
    env.get_checkpoint_config().enable_unaligned_checkpoints()
    with caplog.at_level(logging.INFO, "pyflink_durable"):
        process(env, options=options, uid="orders")
    assert caplog.records == []


def aligned(env: StreamExecutionEnvironment) -> None:
    env.get_checkpoint_config().enable_unaligned_checkpoints(False)


def at_least_once(env: StreamExecutionEnvironment) -> None:
    env.get_checkpoint_config().set_checkpointing_mode(CheckpointingMode.AT_LEAST_ONCE)


def two_at_a_time(env: StreamExecutionEnvironment) -> None:
    env.get_checkpoint_config().set_max_concurrent_checkpoints(2)


def none_behind_the_end(env: StreamExecutionEnvironment) -> None:
    configure(env, "execution.checkpointing.checkpoints-after-tasks-finish.enabled", "false")


def none_in_a_backlog(env: StreamExecutionEnvironment) -> None:
    configure(env, "execution.checkpointing.interval-during-backlog", "0 s")


def configure(env: StreamExecutionEnvironment, name: str, value: str) -> None:
    configuration = Configuration()
    configuration.set_string(name, value)
    env.configure(configuration)


FLAWS = pytest.mark.parametrize(
    ("flaw", "told"),
    [
        (aligned, "execution.checkpointing.unaligned.enabled is false: no checkpoint completes"),
        (at_least_once, "execution.checkpointing.mode is AT_LEAST_ONCE: inputs come twice"),
        (two_at_a_time, "max-concurrent-checkpoints is 2: checkpoints cannot be unaligned"),
        (none_behind_the_end, "checkpoints-after-tasks-finish.enabled is false: no checkpoint is"),
        (none_in_a_backlog, "interval-during-backlog is 0: no checkpoint is taken while a source"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)


@FLAWS
def test_gated_refuses_what_keeps_checkpoints_away(
    flaw: Callable[[StreamExecutionEnvironment], None], told: str
) -> None:
    env = environment()
    flaw(env)
    with pytest.raises(ConfigurationError) as refused:
        process(env, options=GATED, name="orders")
    assert "'orders' has durability=\"gated\": its calls wait for checkpoints, and" in str(
        refused.value
    )
    assert told in str(refused.value)
    assert not is_unaligned(env)
    assert not can_gate(env)


@FLAWS
@OTHER_LEVELS
def test_other_levels_respect_it_and_warn_of_the_consequence(
    options: DurableOptions,
    flaw: Callable[[StreamExecutionEnvironment], None],
    told: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    env = environment()
    flaw(env)
    with caplog.at_level(logging.WARNING, "pyflink_durable"):
        process(env, options=options, name="orders", uid="orders")
    [record] = caplog.records
    assert record.getMessage().startswith("operator=orders ")
    assert told in record.getMessage()
    assert "Calls made since the last checkpoint are made again after a failure" in (
        record.getMessage()
    )
    assert ("unless the call log has them" in record.getMessage()) is (options is LOGGED)
    assert is_unaligned(env) is (flaw in (none_behind_the_end, none_in_a_backlog))


def test_what_an_older_name_of_the_option_says_is_respected() -> None:
    configuration = Configuration()
    configuration.set_string("execution.checkpointing.unaligned", "false")
    env = StreamExecutionEnvironment.get_execution_environment(configuration)
    env.enable_checkpointing(1_000)
    process(env)
    assert not is_unaligned(env)


def test_gated_without_checkpoints_is_refused() -> None:
    with pytest.raises(
        ConfigurationError,
        match=r"'orders' has durability=\"gated\".*checkpointing is off.*env\.enable_checkpointing",
    ):
        process(environment(0), options=GATED, name="orders")


def test_a_refused_job_is_left_as_it_was() -> None:
    env = environment()
    with pytest.raises(ConfigurationError, match="needs uid"):
        process(env, options=LOGGED)
    assert not is_unaligned(env)
    with pytest.raises(ConfigurationError):
        durable_process(
            env.from_collection([1], Types.INT()),  # type: ignore[arg-type]
            handler,
            output_type=Types.INT(),
            options=GATED,
        )
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
