"""Clusters for the tests, and their folders: nothing of a test is left when it has ended."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

E2E = Path(__file__).resolve().parent
ROOT = E2E.parent
# For the test, and by way of the environment for every process that it starts.
sys.path[:0] = [str(E2E), str(ROOT / "tests" / "minicluster")]
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "python"), os.environ.get("PYTHONPATH", "")])

from clusterkit import Broker, Cluster, Payments, artifact_jars  # noqa: E402
from clusterkit.orders import Inbox  # noqa: E402

_running: list[Cluster] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure is shown with the ends of the cluster's logs."""
    report = yield
    if report.failed:
        report.sections += [section for cluster in _running for section in cluster.log_ends()]
    return report


@pytest.fixture(scope="session")
def _cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("session") / "cluster"
    with Cluster(folder, taskmanagers=3, jars=artifact_jars("connector")) as running:
        _running.append(running)
        yield running


@pytest.fixture
def cluster(_cluster: Cluster) -> Iterator[Cluster]:
    """A session cluster of three TaskManagers, one for all tests; each leaves it without jobs."""
    _cluster.wait_complete()
    yield _cluster
    _cluster.cancel_all()


@pytest.fixture
def payments(tmp_path: Path) -> Iterator[Payments]:
    """A payment service that answers at once, until it is told to hold its answers."""
    with Payments.running(tmp_path, "--calm") as service:
        yield service


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    """Orders and answers in files."""
    return Inbox.make(tmp_path / "inbox")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A Kafka broker."""
    with Broker.running(tmp_path) as running:
        yield running


@pytest.fixture(params=["directory", "kafka"])
def log_kafka(request: pytest.FixtureRequest) -> str | None:
    """Where the broker is; None for a log in files."""
    if request.param == "directory":
        return None
    broker: Broker = request.getfixturevalue("broker")
    return broker.bootstrap
