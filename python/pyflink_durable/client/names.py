"""Names and uids of a job: what it finds its state and its idempotency keys by."""

from __future__ import annotations

import logging
from typing import Any

from pyflink_durable.client.transformations import is_durable
from pyflink_durable.errors import ConfigurationError
from pyflink_durable.options import DurableOptions

logger = logging.getLogger("pyflink_durable")


def check_names(name: Any, uid: Any) -> None:
    """Checks that they can be in log lines, names of threads and paths.

    Raises:
        ConfigurationError: They cannot.
    """
    for argument, given in (("name", name), ("uid", "uid" if uid is None else uid)):
        if not isinstance(given, str) or not given or not given.isprintable():
            raise ConfigurationError(
                f"{argument} must be a str of printable characters, without line breaks, not "
                f"{given!r}"
            )


def check_uid(env: Any, uid: str | None, options: DurableOptions) -> None:
    """Checks that state and call log are found again by the uid.

    Raises:
        ConfigurationError: Another operator has it, or there is none and a call log needs one.
    """
    if uid is None:
        if options.call_log is not None:
            raise ConfigurationError(
                "a call log needs uid=... on durable_process: the log is found again by it"
            )
        return
    taken = (t.getUid() for t in env._j_stream_execution_environment.getTransformations())
    if uid in taken:
        raise ConfigurationError(
            f"uid {uid!r} is already the uid of another operator of this job; each needs its own, "
            "or a savepoint could not tell their journals apart"
        )


def check_idempotency_keys(env: Any, uid: str) -> None:
    """Checks that no other operator makes the same: they are made from the uid, or the name.

    Raises:
        ConfigurationError: One does.
    """
    for other in env._j_stream_execution_environment.getTransformations():
        if (other.getUid() or other.getName()) == uid and is_durable(other):
            raise ConfigurationError(
                f"another durable operator of this job goes by {uid!r}, too: calls of both for one "
                "key would have the same idempotency keys, and the outside would take one for a "
                "repetition of the other. Give each durable_process a uid=... of its own"
            )


_named_sources: set[int] = set()
"""Flink's ids of those that a warning has named, each once however many operators it feeds."""


def name_sources_without_uid(stream: Any) -> None:
    """Warns of those before a stream. Sinks come later, so the warning speaks of them, too."""
    before = stream._j_data_stream.getTransformation().getTransitivePredecessors()
    sources = [one for one in before if one.getInputs().isEmpty() and one.getUid() is None]
    new = {one.getId(): one.getName() for one in sources if one.getId() not in _named_sources}
    if new:
        _named_sources.update(new)
        logger.warning(
            "sources=%s have no uid: a changed job cannot find where they were in a savepoint, and "
            "reads everything again. Call .uid(...) on what env.from_source gives, and on what "
            "sink_to gives",
            list(new.values()),
        )
