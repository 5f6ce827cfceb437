"""What an operator needs of the job's checkpoints, seen to when the graph is built."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, NamedTuple

from pyflink_durable.errors import ConfigurationError
from pyflink_durable.options import DurableOptions

logger = logging.getLogger("pyflink_durable")


class Flaw(NamedTuple):
    """A setting under which checkpoints may fail to come while an operator waits.

    Attributes:
        found: The setting and its value.
        problem: When there is no checkpoint then.
        remedy: What to set.
    """

    found: str
    problem: str
    remedy: str


def prepare_checkpoints(env: Any, options: DurableOptions, name: str) -> None:
    """Sees to it that the job takes the checkpoints that the operator's level needs.

    Raises:
        ConfigurationError: Checkpointing is off, or set up such that calls would wait for
            checkpoints that do not come.
    """
    if not env.get_checkpoint_config().is_checkpointing_enabled():
        _without_checkpoints(options, name)
        _turn_on_unaligned(env, name)  # they may be turned on later
        return
    flaws = list(_flaws(env))
    if flaws and options.durability == "gated":
        found, problem, remedy = flaws[0]
        raise ConfigurationError(
            f'operator {name!r} has durability="gated": its calls wait for checkpoints, and '
            f"{found}: {problem}. {remedy}"
        )
    for flaw in flaws:
        logger.warning(
            "operator=%s %s: %s. Calls made since the last checkpoint are made again after a "
            "failure%s. %s",
            name,
            flaw.found,
            flaw.problem,
            "" if options.call_log is None else ", unless the call log has them, and it grows",
            flaw.remedy,
        )
    _turn_on_unaligned(env, name)


def can_gate(env: Any) -> bool:
    """Whether the job takes checkpoints that a call at the gate can wait for."""
    return bool(env.get_checkpoint_config().is_checkpointing_enabled()) and not any(_flaws(env))


def checkpoint_interval(env: Any) -> int:
    """Milliseconds between checkpoints; 0 if there are none."""
    config = env.get_checkpoint_config()
    return int(config.get_checkpoint_interval()) if config.is_checkpointing_enabled() else 0


def _without_checkpoints(options: DurableOptions, name: str) -> None:
    if options.durability == "gated":
        raise ConfigurationError(
            f'operator {name!r} has durability="gated": its calls wait for checkpoints, and '
            "checkpointing is off. Turn it on with env.enable_checkpointing(milliseconds); the "
            "interval is the latency of a call"
        )
    if options.call_log is not None:
        raise ConfigurationError(
            f"operator {name!r} has a call log, which only a completed checkpoint lets forget, "
            "and checkpointing is off. Turn it on with env.enable_checkpointing(milliseconds)"
        )
    logger.warning(
        "operator=%s checkpointing is off: after a failure the job starts over and every "
        "call is made again. Turn it on with env.enable_checkpointing(milliseconds)",
        name,
    )


def _turn_on_unaligned(env: Any, name: str) -> None:
    """An aligned barrier waits in the input of an operator that waits for it.

    Left alone where the user has decided, or where Flink would refuse the job for it.
    """
    config = env.get_checkpoint_config()
    can_be = _is_exactly_once(config) and config.get_max_concurrent_checkpoints() == 1
    if can_be and not _configuration(env).contains(_options().ENABLE_UNALIGNED):
        config.enable_unaligned_checkpoints(True)
        logger.info(
            "operator=%s unaligned checkpoints are turned on: a barrier overtakes what a full "
            "operator has not read",
            name,
        )


def _flaws(env: Any) -> Iterator[Flaw]:
    config, configuration, options = env.get_checkpoint_config(), _configuration(env), _options()
    held_back = (
        "no checkpoint completes while the operator takes in no input, as when it is full; Flink "
        "lets it expire and restarts the job"
    )
    if not _is_exactly_once(config):
        yield Flaw(
            "execution.checkpointing.mode is AT_LEAST_ONCE",
            f"inputs come twice, checkpoints cannot be unaligned, and {held_back}",
            "Set it to EXACTLY_ONCE",
        )
    elif config.get_max_concurrent_checkpoints() != 1:
        yield Flaw(
            f"execution.checkpointing.max-concurrent-checkpoints is "
            f"{config.get_max_concurrent_checkpoints()}",
            f"checkpoints cannot be unaligned, and {held_back}",
            "Set it to 1, or leave it out",
        )
    elif configuration.contains(options.ENABLE_UNALIGNED) and not configuration.get(
        options.ENABLE_UNALIGNED
    ):
        yield Flaw(
            "execution.checkpointing.unaligned.enabled is false",
            held_back,
            "Set it to true, or leave it out",
        )
    if not configuration.get(options.ENABLE_CHECKPOINTS_AFTER_TASKS_FINISH):
        yield Flaw(
            "execution.checkpointing.checkpoints-after-tasks-finish.enabled is false",
            "no checkpoint is taken any more when one task has finished, such as a source of "
            "bounded input",
            "Set it to true, or leave it out",
        )
    backlog = configuration.get(options.CHECKPOINTING_INTERVAL_DURING_BACKLOG)
    if backlog is not None and backlog.toMillis() == 0:
        yield Flaw(
            "execution.checkpointing.interval-during-backlog is 0",
            "no checkpoint is taken while a source works off a backlog",
            "Set an interval, or leave it out",
        )


def _is_exactly_once(config: Any) -> bool:
    return bool(config.get_checkpointing_mode().name == "EXACTLY_ONCE")


def _configuration(env: Any) -> Any:
    """The job's whole configuration, in Java; that of its checkpoints is the same object."""
    from pyflink.util.java_utils import get_j_env_configuration

    return get_j_env_configuration(env._j_stream_execution_environment)


def _options() -> Any:
    """Flink's checkpointing options, in Java; they know their earlier names."""
    from pyflink.java_gateway import get_gateway

    return get_gateway().jvm.org.apache.flink.configuration.CheckpointingOptions
