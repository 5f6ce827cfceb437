"""What an operator needs of the job's checkpoints, seen to when the graph is built."""

from __future__ import annotations

import logging
from typing import Any

from pyflink_durable.errors import ConfigurationError
from pyflink_durable.options import DurableOptions

logger = logging.getLogger("pyflink_durable")


def prepare_checkpoints(env: Any, options: DurableOptions, name: str) -> None:
    """Sees to it that the job takes the checkpoints that the operator's level needs.

    Raises:
        ConfigurationError: Checkpointing is off, or set to at-least-once, and calls would wait for
            checkpoints.
    """
    config = env.get_checkpoint_config()
    if options.durability != "gated":
        if options.call_log is not None and not config.is_checkpointing_enabled():
            raise ConfigurationError(
                f"operator {name!r} has a call log, which only a completed checkpoint lets forget, "
                "and checkpointing is off. Turn it on with env.enable_checkpointing(milliseconds)"
            )
        if not config.is_checkpointing_enabled():
            logger.warning(
                "operator=%s checkpointing is off: after a failure the job starts over and every "
                "call is made again. Turn it on with env.enable_checkpointing(milliseconds)",
                name,
            )
        return
    if not config.is_checkpointing_enabled():
        raise ConfigurationError(
            f'operator {name!r} has durability="gated": its calls wait for checkpoints, and '
            "checkpointing is off. Turn it on with env.enable_checkpointing(milliseconds); the "
            "interval is the latency of a call"
        )
    if not _is_exactly_once(config):
        raise ConfigurationError(
            f'operator {name!r} has durability="gated", which needs exactly-once checkpoints; the '
            "job has at-least-once, under which inputs come twice. Set "
            "execution.checkpointing.mode: EXACTLY_ONCE"
        )
    if not config.is_unaligned_checkpoints_enabled():
        # an aligned barrier would wait in the input of an operator that waits for it
        config.enable_unaligned_checkpoints(True)
        logger.info("operator=%s unaligned checkpoints are turned on for durability=gated", name)


def can_gate(env: Any) -> bool:
    """Whether the job takes checkpoints that a call at the gate can wait for."""
    config = env.get_checkpoint_config()
    return bool(
        config.is_checkpointing_enabled()
        and _is_exactly_once(config)
        and config.is_unaligned_checkpoints_enabled()
    )


def checkpoint_interval(env: Any) -> int:
    """Milliseconds between checkpoints; 0 if there are none."""
    config = env.get_checkpoint_config()
    return int(config.get_checkpoint_interval()) if config.is_checkpointing_enabled() else 0


def _is_exactly_once(config: Any) -> bool:
    return bool(config.get_checkpointing_mode().name == "EXACTLY_ONCE")
