"""A job run by a virtual environment's Python, where the PATH has another one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.minicluster

JOB = """
import numpy
from pyflink.common import Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink_durable import durable_process

async def ask(name):
    return f"hello {name}, by numpy {numpy.__version__}"

async def handle(name, ctx):
    return await ctx.durable_execute_async(ask, name)

env = StreamExecutionEnvironment.get_execution_environment()
names = env.from_collection(["you"], Types.STRING()).key_by(lambda name: name, Types.STRING())
durable_process(names, handle, output_type=Types.STRING(), uid="hello").print()
env.execute("hello")
"""


def test_it_runs_whatever_python_is_on_the_path(tmp_path: Path) -> None:
    java = os.environ.get("JAVA_HOME") or shutil.which("java")
    assert java is not None
    programs = tmp_path / "bin"
    programs.mkdir()
    if not os.environ.get("JAVA_HOME"):
        (programs / "java").symlink_to(java)
    for name in ("python", "python3"):
        (programs / name).write_text("#!/bin/sh\necho this is no python; exit 1\n")
        (programs / name).chmod(0o755)
    (tmp_path / "job.py").write_text(JOB)
    # the conf of the mini-cluster tests must not get in, nor their search path
    kept = {k: v for k, v in os.environ.items() if k in ("HOME", "JAVA_HOME", "LANG", "TMPDIR")}
    environment = kept | {"PATH": f"{programs}:/usr/bin:/bin", "FLINK_LOG_DIR": str(tmp_path)}

    done = subprocess.run(
        [sys.executable, str(tmp_path / "job.py")],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "hello you, by numpy" in done.stdout
