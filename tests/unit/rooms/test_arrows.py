"""What imports what: the rooms of the package, and the arrows between them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

grimp = pytest.importorskip("grimp", reason="arrows are the same on every Python: once is enough")

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "python" / "pyflink_durable"
BELOW_THE_WORDS = {"checks", "identity", "wording"}


def lint(source: Path) -> subprocess.CompletedProcess[str]:
    """Holds the contracts of pyproject.toml against a copy of the package."""
    code = "import sys; from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", code, "--no-cache"],
        cwd=ROOT,
        env={"PYTHONPATH": str(source), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_contracts_are_kept() -> None:
    linted = lint(PACKAGE.parent)
    assert linted.returncode == 0, linted.stdout + linted.stderr


@pytest.mark.parametrize(
    ("module", "imports"),
    [
        ("runtime/journal/planning.py", "pyflink_durable.runtime.operator.function"),
        ("payload/copies.py", "pyflink_durable.runtime.journal.bridge"),
        ("runtime/operator/function.py", "pyflink_durable.testing.local_context"),
        ("tools/run.py", "pyflink_durable.runtime.calls.life"),
        ("identity/digest.py", "pyflink_durable.checks.arguments"),
    ],
)
def test_an_arrow_that_points_up_is_found(tmp_path: Path, module: str, imports: str) -> None:
    copy = tmp_path / "pyflink_durable"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("lib", "__pycache__"))
    with (copy / module).open("a", encoding="utf-8") as source:
        source.write(f"\n\ndef planted() -> None:\n    import {imports}\n")
    linted = lint(tmp_path)
    assert linted.returncode == 1, linted.stderr
    assert imports in linted.stdout


def test_a_room_without_a_place_is_found(tmp_path: Path) -> None:
    copy = tmp_path / "pyflink_durable"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("lib", "__pycache__"))
    (copy / "runtime" / "attic").mkdir()
    (copy / "runtime" / "attic" / "__init__.py").touch()
    linted = lint(tmp_path)
    assert linted.returncode == 1, linted.stderr
    assert "attic" in linted.stdout


def test_the_public_words_are_below_the_rooms() -> None:
    """The root imports all that it shows; its other modules only what is below them."""
    graph = grimp.build_graph("pyflink_durable", exclude_type_checking_imports=True, cache_dir=None)
    words = {f"pyflink_durable.{path.stem}" for path in PACKAGE.glob("[!_]*.py")}
    words |= {name for name in graph.modules if name.startswith("pyflink_durable.tracing")}
    assert "pyflink_durable.context" in words
    found = {
        (word, imported)
        for word in words
        for imported in graph.find_modules_directly_imported_by(word)
        if imported not in words and imported.split(".")[1:2] not in [[r] for r in BELOW_THE_WORDS]
    }
    assert found == set()
