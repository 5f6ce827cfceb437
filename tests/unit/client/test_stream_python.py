"""The Python of the job's TaskManagers, when the graph is built."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import pytest
from graphs import environment, process

from pyflink_durable import ConfigurationError
from pyflink_durable.client.python_setup import check_python, local_python

VENV = {"python.archives": "s3://jobs/envs/venv.zip,/data/rates.zip#rates"}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"execution.target": "local"}, sys.executable),
        ({"execution.target": "minicluster"}, sys.executable),
        ({"execution.target": "local", "python.executable": "/opt/python"}, None),
        ({"execution.target": "remote"}, None),
        ({}, None),
    ],
)
def test_a_local_job_is_told_of_this_python(settings: Mapping[str, str], told: str | None) -> None:
    assert local_python(settings) == told


@pytest.mark.parametrize("executable", ["venv.zip/venv/bin/python", "rates/bin/python"])
def test_a_python_in_an_archive_is_refused(executable: str) -> None:
    with pytest.raises(
        ConfigurationError,
        match=rf"^python\.executable is '{executable}'.*in the TaskManagers' own Python.*"
        r"python\.requirements or python\.files$",
    ):
        check_python(VENV | {"python.executable": executable})


@pytest.mark.parametrize(
    "executable", ["", "python3", "/opt/venv/bin/python", "/venv.zip/python", "other/bin/python"]
)
def test_any_other_python_is_let_be(executable: str) -> None:
    check_python(VENV | {"python.executable": executable})
    check_python({"python.executable": executable})


def test_durable_process_sees_to_both() -> None:
    env = environment()
    process(env)
    assert env._j_stream_execution_environment.getConfiguration().toMap()["python.executable"] == (
        sys.executable
    )
    archived = environment(
        python_archives="/data/venv.zip", python_executable="venv.zip/bin/python"
    )
    with pytest.raises(ConfigurationError, match="a Python in one of the job's python"):
        process(archived)
