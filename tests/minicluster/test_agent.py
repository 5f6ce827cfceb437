"""The agent of the examples: a crash in the middle of a turn repeats nothing that had ended."""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from crashkit import (
    Stage,
    World,
    durable,
    environment,
    run,
    scripted,
    stuck_at_first,
    write_outputs,
)
from pyflink.common import Types

from pyflink_durable import RunnerContext
from pyflink_durable.tools import ToolContext, tool

sys.path.append(str(Path(__file__).parents[2] / "examples" / "agent"))
from assistant import Assistant, Services, local_service

pytestmark = pytest.mark.minicluster

CRASH = {"customer": "crash", "text": ""}


class CrashingAssistant(Assistant):
    """Two of its tools hang the first time: one before the shop is asked, one behind that."""

    def __init__(self, services: Services, world: World) -> None:
        super().__init__(services)
        self._world = world

    @tool
    def get_item(self, item: str) -> dict[str, Any]:
        """Tells stock and price of an item."""
        self._world.note("tool", item, checkpoint=self._world.newest_checkpoint())
        if item == "kettle":
            stuck_at_first(self._world, item)
        return Assistant.get_item.func(self, item)

    @tool(reconciler=Assistant.find_order)
    def place_order(self, item: str, quantity: int, ctx: ToolContext) -> dict[str, Any]:
        """Orders an item."""
        order = Assistant.place_order.func(self, item, quantity, ctx)
        self._world.note("tool", f"order {item}", checkpoint=self._world.newest_checkpoint())
        if item == "kettle":
            stuck_at_first(self._world, f"order {item}")
        return order

    async def process(self, message: dict[str, Any], ctx: RunnerContext) -> Any:
        if message == CRASH:
            await self._world.crash_when_async(all_tools_are_in_a_checkpoint)
            return "crashed"
        return json.dumps(await super().process(message, ctx))


TOOLS = ["tea", "cup", "kettle", "order tea", "order cup", "order kettle"]


def all_tools_are_in_a_checkpoint(world: World) -> bool:
    begun = {one["subject"]: one["checkpoint"] for one in world.events("tool")}
    return set(begun) == set(TOOLS) and world.is_covered(max(begun.values()))


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    proxies = ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1"]))
    monkeypatch.setenv("NO_PROXY", proxies)
    with local_service(tmp_path / "agent.db") as url:
        yield url


def test_a_crash_in_a_turn_repeats_neither_the_model_nor_ended_tools(
    world: World, service: str
) -> None:
    message = {"customer": "ann", "text": "Order tea, cup and kettle."}
    again = {"customer": "ann", "text": "What does tea cost?"}
    env = environment(world, restarts=1)
    stages = [Stage([message, CRASH]), Stage([again], when=World.crashed)]
    inputs = scripted(env, world, stages, type_info=Types.PICKLED_BYTE_ARRAY())
    assistant = CrashingAssistant(Services(f"{service}/v1", "rules", service), world)
    answers = durable(inputs, assistant, key=lambda message: message["customer"])
    write_outputs(answers, world)
    run(env)

    assert world.crashed()
    # asked twice for each message: the first answer of the first was in the checkpoint
    with urllib.request.urlopen(f"{service}/requests") as answer:
        happened = json.load(answer)
    assert happened["requests"] == {
        "POST /v1/chat/completions": 4,
        "GET /items/tea": 2,  # once for each message
        "GET /items/cup": 1,
        "GET /items/kettle": 1,  # the crash came before the shop was asked
        "POST /orders": 3,
        "GET /orders": 1,  # the reconciler of the order whose answer was lost
    }
    assert sorted(item for (item,) in happened["orders"]) == ["cup", "kettle", "tea"]
    begun = world.subjects("tool")
    assert {name: begun.count(name) for name in TOOLS} == {
        **dict.fromkeys(TOOLS, 1),
        "kettle": 2,
        "tea": 2,
    }
    first, second = (json.loads(line)["answer"] for line in world.outputs() if line[0] == "{")
    assert first.startswith('#1: {"item":"tea","stock":3,"price":4}')
    assert first.count('"order":') == 3
    assert second == '#2: {"item":"tea","stock":3,"price":4}'  # the conversation goes on
