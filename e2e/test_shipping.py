"""Code and data that come with a job, in a TaskManager that has run other jobs before."""

from __future__ import annotations

import importlib
import zipfile
from collections.abc import Iterator, Mapping
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import pytest
from clusterkit import Cluster, Job, ProcessFailed, wait_until
from clusterkit.orders import Inbox, make_orders

JOB = Path(__file__).parent / "jobs" / "shipped.py"
FILES = JOB.with_name("files.py")


@pytest.fixture(scope="module")
def used_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One TaskManager, and so one interpreter, with two slots."""
    folder = tmp_path_factory.mktemp("shipping")
    with Cluster(
        folder / "cluster", taskmanagers=1, settings={"taskmanager.numberOfTaskSlots": "2"}
    ) as cluster:
        yield cluster


@pytest.fixture
def cluster(used_cluster: Cluster) -> Iterator[Cluster]:
    used_cluster.wait_complete()
    yield used_cluster
    used_cluster.cancel_all()


def zipped(file: Path, content: Mapping[str, str | Path]) -> Path:
    """A zip file of texts and files."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, part in content.items():
            archive.writestr(name, part if isinstance(part, str) else part.read_bytes())
    return file


def rates(folder: Path, rate: int) -> Path:
    """An archive of code; the second module is not loaded before it is asked for."""
    folder.mkdir(exist_ok=True)
    text = f"RATE = {rate}\n"
    content = {"rates/__init__.py": text, "rates/late.py": text, "files.py": FILES}
    return zipped(folder / f"rates-{rate}.zip", content)


def options(inbox: Inbox, needs: str = "nothing") -> list[str | Path]:
    """The job's arguments."""
    files = ["--orders", inbox.orders, "--output", inbox.answers]
    return [*files, "--needs", needs, "--name", inbox.folder.name]


class Run:
    """One job and its orders."""

    def __init__(self, inbox: Inbox, job: Job) -> None:
        self.inbox = inbox
        self.job = job

    @classmethod
    def start(
        cls, cluster: Cluster, folder: Path, *ships: str | Path, needs: str = "nothing"
    ) -> Run:
        inbox = Inbox.make(folder)
        return cls(inbox, cluster.start(JOB, *options(inbox, needs), ships=ships))

    def ask(self, name: str) -> dict[str, Any]:
        """The answer to an order of this name."""
        orders = make_orders(name, 1)
        self.inbox.put(orders)
        self.inbox.wait_answered(orders)
        (answer,) = (one for one in self.inbox.lines() if one["order"] == orders[0]["id"])
        return {name: found for name, found in answer.items() if name != "order"}

    def fail_over(self) -> dict[str, Any]:
        """Has the task fail and run again in the same TaskManager."""
        before = self.job.restarts()
        answer = self.ask("fail")
        self.job.wait_restarted(before)
        return answer


def test_a_new_archive_brings_its_own_code_and_a_failover_finds_all_of_it(
    cluster: Cluster, tmp_path: Path
) -> None:
    for rate in (7, 19):
        run = Run.start(cluster, tmp_path / f"job-{rate}", "-pyfs", rates(tmp_path / "code", rate))
        assert run.ask("first") == {"map": rate, "handler": rate}
        assert run.fail_over() == {"map": rate, "handler": rate}
        assert run.ask("late") == {"map": rate, "handler": rate, "late": rate}
        run.job.cancel()


def test_two_jobs_with_two_releases_of_a_module_do_not_run_each_others_code(
    cluster: Cluster, tmp_path: Path
) -> None:
    old = Run.start(cluster, tmp_path / "old", "-pyfs", rates(tmp_path / "code", 7))
    assert old.ask("first") == {"map": 7, "handler": 7}

    new = Run.start(cluster, tmp_path / "new", "-pyfs", rates(tmp_path / "code", 19))
    refusal = wait_until(new.job.root_exception, "the refusal of the second job")
    assert "job 'new' brings rates with other content than job 'old'" in refusal
    assert "taskmanager.numberOfTaskSlots" in refusal
    assert old.ask("late") == {"map": 7, "handler": 7, "late": 7}
    assert not list(new.inbox.answers.rglob("part-*"))

    old.job.cancel()
    assert new.ask("late") == {"map": 19, "handler": 19, "late": 19}


