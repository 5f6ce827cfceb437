"""Checks of a configuration, whether it was read from a file or from a running cluster."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from pyflink_durable.doctor.finding import Finding, error, ok, warning

Settings = Mapping[str, str]

_OPENED = ("java.lang", "java.util", "java.nio", "java.io", "java.net", "java.lang.reflect")
_NO_RESTART = ("none", "off", "disable")
_KEEPS_AWAY = (
    ("execution.checkpointing.mode", ("at_least_once",)),
    ("execution.checkpointing.unaligned.enabled", ("false",)),
    ("execution.checkpointing.unaligned", ("false",)),
    ("execution.checkpointing.checkpoints-after-tasks-finish.enabled", ("false",)),
    ("execution.checkpointing.interval-during-backlog", ("0", "0s", "0ms", "0min")),
)
"""Options, and values of them under which no checkpoint comes while an operator may need one."""


def check_settings(settings: Settings) -> Iterator[Finding]:
    """Looks at what a durable job depends on. A job's own code may set some of it, too."""
    yield _interval(settings)
    yield _reach(settings)
    yield _directory(settings)
    yield _mode(settings)
    yield _restarts(settings)
    yield _slots(settings)


def check_opens(options: str) -> Finding:
    """Whether the JVM's options open what PyFlink and its interpreter reach into."""
    missing = [
        package
        for package in _OPENED
        if not re.search(rf"--add-opens[=\s]+java\.base/{re.escape(package)}=ALL", options)
    ]
    if missing:
        return error(
            "add-opens",
            f"the JVM does not open {', '.join(missing)}",
            "Keep env.java.opts.all of the configuration that comes with Flink, add-opens and all.",
        )
    return ok("add-opens", "the JVM opens what PyFlink reaches into")


def _first(settings: Settings, *names: str) -> str:
    return next((settings[name].strip() for name in names if settings.get(name)), "")


def _interval(settings: Settings) -> Finding:
    interval = _first(settings, "execution.checkpointing.interval")
    if not interval:
        return warning(
            "checkpoints",
            "execution.checkpointing.interval is not set: unless the job sets it, there are no "
            "checkpoints and so no journal",
            "Set it, for example to 1 s, or call env.enable_checkpointing(1000) in the job.",
        )
    return ok("checkpoints", f"every {interval}")


def _reach(settings: Settings) -> Finding:
    """Whether checkpoints come through full operators, behind ended sources, and in a backlog."""
    found = [
        f"{name} is {settings[name]}"
        for name, values in _KEEPS_AWAY
        if settings.get(name, "").lower().replace(" ", "") in values
    ]
    concurrent = settings.get("execution.checkpointing.max-concurrent-checkpoints", "1").strip()
    if concurrent != "1":
        found.append(f"execution.checkpointing.max-concurrent-checkpoints is {concurrent}")
    if found:
        return warning(
            "checkpoints under load",
            f"{', '.join(found)}: checkpoints fail to come while an operator is full, behind the "
            "end of a source, or in a backlog. Gated jobs are refused, others repeat calls",
            "Leave these options out.",
        )
    return ok("checkpoints under load", "they overtake what full operators have not read")


def _directory(settings: Settings) -> Finding:
    directory = _first(settings, "execution.checkpointing.dir", "state.checkpoints.dir")
    if not directory:
        return warning(
            "checkpoint directory",
            "execution.checkpointing.dir is not set: checkpoints are kept in the JobManager's "
            "memory and are lost with it",
            "Set it to storage that every process of the cluster reaches.",
        )
    if directory.startswith(("file:", "/")):
        return warning(
            "checkpoint directory",
            f"{directory} is a directory of one machine",
            "With more than one machine, use storage that all of them reach.",
        )
    return ok("checkpoint directory", directory)


def _mode(settings: Settings) -> Finding:
    mode = _first(settings, "execution.runtime-mode") or "STREAMING"
    if mode.upper() != "STREAMING":
        return error(
            "runtime mode",
            f"execution.runtime-mode is {mode}, in which there are no checkpoints",
            "Set it to STREAMING, which runs bounded input to its end as well.",
        )
    return ok("runtime mode", mode)


def _restarts(settings: Settings) -> Finding:
    strategy = _first(settings, "restart-strategy.type", "restart-strategy")
    if strategy.lower() in _NO_RESTART:
        return error(
            "restarts",
            f"restart-strategy.type is {strategy}: the first failure ends the job",
            "Leave it out, or set it to exponential-delay.",
        )
    return ok("restarts", strategy or "Flink's default, when there are checkpoints")


def _slots(settings: Settings) -> Finding:
    slots = _first(settings, "taskmanager.numberOfTaskSlots") or "1"
    if slots != "1":
        return warning(
            "slots",
            f"{slots} slots in a TaskManager share one Python interpreter and one core of it",
            "For more Python on more cores, run more TaskManagers with one slot each.",
        )
    return ok("slots", "one slot in a TaskManager")
