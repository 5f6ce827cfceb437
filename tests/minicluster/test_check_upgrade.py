"""Savepoints of releases are held against handlers, before these are deployed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from crashkit import World
from released import SITUATIONS, Situations

from pyflink_durable import ConfigurationError, DurableProcessFunction, RunnerContext
from pyflink_durable.commands.main import main
from pyflink_durable.testing import check_upgrade

pytestmark = pytest.mark.minicluster

SAVEPOINTS = Path(__file__).parent / "savepoints"
RELEASES = sorted(folder.name for folder in SAVEPOINTS.iterdir() if folder.is_dir())

HANDLERS = """
from pathlib import Path

import test_check_upgrade
from crashkit import World
from released import Situations

def today():
    return Situations(World(Path({folder!r})))

def changed():
    return test_check_upgrade.Changed(World(Path({folder!r})))
"""


class Changed(DurableProcessFunction):
    """One situation has another first call, and one makes no call any more."""

    def __init__(self, world: World) -> None:
        self._as_before = Situations(world)

    async def process(self, value: Any, ctx: RunnerContext) -> Any:
        if value.startswith("again/"):
            return await ctx.durable_execute_async(len, value)
        if value.startswith("finished/"):
            return None
        return await self._as_before.process(value, ctx)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("form", ["canonical", "native"])
def test_today_s_handler_goes_on_with_every_release(
    release: str, form: str, tmp_path: Path
) -> None:
    handler = Situations(World(tmp_path))
    found = check_upgrade(SAVEPOINTS / release / form, handler, uid="in-state")
    assert found.mismatches == []
    assert found.replayed >= len(SITUATIONS) - 3
    assert found.unreadable == 0
    assert found.in_line > 0


@pytest.mark.parametrize("release", RELEASES)
def test_a_changed_one_is_told_with_key_slot_and_line(release: str, tmp_path: Path) -> None:
    found = check_upgrade(SAVEPOINTS / release / "native", Changed(World(tmp_path)), uid="in-state")
    told = {one.key: one for one in found.mismatches}
    assert set(told) == {"'again'", "'finished'"}
    assert told["'again'"].slot == told["'finished'"].slot == 0
    assert told["'again'"].now == "builtins.len"
    assert "test_check_upgrade.py:" in told["'again'"].line
    assert told["'finished'"].now == "has ended"


def test_the_command_says_so_by_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = "handlers_of_upgrade"
    (tmp_path / f"{module}.py").write_text(HANDLERS.format(folder=str(tmp_path)))
    monkeypatch.syspath_prepend(str(tmp_path))
    snapshot = str(SAVEPOINTS / "0.1.0" / "native")
    run = CliRunner().invoke
    passed = run(main, ["check-upgrade", snapshot, f"{module}:today()", "--uid", "in-state"])
    assert passed.exit_code == 0, passed.output
    assert "0 mismatches" in passed.output
    failed = run(main, ["check-upgrade", snapshot, f"{module}:changed()", "--uid", "in-state"])
    assert failed.exit_code == 1, failed.output
    assert "2 mismatches" in failed.output
    several = run(main, ["check-upgrade", snapshot, f"{module}:today()"])
    assert several.exit_code == 1
    assert "name its uid with --uid" in " ".join(several.output.split())
    for wrong in ("no_module:today", f"{module}:tomorrow", module):
        assert run(main, ["check-upgrade", snapshot, wrong]).exit_code == 2
    sys.modules.pop(module, None)


def test_several_operators_are_not_guessed_at(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="name its uid"):
        check_upgrade(SAVEPOINTS / "0.1.0" / "native", Situations(World(tmp_path)))