def extension() -> Path:
    """A module of machine code of this Python; which ones are built in differs."""
    for name in ("_queue", "_bisect", "_heapq", "_json", "_csv", "_struct", "_random"):
        file = getattr(importlib.import_module(name), "__file__", "")
        if file.endswith(tuple(EXTENSION_SUFFIXES)):
            return Path(file)
    pytest.skip("this Python has no module of machine code outside of itself")


def requirements(folder: Path, release: int) -> str:
    """A requirements file of one package with machine code, and a folder with its wheel."""
    wheels = folder / f"wheels-{release}"
    wheels.mkdir()
    code = extension()
    load_code = f"from fast import {code.name.split('.')[0]}\n"
    info = f"fast-{release}.0.dist-info"
    zipped(
        wheels / f"fast-{release}.0-py3-none-any.whl",
        {
            "fast/__init__.py": f"RELEASE = {release}\n" + load_code,
            "fast/late.py": f"RELEASE = {release}\n",
            f"fast/{code.name}": code,
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: fast\nVersion: {release}.0\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": "",
        },
    )
    file = folder / f"requirements-{release}.txt"
    file.write_text("fast\n")
    return f"{file}#{wheels}"


def test_requirements_of_machine_code_outlive_a_failover_and_another_release_is_refused(
    cluster: Cluster, tmp_path: Path
) -> None:
    code = ("-pyfs", rates(tmp_path / "code", 7))
    old = Run.start(
        cluster, tmp_path / "old", *code, "-pyreq", requirements(tmp_path, 1), needs="package"
    )
    found = {"map": 7, "handler": 7, "package": 1}
    assert old.ask("first") == found
    assert old.fail_over() == found
    assert old.ask("late") == found | {"late": 7, "late package": 1}
    old.job.cancel()

    new = Run.start(
        cluster, tmp_path / "new", *code, "-pyreq", requirements(tmp_path, 2), needs="package"
    )
    refusal = wait_until(new.job.root_exception, "the refusal of the second release")
    assert "job 'new' brings fast" in refusal
    assert "Restart the TaskManagers" in refusal

    cluster.taskmanagers[0].kill()
    assert new.ask("late") == found | {"late": 7, "package": 2, "late package": 2}


def test_data_in_archives_is_found_in_every_attempt(cluster: Cluster, tmp_path: Path) -> None:
    data = zipped(tmp_path / "data.zip", {"rate.txt": "7 %"})
    run = Run.start(
        cluster,
        tmp_path / "job",
        *("-pyfs", rates(tmp_path / "code", 7)),
        *("-pyarch", f"{data}#tables"),
        needs="data",
    )
    found = {"map": 7, "handler": 7, "data": "7 %"}
    assert run.ask("first") == found
    assert run.fail_over() == found
    assert run.ask("second") == found


def test_a_python_in_an_archive_is_refused_before_it_ends_the_taskmanager(
    cluster: Cluster, tmp_path: Path
) -> None:
    venv = zipped(tmp_path / "venv.zip", {"bin/python": ""})
    with pytest.raises(ProcessFailed, match=r"a Python in one of the job's python\.archives"):
        Run.start(
            cluster,
            tmp_path / "job",
            *("-pyfs", rates(tmp_path / "code", 7)),
            *("-pyarch", f"{venv}#venv", "-pyexec", "venv/bin/python"),
        )


def test_an_application_brings_its_code_and_data(tmp_path: Path) -> None:
    """Application mode: the JobManager builds the job, and there is no `flink run`."""
    inbox = Inbox.make(tmp_path / "job")
    data = zipped(tmp_path / "data.zip", {"rate.txt": "7 %"})
    code = rates(tmp_path / "code", 7)
    application = [
        *(f"-Dpython.files={code}", f"-Dpython.archives={data}#tables"),
        *("-py", JOB, *options(inbox, needs="data")),
    ]
    with Cluster(tmp_path / "cluster", taskmanagers=1, application=application) as cluster:
        run = Run(inbox, cluster.application_job())
        found = {"map": 7, "handler": 7, "data": "7 %"}
        assert run.ask("first") == found
        assert run.fail_over() == found
        run.job.wait_checkpoint()
        cluster.taskmanagers[0].kill()
        assert run.ask("late") == found | {"late": 7}
