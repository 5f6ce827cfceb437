"""`pyflink-durable demo` and `proof` are the programs, with their options."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from pyflink_durable.commands.main import main


@pytest.mark.parametrize(("command", "option"), [("demo", "--failures"), ("proof", "--seconds")])
def test_their_help_is_that_of_the_program(command: str, option: str) -> None:
    result = CliRunner().invoke(main, [command, "--help"])
    assert result.exit_code == 0
    assert option in result.output


def test_their_mistakes_are_told(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["demo", "--orders", str(tmp_path / "none.ndjson")])
    assert result.exit_code == 2
    assert CliRunner().invoke(main, ["proof", "--seconds", "never"]).exit_code == 2
