"""The pytest plugin: the fixtures `durable` and `flink_minicluster`, and options."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyflink_durable.testing.durable import Durable
    from pyflink_durable.testing.minicluster import FlinkMiniCluster

_ALWAYS_REPLAY = "--durable-always-replay"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options."""
    group = parser.getgroup("durable", "tests of durable handlers")
    group.addoption(
        _ALWAYS_REPLAY,
        action="store_true",
        help="replay each run of the fixture `durable` from each of its steps",
    )
    group.addoption(
        "--durable-case",
        metavar="ID",
        help="of tests with @crash_points, run only the case that a failure has named",
    )


@pytest.fixture
def durable(request: pytest.FixtureRequest) -> Iterator[Durable]:
    """Runs durable handlers without Flink, in virtual time; see `pyflink_durable.testing`."""
    from pyflink_durable.testing.durable import Durable  # no other test pays for the import

    durable = Durable(always_replay=request.config.getoption(_ALWAYS_REPLAY))
    try:
        yield durable
    finally:
        durable.close()


@pytest.fixture(scope="session")
def flink_minicluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlinkMiniCluster]:
    """Runs jobs in Flink's own mini-cluster, in this session's JVM."""
    from pyflink_durable.testing.flink import jvm_for_tests
    from pyflink_durable.testing.minicluster import FlinkMiniCluster

    with jvm_for_tests():
        cluster = FlinkMiniCluster(tmp_path_factory.mktemp("minicluster"))
        try:
            yield cluster
        finally:
            cluster.close()
