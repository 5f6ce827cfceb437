"""The command ``pyflink-durable watch``: in the terminal, once, and as a page."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from recorded_cluster import RecordedCluster

import pyflink_durable.commands.watch as command
from pyflink_durable.commands.main import main
from pyflink_durable.watch.serving import PageServer


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordedCluster]:
    cluster = RecordedCluster()
    newest = cluster.answers[f"{cluster.path}/checkpoints"]["latest"]["completed"]
    newest["external_path"] = "<checkpoint-not-externally-addressable>"
    monkeypatch.setattr(command, "FlinkRest", lambda address: cluster.rest())
    yield cluster


def watch(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["watch", *arguments])


def test_one_picture(cluster: RecordedCluster) -> None:
    done = watch("--once")

    assert done.exit_code == 0, done.output
    assert "shop_charge" in done.output
    assert "JobManager's memory" in done.output


def test_it_ends_with_the_job(cluster: RecordedCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    def pass_time(seconds: float) -> None:
        cluster.job["state"] = "FINISHED"

    monkeypatch.setattr("time.sleep", pass_time)
    done = watch()

    assert done.exit_code == 0, done.output
    assert "finished, " in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--job", "other"], "there is no job other"),
        (["--serve", "0", "--host", "0.0.0.0"], "give a token"),
    ],
)
def test_what_cannot_be_is_said(
    cluster: RecordedCluster, arguments: list[str], message: str
) -> None:
    done = watch(*arguments)

    assert done.exit_code == 2
    assert message in done.output


def test_it_is_a_page(cluster: RecordedCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[httpx.Response] = []

    def answer_one(server: PageServer) -> None:
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        headers = {"Authorization": "Bearer secret"}

        def ask() -> None:
            answers.append(httpx.get(address, headers=headers, trust_env=False, timeout=60))

        reader = Thread(target=ask)
        reader.start()
        server.handle_request()
        reader.join()

    monkeypatch.setattr(PageServer, "serve_forever", answer_one)
    monkeypatch.setenv("PYFLINK_DURABLE_WATCH_TOKEN", "secret")
    done = watch("--serve", "0", "--host", "0.0.0.0")

    assert done.exit_code == 0, done.output
    assert "http://0.0.0.0:" in done.output
    assert answers[0].status_code == 200
    assert "shop_charge" in answers[0].text


def test_a_page_is_there_while_the_jobmanager_is_not(
    cluster: RecordedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyflink_durable.watch.in_flight import InFlightReader
    from pyflink_durable.watch.pages import Pages
    from pyflink_durable.watch.watcher import Watcher, find_job

    now: list[Any] = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with cluster.rest() as rest:
        pages = Pages(Watcher(rest, find_job(rest, None), InFlightReader(lambda: None)), every=2)
        cluster.is_down = True
        assert "nobody listens" in pages.page()
        cluster.is_down = False
        assert "nobody listens" in pages.page()  # it is good for two seconds
        now[0] += 3
        assert "shop_charge" in pages.page()
