"""A kit to crash a job on purpose and to see what it did to the outside world.

`world` is the outside: everything that must survive a crash, in one folder. `script` feeds a job its
inputs at chosen moments, `calls` has outside calls that leave a trace, `jobs` builds and runs.
"""

from crashkit.calls import Style, act, act_async, call_in, look_up, stuck_at_first, stuck_at_first_async
from crashkit.jobs import JobFailed, environment, run, start, write_outputs
from crashkit.script import Stage, scripted
from crashkit.world import Crash, World

__all__ = [
    "Crash",
    "JobFailed",
    "Stage",
    "Style",
    "World",
    "act",
    "act_async",
    "call_in",
    "environment",
    "look_up",
    "run",
    "scripted",
    "start",
    "stuck_at_first",
    "stuck_at_first_async",
    "write_outputs",
]
