"""An invocation in flight is run over its journal, and shown where it waits."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pyflink_durable.commands.main import main

pytestmark = pytest.mark.minicluster

SAVEPOINT = Path(__file__).parent / "savepoints" / "0.1.0" / "canonical"
HANDLERS = """
from pathlib import Path

from crashkit import World
from released import Situations

def today():
    return Situations(World({folder!r}))

async def another(value, ctx):
    await ctx.durable_execute_async(len, value)
"""


@pytest.fixture
def replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Result]]:
    (tmp_path / "replayed_job.py").write_text(HANDLERS.format(folder=str(tmp_path)))
    monkeypatch.syspath_prepend(str(tmp_path))

    def run(handler: str, key: str, *more: str) -> Result:
        arguments = ["replay", str(SAVEPOINT), f"replayed_job:{handler}", "--key", key, *more]
        return CliRunner().invoke(main, arguments)

    yield run
    sys.modules.pop("replayed_job", None)


def test_it_shows_the_line_the_variables_and_what_is_open(replay: Any, tmp_path: Path) -> None:
    done = replay("today()", "finished", "--uid", "in-state")

    assert done.exit_code == 0, done.output
    assert "key='finished' invocation=0: in doubt, 3 slots" in done.output
    assert "released.py:" in done.output
    assert "in finished" in done.output
    assert "    receipt = Receipt(order='finished/1/pay', amount=Decimal('10.10'))" in done.output
    assert "    refused = 'finished/1/refuse is refused'" in done.output
    assert "open: slot 2 hang, in doubt" in done.output
    assert not (tmp_path / "events").exists()  # where the calls of this handler leave a trace


def test_each_task_of_the_handler_is_shown(replay: Any) -> None:
    done = replay("today()", "together")

    assert done.exit_code == 0, done.output
    assert "in together" in done.output
    assert "in call" in done.output
    assert "    part = 'stuck'" in done.output


def test_it_can_be_debugged_where_it_waits(tmp_path: Path) -> None:
    (tmp_path / "replayed_job.py").write_text(HANDLERS.format(folder=str(tmp_path)))
    program = "from pyflink_durable.commands.main import main; main()"
    command = [sys.executable, "-c", program, "replay", str(SAVEPOINT), "replayed_job:today()"]
    done = subprocess.run(
        [*command, "--key", "slept", "--pdb"],
        input="p 'seen: ' + seen[:4]\nq\n",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=tmp_path,
        env=dict(os.environ, PYTHONPATH=str(Path(__file__).parent)),
    )

    assert done.returncode == 0, done.stderr
    assert "'seen: 2026'" in done.stdout


def test_another_handler_does_not_go_on_with_it(replay: Any) -> None:
    done = replay("another", "finished")

    assert done.exit_code == 1
    assert "slot 0" in done.stderr


def test_a_key_of_which_nothing_is_in_flight(replay: Any) -> None:
    done = replay("today()", "nobody")

    assert done.exit_code == 2
    assert "nothing is in flight of key nobody" in done.output
