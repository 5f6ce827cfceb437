"""The demo's handler and its failures, without a cluster."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from pyflink_durable import NOT_EXECUTED, LocalRunnerContext
from pyflink_durable.demo import payments
from pyflink_durable.demo.arrivals import (
    Arrivals,
    FailurePlan,
    InjectedFailure,
    gap_between,
    orders_before_failure,
)
from pyflink_durable.demo.job import order_handler, read_results
from pyflink_durable.demo.orders import Order

ORDER: Order = {"id": "a-1", "customer": "c-1", "amount": 9.5}
LINE = '{"id": "a-1", "customer": "c-1", "amount": 9.5}'


class FakeService:
    """Answers charge requests with the statuses given, then with 201."""

    def __init__(self, *statuses: int) -> None:
        self._statuses = list(statuses)
        self.charges: list[dict[str, Any]] = []
        self.requests: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(f"{request.method} {request.url.path}")
        if request.url.path == "/receipts":
            return httpx.Response(201, json={"id": "receipt-1"})
        if request.method == "GET":
            return httpx.Response(200, json=self.charges)
        status = self._statuses.pop(0) if self._statuses else 201
        if status == 0:
            raise httpx.ReadError("connection lost")
        if status != 503:
            self.charges.append({"id": f"charge-{len(self.charges) + 1}"})
            return httpx.Response(status, json=self.charges[-1])
        return httpx.Response(status, json={})


def use(service: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    client = httpx.Client(transport=httpx.MockTransport(service))
    monkeypatch.setattr(payments, "_client", lambda: client)


def handle(service: FakeService, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    use(service, monkeypatch)
    return asyncio.run(_handle())


async def _handle() -> dict[str, Any]:
    return await order_handler("http://service")(ORDER, LocalRunnerContext(key="c-1"))


def test_an_order_is_charged_and_gets_a_receipt(monkeypatch: pytest.MonkeyPatch) -> None:
    service = FakeService()
    answer = handle(service, monkeypatch)
    assert answer == {"order": "a-1", "charge": "charge-1", "receipt": "receipt-1"}
    assert service.requests == ["POST /charges", "POST /receipts"]


def test_a_refused_charge_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    service = FakeService(503, 503)
    handle(service, monkeypatch)
    assert service.requests == ["POST /charges"] * 3 + ["POST /receipts"]
    assert len(service.charges) == 1


def test_after_a_lost_answer_the_charge_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    service = FakeService(503, 500)
    handle(service, monkeypatch)
    assert service.requests == ["POST /charges"] * 2 + ["GET /charges", "POST /receipts"]
    assert len(service.charges) == 1


def test_a_lost_connection_is_looked_into_before_charging(monkeypatch: pytest.MonkeyPatch) -> None:
    service = FakeService(0)
    handle(service, monkeypatch)
    assert service.requests == ["POST /charges", "GET /charges", "POST /charges", "POST /receipts"]


def test_a_charge_that_never_goes_through_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(payments.PaymentError, match="a-1 could not be charged in 20 tries"):
        handle(FakeService(*[503] * 100), monkeypatch)


def test_the_reconciler_looks_and_never_charges(monkeypatch: pytest.MonkeyPatch) -> None:
    service = FakeService()
    use(service, monkeypatch)
    assert payments.find_charge("http://service", ORDER) is NOT_EXECUTED
    made = payments.charge_card("http://service", ORDER)
    assert payments.find_charge("http://service", ORDER) == made
    assert service.requests == ["GET /charges", "POST /charges", "GET /charges"]


class Answers:
    """The payment service, as the failures see it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.held = 0
        self.asked: list[float] = []
        monkeypatch.setattr(payments, "hold_answers", self.hold)

    def hold(self, url: str, seconds: float) -> int:
        self.asked.append(seconds)
        return self.held


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    return Answers(monkeypatch)


def plan(tmp_path: Path, failures: int, orders: int = 1) -> FailurePlan:
    markers = tmp_path / "markers"
    markers.mkdir(exist_ok=True)
    return FailurePlan(failures, orders, 0.001, "http://service", tmp_path / "checkpoints", markers)


def complete_checkpoint(tmp_path: Path, number: int) -> None:
    folder = tmp_path / "checkpoints" / "job" / f"chk-{number}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "_metadata").touch()


def test_an_attempt_fails_after_a_checkpoint_that_knows_a_charge(
    tmp_path: Path, answers: Answers
) -> None:
    arrivals = Arrivals(0.001, plan(tmp_path, failures=1, orders=2))
    for _ in range(2):
        assert arrivals(LINE) == ORDER
    assert answers.asked == []
    assert arrivals(LINE) == ORDER
    assert answers.asked == [3.0]
    complete_checkpoint(tmp_path, 9)
    (tmp_path / "checkpoints" / "job" / "chk-10").mkdir()
    assert arrivals(LINE) == ORDER  # no charge is under way: the checkpoints say nothing
    answers.held = 1
    assert arrivals(LINE) == ORDER  # checkpoint 10 may have begun before the charge
    complete_checkpoint(tmp_path, 10)
    assert arrivals(LINE) == ORDER
    complete_checkpoint(tmp_path, 11)
    with pytest.raises(InjectedFailure, match="failure 1 of 1"):
        arrivals(LINE)
    assert answers.asked[-1] == 0.5


def test_no_more_attempts_fail_than_planned(tmp_path: Path, answers: Answers) -> None:
    answers.held = 1
    for attempt in (1, 2):
        arrivals = Arrivals(0.001, plan(tmp_path, failures=2))
        arrivals(LINE)
        arrivals(LINE)
        complete_checkpoint(tmp_path, attempt)
        with pytest.raises(InjectedFailure):
            arrivals(LINE)
    last = Arrivals(0.001, plan(tmp_path, failures=2))
    for number in range(3, 6):
        complete_checkpoint(tmp_path, number)
        assert last(LINE) == ORDER


def test_orders_arrive_at_their_rate(tmp_path: Path) -> None:
    arrivals = Arrivals(0.02, plan(tmp_path, failures=0))
    began = time.monotonic()
    for _ in range(10):
        arrivals(LINE)
    assert time.monotonic() - began >= 0.2


def test_a_short_file_is_slowed_down_so_that_its_failures_fit() -> None:
    assert gap_between(orders=400, failures=2, rate=100) == 0.01
    assert gap_between(orders=4, failures=2, rate=100) == pytest.approx(0.9)
    assert orders_before_failure(orders=400, failures=2) == 66
    assert orders_before_failure(orders=3, failures=2) == 1


def test_only_committed_results_are_read(tmp_path: Path) -> None:
    bucket = tmp_path / "2026-03-01--12"
    bucket.mkdir()
    (bucket / "part-0-1").write_text('{"order": "b"}\n')
    (bucket / "part-0-0").write_text('{"order": "a"}\n')
    (bucket / ".part-0-2.inprogress.x").write_text('{"order": "c"}\n')
    assert read_results(tmp_path) == [{"order": "a"}, {"order": "b"}]
