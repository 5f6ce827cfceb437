"""``pyflink-durable doctor`` on homes, clusters and logs that are broken in one way each."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pyflink_durable.commands.main import main
from pyflink_durable.doctor.client import check_jar, check_java, installed
from pyflink_durable.doctor.finding import Finding, Severity
from pyflink_durable.doctor.home import check_home

OPENS = " ".join(
    f"--add-opens=java.base/java.{package}=ALL-UNNAMED"
    for package in (
        "lang",
        "util",
        "nio",
        "io",
        "net",
        "lang.reflect",
    )
)
FLINK = installed("apache-flink")
GOOD = {
    "env.java.opts.all": OPENS,
    "execution.checkpointing.interval": "1 s",
    "execution.checkpointing.dir": "s3://bucket/checkpoints",
    "python.executable": sys.executable,
}


def make_home(folder: Path, settings: dict[str, str], jars: tuple[str, ...]) -> Path:
    for name in ("lib", "conf"):
        (folder / name).mkdir(parents=True)
    for jar in jars:
        (folder / "lib" / jar).touch()
    lines = [f"{name}: {json.dumps(value)}\n" for name, value in settings.items()]
    (folder / "conf" / "config.yaml").write_text("".join(lines))
    return folder


JARS = (f"flink-dist-{FLINK}.jar", f"flink-python-{FLINK}.jar")


def complaints(findings: Iterator[Finding]) -> dict[str, Finding]:
    return {one.check: one for one in findings if one.severity is not Severity.OK}


def test_a_good_home_has_no_complaint(tmp_path: Path) -> None:
    assert complaints(check_home(make_home(tmp_path / "flink", GOOD, JARS))) == {}


@pytest.mark.parametrize(
    ("change", "check", "severity", "remedy"),
    [
        ({"env.java.opts.all": ""}, "add-opens", Severity.ERROR, "env.java.opts.all"),
        ({"execution.checkpointing.interval": ""}, "checkpoints", Severity.WARNING, "1 s"),
        ({"execution.checkpointing.dir": ""}, "checkpoint directory", Severity.WARNING, "storage"),
        (
            {"execution.checkpointing.dir": "file:///tmp"},
            "checkpoint directory",
            Severity.WARNING,
            "reach",
        ),
        *(
            ({name: value}, "checkpoints under load", Severity.WARNING, "Leave these options out")
            for name, value in (
                ("execution.checkpointing.unaligned.enabled", "false"),
                ("execution.checkpointing.unaligned", "False"),
                ("execution.checkpointing.mode", "AT_LEAST_ONCE"),
                ("execution.checkpointing.max-concurrent-checkpoints", "2"),
                ("execution.checkpointing.checkpoints-after-tasks-finish.enabled", "false"),
                ("execution.checkpointing.interval-during-backlog", "0 s"),
            )
        ),
        ({"execution.runtime-mode": "BATCH"}, "runtime mode", Severity.ERROR, "STREAMING"),
        ({"restart-strategy.type": "none"}, "restarts", Severity.ERROR, "exponential-delay"),
        ({"taskmanager.numberOfTaskSlots": "4"}, "slots", Severity.WARNING, "more TaskManagers"),
        ({"python.executable": ""}, "python.executable", Severity.WARNING, "-pyexec"),
        ({"python.executable": "/nowhere/python"}, "python.executable", Severity.WARNING, "Run"),
    ],
)
def test_a_setting_that_is_wrong(
    tmp_path: Path, change: dict[str, str], check: str, severity: Severity, remedy: str
) -> None:
    found = complaints(check_home(make_home(tmp_path / "flink", GOOD | change, JARS)))

    assert list(found) == [check]
    assert found[check].severity is severity
    assert remedy in found[check].remedy


@pytest.mark.parametrize(
    ("jars", "check", "remedy"),
    [
        ((), "flink home", "Give the folder"),
        ((f"flink-dist-{FLINK}.jar",), "flink-python", "Copy opt/flink-python"),
        ((JARS[0], "flink-python-1.19.0.jar"), "flink-python", f"flink-python-{FLINK}.jar"),
        (
            ("flink-dist-1.19.0.jar", "flink-python-1.19.0.jar"),
            "cluster version",
            "apache-flink==1.19.0",
        ),
    ],
)
def test_a_lib_folder_that_is_wrong(
    tmp_path: Path, jars: tuple[str, ...], check: str, remedy: str
) -> None:
    found = complaints(check_home(make_home(tmp_path / "flink", GOOD, jars)))

    assert list(found) == [check]
    assert found[check].severity is Severity.ERROR
    assert remedy in found[check].remedy


def test_a_configuration_that_cannot_be_read(tmp_path: Path) -> None:
    home = make_home(tmp_path / "flink", GOOD, JARS)
    (home / "conf" / "config.yaml").write_text("a: b: c")
    assert "not YAML" in complaints(check_home(home))["configuration"].message
    (home / "conf" / "config.yaml").unlink()
    assert "no config.yaml" in complaints(check_home(home))["configuration"].message


def test_nested_names_and_the_older_file_are_read(tmp_path: Path) -> None:
    home = make_home(tmp_path / "flink", {}, JARS)
    (home / "conf" / "config.yaml").unlink()
    (home / "conf" / "flink-conf.yaml").write_text(
        f"env: {{java: {{opts: {{all: '{OPENS}'}}}}}}\npython.executable: {sys.executable}\n"
    )
    assert list(complaints(check_home(home))) == ["checkpoints", "checkpoint directory"]


def test_the_python_of_the_taskmanagers_without_the_package(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    settings = GOOD | {"python.executable": str(bare / "bin" / "python")}

    found = complaints(check_home(make_home(tmp_path / "flink", settings, JARS)))

    assert "no pyflink-durable" in found["python.executable"].message
    assert "pip install pyflink-durable==" in found["python.executable"].remedy


@pytest.mark.parametrize(
    ("flink", "java", "is_fine"),
    [
        ((1, 20), 'openjdk version "1.8.0_402"', False),
        ((1, 20), 'openjdk version "11.0.22"', True),
        ((1, 20), 'openjdk version "21.0.2"', False),
        ((2, 3), 'openjdk version "21.0.2"', True),
        ((2, 3), 'openjdk version "25"', False),
        ((2, 3), "nonsense", False),
    ],
)
def test_java_and_flink(tmp_path: Path, flink: tuple[int, int], java: str, is_fine: bool) -> None:
    program = tmp_path / "java"
    program.write_text(f"#!/bin/sh\necho '{java}' >&2\n")
    program.chmod(0o755)

    found = check_java(flink, str(program))

    assert (found.severity is Severity.OK) == is_fine


def test_no_java_at_all() -> None:
    assert "no Java" in check_java((2, 2), "/nowhere/bin/java").message


def test_a_broken_jar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jar = tmp_path / "pyflink-durable-0.jar"
    jar.write_text("not a jar")
    monkeypatch.setattr("pyflink_durable.doctor.client.bridge_jar", lambda: jar)
    assert "cannot be read" in check_jar().message


# ------------------------------------------------------------------ a cluster

ANSWERS: dict[str, Any] = {
    "/config": {"flink-version": FLINK},
    "/jobmanager/environment": {
        "jvm": {"version": "OpenJDK - Debian - 17/17.0.15+6", "options": OPENS.split()},
        "classpath": [f"/flink/lib/flink-python-{FLINK}.jar"],
    },
    "/jobmanager/config": [{"key": key, "value": value} for key, value in GOOD.items()],
    "/taskmanagers": {"taskmanagers": [{"id": "tm"}]},
    "/jobs/overview": {"jobs": []},
}


@pytest.fixture
def rest() -> Iterator[tuple[str, dict[str, Any]]]:
    """A server that answers as a JobManager does; its answers can be changed."""
    answers = dict(ANSWERS)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(answers[self.path]).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}", answers
        server.shutdown()
        thread.join()


def run_doctor(*arguments: str) -> tuple[int, dict[str, dict[str, str]]]:
    result = CliRunner().invoke(main, ["doctor", "--json", *arguments])
    return result.exit_code, {one["check"]: one for one in json.loads(result.output)}


def test_a_good_cluster(rest: tuple[str, dict[str, Any]]) -> None:
    code, found = run_doctor("--address", rest[0])
    assert code == 0
    assert {one["severity"] for one in found.values()} == {"ok"}


@pytest.mark.parametrize(
    ("path", "answer", "check"),
    [
        ("/config", {"flink-version": "1.18.1"}, "cluster version"),
        ("/taskmanagers", {"taskmanagers": []}, "TaskManagers"),
        (
            "/jobmanager/environment",
            ANSWERS["/jobmanager/environment"] | {"classpath": ["/flink/lib/flink-dist.jar"]},
            "flink-python",
        ),
        (
            "/jobmanager/environment",
            ANSWERS["/jobmanager/environment"]
            | {"jvm": {"version": "OpenJDK - x - 25/25", "options": OPENS.split()}},
            "cluster java",
        ),
    ],
)
def test_a_cluster_that_is_wrong(
    rest: tuple[str, dict[str, Any]], path: str, answer: Any, check: str
) -> None:
    address, answers = rest
    answers[path] = answer

    code, found = run_doctor("--address", address)

    assert code == 2
    assert [name for name, one in found.items() if one["severity"] == "error"] == [check]
    assert found[check]["remedy"]


def test_no_program_is_run_that_a_cluster_names(
    rest: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    program, witness = tmp_path / "python", tmp_path / "it ran"
    program.write_text(f"#!/bin/sh\ntouch '{witness}'\n")
    program.chmod(0o755)
    address, answers = rest
    named = {"key": "python.executable", "value": str(program)}
    answers["/jobmanager/config"] = [
        one for one in answers["/jobmanager/config"] if one["key"] != "python.executable"
    ] + [named]

    code, found = run_doctor("--address", address)

    assert not witness.exists()
    assert code == 1
    assert "is not run on this machine" in found["python.executable"]["message"]
    assert "on a TaskManager" in found["python.executable"]["remedy"]


def test_an_address_where_nobody_listens() -> None:
    code, found = run_doctor("--address", "127.0.0.1:1")
    assert code == 2
    assert "rest.port" in found["cluster"]["remedy"]


# ------------------------------------------------------------------ the log, and the command


def test_the_directory_of_a_log(tmp_path: Path) -> None:
    assert run_doctor("--log-directory", str(tmp_path))[0] in (0, 1)  # a disk may be slow
    assert list(tmp_path.iterdir()) == []
    code, found = run_doctor("--log-directory", str(tmp_path / "missing"))
    assert (code, found["log directory"]["severity"]) == (2, "error")


def test_the_brokers_of_a_log(rest: tuple[str, dict[str, Any]]) -> None:
    assert run_doctor("--log-kafka", rest[0])[0] == 0
    assert run_doctor("--log-kafka", f"{rest[0]},127.0.0.1:1")[0] == 2
    assert "host:port" in run_doctor("--log-kafka", "broker")[1]["log brokers"]["message"]


def test_warnings_alone_are_exit_code_1(tmp_path: Path) -> None:
    settings = GOOD | {"taskmanager.numberOfTaskSlots": "4"}
    home = make_home(tmp_path / "flink", settings, JARS)
    assert run_doctor("--flink-home", str(home))[0] == 1


SHARED = {"execution.checkpointing.dir": "file:///mnt/shared"}
SLOTS = {"taskmanager.numberOfTaskSlots": "2"}


@pytest.mark.parametrize(
    ("settings", "check"),
    [(SLOTS, "slots"), (SHARED, "checkpoint directory")],
    ids=["two slots", "a mount"],
)
def test_a_warning_counts_unless_it_is_accepted(
    tmp_path: Path, settings: dict[str, str], check: str
) -> None:
    home = str(make_home(tmp_path / "flink", GOOD | settings, JARS))

    code, found = run_doctor("--flink-home", home)
    assert code == 1
    assert found[check]["severity"] == "warning"

    code, found = run_doctor("--flink-home", home, "--accept", check)
    assert code == 0
    assert found[check]["severity"] == "warning"


def test_only_the_accepted_warning_does_not_count(tmp_path: Path) -> None:
    home = str(make_home(tmp_path / "flink", GOOD | SLOTS | SHARED, JARS))
    assert run_doctor("--flink-home", home, "--accept", "slots")[0] == 1
    both = ("--accept", "slots", "--accept", "checkpoint directory")
    assert run_doctor("--flink-home", home, *both)[0] == 0


def test_an_error_is_not_accepted(tmp_path: Path) -> None:
    home = str(make_home(tmp_path / "flink", GOOD, JARS[:1]))
    assert run_doctor("--flink-home", home, "--accept", "flink-python")[0] == 2


def test_a_check_that_there_is_not_cannot_be_accepted() -> None:
    result = CliRunner().invoke(main, ["doctor", "--accept", "slosts"])
    assert result.exit_code == 2
    assert "there is no check 'slosts'" in result.output


def test_a_person_reads_what_is_wrong_and_what_to_do(tmp_path: Path) -> None:
    home = make_home(tmp_path / "[flink]", GOOD, JARS[:1])
    result = CliRunner().invoke(main, ["doctor", "--flink-home", str(home)])
    text = " ".join(result.output.split())
    assert result.exit_code == 2
    assert "error flink-python there is no flink-python-*.jar" in text
    assert "Copy opt/flink-python-*.jar" in text
