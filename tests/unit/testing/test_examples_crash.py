"""The examples, tested as a user would: every crash, against a service that forgets nothing."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pyflink_durable.demo.ledger import Ledger
from pyflink_durable.demo.service import PaymentService
from pyflink_durable.demo.temper import Temper
from pyflink_durable.testing import Case, Durable, ScriptedModel, crash, crash_points
from pyflink_durable.tools import ToolRegistry

EXAMPLES = Path(__file__).parents[3] / "examples"
sys.path += [str(EXAMPLES), str(EXAMPLES / "agent")]

import orders  # noqa: E402
from assistant import Assistant, Services, local_service  # noqa: E402

ORDER = {"id": "o-1", "customer": "ann", "amount": 5.0}
AT_ONCE = Temper(fastest=0, slowest=0, refuses=0, loses_answers=0, lost_answer_delay=0)


@pytest.fixture
def payments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PaymentService]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    ledger = Ledger(tmp_path / "payments.db")
    server = PaymentService(ledger, AT_ONCE)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
    ledger.close()


@pytest.mark.parametrize("form", sorted(orders.HANDLERS))
def test_an_order_is_charged_once_whatever_crashes(form: str, payments: PaymentService) -> None:
    numbers: dict[str, Any] = {}
    handle = orders.HANDLERS[form](payments.url)

    async def async_order(number: int, ctx: Any) -> Any:
        return await handle(ORDER | {"id": f"o-{numbers['case']}"}, ctx)

    def blocking_order(number: int, ctx: Any) -> Any:
        return handle(ORDER | {"id": f"o-{numbers['case']}"}, ctx)

    @crash_points({"async": async_order, "def": blocking_order}[form], [0], levels=["gated"])
    def check(case: Case) -> None:
        numbers["case"] = name = case.id  # the service keeps its charges: each case has an order
        run = case.run()
        charges = orders.find_charge(payments.url, f"o-{name}")
        assert run.outputs == [{"order": f"o-{name}", "charge": charges["id"]}]
        assert run.calls["charge_card"].attempts <= 2

    check()
    assert payments.stats()[1]["orders_charged_twice"] == 0


def test_the_assistant_asks_and_orders_once_whatever_crashes(
    durable: Durable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    message = {"customer": "ann", "text": "Order tea."}
    with local_service(tmp_path / "agent.db") as url:
        assistant = Assistant(Services(f"{url}/v1", "rules", url))
        plan = [
            crash("ask_model", when="after-outcome"),
            crash("ask_model", when="after-outcome", occurrence=1),
        ]
        run = durable.run(assistant, message, key="ann", crash_at=plan)
        made = httpx.get(f"{url}/requests").json()
    [answer] = run.outputs
    assert '"order":1' in answer["answer"]
    assert run.crashes == 2
    assert run.calls.all("ask_model")[0].replayed >= 1
    assert sum(run.calls.all("ask_model")[n].attempts for n in range(2)) == 2
    assert made["orders"] == [["tea"]]
    assert made["requests"]["POST /v1/chat/completions"] == 2
    assert run.state["talk"][0]["role"] == "user"


class Shop:
    """The shop of the assistant, in this process; asked twice, it makes two orders."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.startswith("/items/"):
            return httpx.Response(200, json={"item": "tea", "stock": 3, "price": 4})
        if request.method == "POST":
            self.orders.append(json.loads(request.content))
            return httpx.Response(201, json={"order": len(self.orders)})
        wanted = request.url.params["reference"]
        found = [number for number, one in enumerate(self.orders) if one["reference"] == wanted]
        return httpx.Response(200, json=[{"order": number + 1} for number in found])


class AssistantInThisProcess(Assistant):
    """That of the example, with a shop that is at hand; clients of models take long to make."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(Services("http://model", "none", "http://shop"))
        self.shop = shop

    def open(self, runtime_context: Any) -> None:
        self._shop = httpx.Client(base_url="http://shop", transport=httpx.MockTransport(self.shop))
        self._tools = ToolRegistry([self.get_item, self.place_order])


shop = Shop()
LOOK, BUY = ("get_item", {"item": "tea"}), ("place_order", {"item": "tea", "quantity": 1})


@crash_points(
    AssistantInThisProcess(shop),
    [{"customer": "ann", "text": "Order tea."}],
    key=lambda message: message["customer"],
    levels=["gated"],
)
def test_the_assistant_orders_once_at_every_crash(case: Case) -> None:
    shop.orders.clear()
    model = ScriptedModel([[LOOK, BUY], "It is ordered."])
    case.stub(Assistant.ask_model, side_effect=model)
    run = case.run()
    assert run.outputs == [{"customer": "ann", "answer": "It is ordered."}]
    assert [order["item"] for order in shop.orders] == ["tea"], case
    assert [message["role"] for message in run.state_of("ann")["talk"]] == [
        *("user", "assistant", "tool", "tool", "assistant")
    ]
