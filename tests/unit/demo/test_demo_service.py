"""The demo's payment service charges every time, fails by seed, and records what reached it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pyflink_durable.demo.ledger import Ledger
from pyflink_durable.demo.service import PaymentService
from pyflink_durable.demo.temper import Temper

RELIABLE = Temper(fastest=0, slowest=0, refuses=0, loses_answers=0, lost_answer_delay=0)
REFUSES = Temper(fastest=0, slowest=0, refuses=1, loses_answers=0)
LOSES = Temper(fastest=0, slowest=0, refuses=0, loses_answers=1, lost_answer_delay=0)

Start = Callable[[Temper], "Client"]


class Client:
    def __init__(self, url: str) -> None:
        self._url = url

    def __call__(self, path: str, body: Any = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(self._url + path, data=data, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as problem:
            with problem:
                return problem.code, json.load(problem)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[tuple[PaymentService, Ledger, threading.Thread]] = []

    def start_one(temper: Temper) -> Client:
        ledger = Ledger(tmp_path / "payments.db")
        server = PaymentService(ledger, temper)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        running.append((server, ledger, thread))
        return Client(server.url)

    yield start_one
    for server, ledger, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()
        ledger.close()


def charge(client: Client, order: str = "a") -> tuple[int, Any]:
    return client("/charges", {"order": order, "amount": 12.5})


def test_charges_every_time_it_is_asked(start: Start) -> None:
    client = start(RELIABLE)
    answers = [charge(client), charge(client)]
    assert [status for status, _ in answers] == [201, 201]
    assert answers[0][1]["id"] != answers[1][1]["id"]
    assert client("/stats")[1]["orders_charged_twice"] == 1


def test_lookup_lists_the_charges_of_one_order(start: Start) -> None:
    client = start(RELIABLE)
    _, first = charge(client, "a")
    charge(client, "b")
    _, second = charge(client, "a")
    assert client("/charges?order=a") == (200, [first, second])
    assert client("/charges?order=none%20such") == (200, [])


def test_a_refused_charge_is_not_made(start: Start) -> None:
    client = start(REFUSES)
    assert charge(client)[0] == 503
    assert client("/charges?order=a") == (200, [])


def test_a_lost_answer_hides_a_charge_that_was_made(start: Start) -> None:
    client = start(LOSES)
    assert charge(client)[0] == 500
    assert len(client("/charges?order=a")[1]) == 1


def test_stats_count_what_is_in_the_database(start: Start) -> None:
    client = start(RELIABLE)
    charge(client, "a")
    charge(client, "b")
    client("/charges?order=a")
    client("/receipts", {"order": "a"})
    assert client("/stats") == (
        200,
        {
            "orders_charged": 2,
            "charges": 2,
            "orders_charged_twice": 0,
            "charge_requests": 2,
            "refused": 0,
            "answers_lost": 0,
            "lookups": 1,
            "receipts": 1,
        },
    )


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/charges", {"amount": 1}, '"order"'),
        ("/charges", {"order": "", "amount": 1}, '"order"'),
        ("/charges", {"order": "a"}, '"amount"'),
        ("/charges", {"order": "a", "amount": -1}, '"amount"'),
        ("/charges", {"order": "a", "amount": True}, '"amount"'),
        ("/charges", [1], "object"),
        ("/charges", None, "which order"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(start: Start, path: str, body: Any, says: str) -> None:
    status, answer = start(RELIABLE)(path, body)
    assert status == 400
    assert says in answer["error"]


def test_an_unknown_page_is_404(start: Start) -> None:
    client = start(RELIABLE)
    assert client("/nothing")[0] == 404
    assert client("/nothing", {})[0] == 404


def test_200_connections_at_a_time(start: Start) -> None:
    client = start(Temper(fastest=0.2, slowest=0.2, refuses=0, loses_answers=0))
    began = time.monotonic()
    with ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(lambda number: charge(client, f"order-{number}"), range(200)))
    assert {status for status, _ in answers} == {201}
    assert client("/stats")[1]["charges"] == 200
    assert time.monotonic() - began < 200 * 0.2 / 4  # side by side, not one after the other


def test_the_seed_fixes_delay_and_outcome_of_every_request() -> None:
    def decisions(seed: int) -> list[Any]:
        return [Temper(seed=seed).decide(f"order-{n}", 1) for n in range(200)]

    assert decisions(1) == decisions(1)
    assert decisions(1) != decisions(2)


def test_a_retry_is_decided_anew() -> None:
    temper = Temper()
    refused = [o for o in map(str, range(500)) if temper.decide(o, 1)[1] == "refuse"]
    assert refused
    assert any(temper.decide(order, 2)[1] == "charge" for order in refused)


def test_the_default_temper_is_slow_and_fails_now_and_then() -> None:
    decisions = [Temper().decide(f"order-{n}", 1) for n in range(4000)]
    outcomes = [outcome for _, outcome in decisions]
    assert all(0.020 <= delay <= 0.080 for delay, _ in decisions)
    assert 0.03 < outcomes.count("refuse") / 4000 < 0.07
    assert 0.01 < outcomes.count("lose the answer") / 4000 < 0.03


def test_answers_are_held_back_until_they_are_let_go(start: Start) -> None:
    client = start(RELIABLE)
    assert client("/answers", {"hold": 60.0}) == (200, {"held": 0})
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(charge, client, order) for order in "ab"]
        deadline = time.monotonic() + 30
        while client("/answers", {"hold": 60})[1] != {"held": 2}:
            assert time.monotonic() < deadline
        assert not any(call.done() for call in waiting)
        assert client("/answers", {"hold": False}) == (200, {"held": 0})
        assert [call.result(30)[0] for call in waiting] == [201, 201]


def test_answers_that_nobody_lets_go_are_sent_in_time(start: Start) -> None:
    client = start(RELIABLE)
    client("/answers", {"hold": 0.05})
    assert charge(client)[0] == 201


def test_answers_are_held_for_a_time_only(start: Start) -> None:
    assert start(RELIABLE)("/answers", {"hold": "long"})[0] == 400


def start_process(database: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "pyflink_durable.demo.service", "--db", str(database), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ask_for_charge(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert url.startswith("http://127.0.0.1:")
    assert charge(Client(url))[0] in (201, 500, 503)


def test_the_process_serves_until_its_stdin_ends(tmp_path: Path) -> None:
    with start_process(tmp_path / "payments.db", "--stop-with-stdin") as process:
        ask_for_charge(process)
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")
    ledger = Ledger(tmp_path / "payments.db")
    assert ledger.stats().charge_requests == 1
    ledger.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_process_ends_quietly_on_a_signal(tmp_path: Path, number: int) -> None:
    with start_process(tmp_path / "payments.db") as process:
        ask_for_charge(process)
        os.kill(process.pid, number)
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")


def test_a_port_in_use_is_told(tmp_path: Path, start: Start) -> None:
    port = start(RELIABLE)._url.rsplit(":", 1)[1]
    with start_process(tmp_path / "other.db", "--port", port) as process:
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 1
    assert f"port {port}" in errors
