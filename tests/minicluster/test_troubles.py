"""Of 20,000 invocations of five kinds of trouble, each kind is found by one command."""

from __future__ import annotations

import re
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyflink
import pytest
from click.testing import CliRunner
from crashkit import World, cancel, environment, rest_address, start, take_checkpoint
from troubles import OF_EACH, add_troubles

from pyflink_durable.commands.main import main
from pyflink_durable.watch.in_flight import SHOWN
from pyflink_durable.watch.metrics import OperatorMetrics
from pyflink_durable.watch.picture import OperatorPicture
from pyflink_durable.watch.rest import FlinkRest

pytestmark = pytest.mark.minicluster

GOLDEN = Path(__file__).parent / "golden" / "troubles"
DOCS = Path(__file__).parents[2] / "docs"
DEADLINE_SECONDS = 120
FOUND_BY = {
    "hangs": ["--name", "shop.reserve"],
    "gate": ["--name", "shop.charge"],
    "retries": ["--name", "shop.ship"],
    "doubt": ["--in-doubt", "--name", "shop.refund"],
    "sleeps": ["--name", "timer"],
}
AGES = ("oldestRunningMillis", "oldestWaitingMillis")
PROMETHEUS = "org.apache.flink.metrics.prometheus.PrometheusReporterFactory"


@dataclass(frozen=True)
class Troubles:
    """The job, stuck, with a checkpoint of it.

    Attributes:
        address: Of its REST API.
        checkpoint: Where its checkpoint is.
        operator: What its metrics tell.
        scraped: What a Prometheus gets of it; None without Flink's reporter.
    """

    address: str
    checkpoint: str
    operator: OperatorPicture
    scraped: str | None


@pytest.fixture(scope="module")
def troubles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Troubles]:
    world = World(str(tmp_path_factory.mktemp("troubles")))
    port = _load_reporter()
    env = environment(
        world,
        parallelism=2,
        execution__checkpointing__interval="1 h",
        metrics__fetcher__update_interval="100",
        metrics__reporters="prom" if port else "",
        metrics__reporter__prom__factory__class=PROMETHEUS,
        metrics__reporter__prom__port=str(port),
    )
    add_troubles(env, world)
    job = start(env)
    try:
        address = rest_address(job)
        with FlinkRest(address) as rest:
            metrics = OperatorMetrics(rest, rest.jobs()[0].id)
            _wait_for(metrics, lambda operator: is_stuck(operator, charged=0))
            take_checkpoint(job)
            operator = _wait_for(metrics, lambda operator: is_stuck(operator, charged=OF_EACH))
        checkpoint = str(next(world.checkpoints.glob("*/chk-1")))
        yield Troubles(address, checkpoint, operator, _scraped(port))
    finally:
        cancel(job)


def _load_reporter() -> int:
    """Has the JVM know Flink's reporter for Prometheus, and gives a port for it; 0 without one."""
    from pyflink.util.java_utils import add_jars_to_context_class_loader

    plugins = Path(pyflink.__file__).parent / "plugins" / "metrics-prometheus"
    jars = [jar.as_uri() for jar in plugins.glob("*.jar")]
    if not jars:
        return 0
    add_jars_to_context_class_loader(jars)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _scraped(port: int) -> str | None:
    if not port:
        return None
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"http://127.0.0.1:{port}/metrics", timeout=DEADLINE_SECONDS) as answer:
        return str(answer.read().decode())


def _wait_for(
    metrics: OperatorMetrics, condition: Callable[[OperatorPicture], bool]
) -> OperatorPicture:
    deadline = time.monotonic() + DEADLINE_SECONDS
    told: Any = None
    while time.monotonic() < deadline:
        told = metrics.operators()
        if told and condition(told[0]):
            return told[0]
        time.sleep(0.2)
    raise TimeoutError(f"the job did not get stuck as it was to; its metrics: {told}")


def gauge(operator: OperatorPicture, name: str) -> float:
    return sum(subtask.get(name, 0) for subtask in operator.subtasks.values())


