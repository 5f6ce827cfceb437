"""A kit to crash a job on purpose and to see what it did to the outside world.

`world` is the outside: everything that must survive a crash, in one folder. `script` feeds a job
its inputs at chosen moments, `calls` has outside calls that leave a trace, `jobs` builds and runs.
"""

from crashkit.calls import Style, act, call_in, look_up, stuck_at_first, take_a_while
from crashkit.jobs import (
    JobFailed,
    cancel,
    check,
    durable,
    environment,
    failed_checkpoints,
    finish,
    finished_subtasks,
    last_failure,
    rest_address,
    run,
    start,
    stop_with_savepoint,
    take_checkpoint,
    take_savepoint,
    write_outputs,
)
from crashkit.script import Stage, scripted
from crashkit.world import DEADLINE_SECONDS, Crash, World

__all__ = [
    "DEADLINE_SECONDS",
    "Crash",
    "JobFailed",
    "Stage",
    "Style",
    "World",
    "act",
    "call_in",
    "cancel",
    "check",
    "durable",
    "environment",
    "failed_checkpoints",
    "finish",
    "finished_subtasks",
    "last_failure",
    "look_up",
    "rest_address",
    "run",
    "scripted",
    "start",
    "stop_with_savepoint",
    "stuck_at_first",
    "take_a_while",
    "take_checkpoint",
    "take_savepoint",
    "write_outputs",
]
