"""In place of uvloop, for anyio's tests: its event loop is the handlers'."""

import sys
from pathlib import Path
from types import SimpleNamespace

import anyio  # noqa: F401 - before its scopes are put in order

_here = Path(__file__).resolve()
sys.path += [str(_here.parents[1]), str(_here.parents[2] / "unit")]

from driven_loop import DrivenLoop  # noqa: E402

from pyflink_durable.runtime.loop.anyio_scopes import order_cancel_scopes  # noqa: E402

order_cancel_scopes(DrivenLoop)
Loop = new_event_loop = DrivenLoop
loop = SimpleNamespace(Loop=DrivenLoop)
