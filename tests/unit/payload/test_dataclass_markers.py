"""Dataclasses of a script, as they arrive in another process."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import base64, dataclasses, typing
import cloudpickle
import pyflink_durable

@dataclasses.dataclass
class Order:
    kind: typing.ClassVar[str] = "order"
    id: str
    seed: dataclasses.InitVar[int] = 0
    tags: list = dataclasses.field(default_factory=list)

print(base64.b64encode(cloudpickle.dumps((Order, Order("x"), Order("y")))).decode())
"""

ARRIVED = """
import base64, dataclasses, pickle, sys
from pydantic import TypeAdapter
from pyflink_durable.identity.digest import compute_args_digest

Order, x, y = pickle.loads(base64.b64decode(sys.argv[1]))
assert [field.name for field in dataclasses.fields(Order)] == ["id", "tags"]
assert dataclasses.asdict(x) == {"id": "x", "tags": []}
assert compute_args_digest((x,), {}) != compute_args_digest((y,), {})
assert TypeAdapter(Order).validate_json('{"id": "z"}') == Order("z")
"""


def run(code: str, folder: Path, *arguments: str) -> str:
    script = folder / "script.py"
    script.write_text(code)
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=120
    ).stdout.strip()


def test_a_dataclass_of_a_script_arrives_with_its_fields(tmp_path: Path) -> None:
    pickled = run(SCRIPT, tmp_path)
    assert b"dataclasses" in base64.b64decode(pickled)
    run(ARRIVED, tmp_path, pickled)
