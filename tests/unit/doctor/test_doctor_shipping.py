"""What the doctor says of code and packages that come with jobs, and of this interpreter."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyflink_durable.doctor.client import check_client, check_interpreter
from pyflink_durable.doctor.finding import Severity
from pyflink_durable.doctor.shipping import check_shipping


def test_what_is_not_set_is_not_spoken_of() -> None:
    assert list(check_shipping({}, is_here=True)) == []


def test_what_is_there_is_fine(tmp_path: Path) -> None:
    for name in ("code.zip", "requirements.txt"):
        (tmp_path / name).touch()
    settings = {
        "python.files": f"{tmp_path}/code.zip, hdfs://jobs/more.zip",
        "python.requirements": f"{tmp_path}/requirements.txt#{tmp_path}",
        "python.archives": f"{tmp_path}/code.zip#tables",
        "python.executable": "/opt/venv/bin/python",
    }
    found = list(check_shipping(settings, is_here=True))
    assert [one.severity for one in found] == [Severity.OK] * 3


@pytest.mark.parametrize("option", ["python.files", "python.requirements", "python.archives"])
def test_a_path_that_is_not_there(option: str) -> None:
    settings = {option: "/nowhere/one.zip#folder"}
    [found] = check_shipping(settings, is_here=True)
    assert (found.check, found.severity) == (option, Severity.ERROR)
    assert "/nowhere/one.zip" in found.message
    [elsewhere] = check_shipping(settings, is_here=False)
    assert elsewhere.severity is Severity.OK


def test_requirements_without_wheels_ask_the_index() -> None:
    [found] = check_shipping({"python.requirements": "/jobs/requirements.txt"}, is_here=False)
    assert found.severity is Severity.WARNING
    assert "requirements.txt#folder" in found.remedy


def test_a_python_in_an_archive() -> None:
    settings = {"python.archives": "/e/venv.zip", "python.executable": "venv.zip/bin/python"}
    [found] = check_shipping(settings, is_here=False)
    assert found.severity is Severity.ERROR
    assert "a Python in one of the job's python.archives" in found.message


def test_an_interpreter_that_a_jvm_can_load() -> None:
    [here] = [one for one in check_client() if one.check == "interpreter"]
    assert here.severity is Severity.OK


def test_an_interpreter_that_no_jvm_can_load() -> None:
    assert "pemja is not installed here" in check_interpreter(False, "/lib/libpython.so").message
    assert "--enable-shared" in check_interpreter(True, None).remedy