def counted(operator: OperatorPicture) -> dict[tuple[str, str], int]:
    """What is counted of calls by their names."""
    return {
        (call.name, metric): count.total
        for call in operator.calls
        for metric, count in call.counts.items()
        if count.total
    }


def is_stuck(operator: OperatorPicture, charged: int) -> bool:
    """Whether all are where they stay, and all of it was reported."""
    charges = {("shop_charge", "started"): charged} if charged else {}
    calls = {
        ("shop_reserve", "started"): OF_EACH,
        ("shop_ship", "started"): OF_EACH,
        ("shop_ship", "retried"): OF_EACH,
        ("shop_refund", "started"): OF_EACH,
        ("shop_refund", "timedOut"): OF_EACH,
    }
    gauges = {
        "atGate": OF_EACH,
        "parked": 2 * OF_EACH,  # what sleeps, and what is tried again later
        "inDoubt": OF_EACH,
    }
    return (
        counted(operator) == calls | charges
        and {name: gauge(operator, name) for name in gauges} == gauges
        and all(subtask.get(age, 0) > 0 for subtask in operator.subtasks.values() for age in AGES)
    )


def run(*arguments: str, code: int) -> str:
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == code, done.output
    return done.stdout


def normalized(text: str) -> str:
    """Without what is another in each run: times, sizes, which of many is shown."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", text)
    text = re.sub(r"\b[0-9a-f]{32}\b", "ID", text)
    text = re.sub(r"-\d+'", "-N'", text)
    text = re.sub(r"\b[\d.]+ [kMG]?B\b", "SIZE", text)
    text = re.sub(r"\b(\d+[dhms]( \d+[hms])?|[\d.,]+ m?s)(?!\w)", "AGE", text)
    return "".join(f"{' '.join(line.split())}\n" for line in text.splitlines())


@pytest.mark.parametrize("kind", FOUND_BY)
def test_a_kind_of_trouble_is_found_by_one_command(troubles: Troubles, kind: str) -> None:
    found = run(
        *("inspect", troubles.checkpoint, "--uid", "orders", "--limit", "3", *FOUND_BY[kind]),
        code=int(kind in ("hangs", "gate", "doubt")),
    )

    assert normalized(found) == (GOLDEN / f"{kind}.txt").read_text()


def test_all_of_it_is_told_live(troubles: Troubles) -> None:
    found = normalized(run("watch", "--address", troubles.address, "--once", code=0))
    head, columns, rows = found.partition("key operator condition waits at age\n")

    assert head + columns == (GOLDEN / "watch.txt").read_text()
    assert len(rows.splitlines()) == SHOWN
    assert set(rows.splitlines()) <= {  # which are the oldest is another matter in each run
        "'hangs-N' orders in doubt 0 reserve AGE",
        "'gate-N' orders in doubt 0 charge AGE",
        "'retries-N' orders retrying 0 ship, attempt 2, due in AGE AGE",
        "'doubt-N' orders in doubt 0 refund AGE",
    }


def test_the_dashboard_and_the_alerts_are_of_metrics_that_prometheus_gets(
    troubles: Troubles,
) -> None:
    if troubles.scraped is None:
        pytest.skip("Flink's package has no reporter for Prometheus here")
    scraped = set(re.findall(r"^(flink_\w+)\{", troubles.scraped, re.MULTILINE))
    asked = {
        (file, name)
        for file in ("grafana.json", "observability.md")
        for name in re.findall(r"flink_taskmanager_\w+", (DOCS / file).read_text())
    }

    assert {file for file, _ in asked} == {"grafana.json", "observability.md"}
    assert {(file, name) for file, name in asked if name not in scraped} == set()
    labels = re.findall(r"durable_call_started\{([^}]*)\}", troubles.scraped)
    for label in ('operator_name="orders"', 'job_name="under_test"', 'call="shop_charge"'):
        assert any(label in one for one in labels), label
