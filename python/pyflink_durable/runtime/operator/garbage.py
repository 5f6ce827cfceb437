"""What Python's garbage collector costs where thousands of calls are in flight."""

from __future__ import annotations

import gc

_OBJECTS_PER_INVOCATION = 50
"""With thousands of calls in flight all young objects are in use: Python's collector, which looks
for cycles among them after 700 new ones, finds nothing, and costs as much as the calls. It looks
when more are alive than those of all invocations that may be in flight."""


def relax_garbage_collection(invocations: int) -> None:
    """For the whole interpreter, and only where it is at work and more eager.

    What earlier attempts left behind goes now: the interpreter outlives hundreds of them.
    """
    gc.collect()
    young, middle, old = gc.get_threshold()
    wanted = _OBJECTS_PER_INVOCATION * invocations
    if 0 < young < wanted:
        gc.set_threshold(wanted, middle, old)
