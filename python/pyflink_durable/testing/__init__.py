"""Tests of handlers: crashes, time, replays and upgrades, without Flink.

The pytest plugin gives the fixture `durable`; see docs/testing.md. The runtime never imports this.
Names are loaded when they are asked for: a TaskManager needs none of them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyflink_durable.testing.always_replay import NotDeterministic
    from pyflink_durable.testing.case import Case
    from pyflink_durable.testing.crashes import Crash, CrashNotReached, When, crash
    from pyflink_durable.testing.durable import Durable
    from pyflink_durable.testing.exploration import crash_points
    from pyflink_durable.testing.minicluster import FlinkMiniCluster, MiniClusterJob
    from pyflink_durable.testing.plans import Plan
    from pyflink_durable.testing.run import Run, StillWaiting
    from pyflink_durable.testing.saved_journal import SavedJournal
    from pyflink_durable.testing.scripted_model import ScriptedModel
    from pyflink_durable.testing.signals import SentSignal
    from pyflink_durable.testing.stubs import CallNotAllowed, Stub
    from pyflink_durable.testing.upgrade import UpgradeCheck, UpgradeMismatch, check_upgrade

__all__ = [
    "CallNotAllowed",
    "Case",
    "Crash",
    "CrashNotReached",
    "Durable",
    "FlinkMiniCluster",
    "MiniClusterJob",
    "NotDeterministic",
    "Plan",
    "Run",
    "SavedJournal",
    "ScriptedModel",
    "SentSignal",
    "StillWaiting",
    "Stub",
    "UpgradeCheck",
    "UpgradeMismatch",
    "When",
    "check_upgrade",
    "crash",
    "crash_points",
]

_MODULES = {
    "CallNotAllowed": "stubs",
    "Case": "case",
    "Crash": "crashes",
    "CrashNotReached": "crashes",
    "Durable": "durable",
    "FlinkMiniCluster": "minicluster",
    "MiniClusterJob": "minicluster",
    "NotDeterministic": "always_replay",
    "Plan": "plans",
    "Run": "run",
    "SavedJournal": "saved_journal",
    "SentSignal": "signals",
    "ScriptedModel": "scripted_model",
    "StillWaiting": "run",
    "Stub": "stubs",
    "UpgradeCheck": "upgrade",
    "UpgradeMismatch": "upgrade",
    "check_upgrade": "upgrade",
    "When": "crashes",
    "crash": "crashes",
    "crash_points": "exploration",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
