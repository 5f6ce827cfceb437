"""A shop assistant: a chat model that looks things up and orders, as one durable handler.

    python examples/agent/assistant.py                    # a local stand-in for model and shop
    python examples/agent/assistant.py --messages FILE    # messages of yours, one JSON a line

The same with a chat API of OpenAI's form, its key in OPENAI_API_KEY, and a shop of yours:

    python examples/agent/assistant.py --model-url https://... --model NAME --shop-url https://...

A message goes to the model; the tools that the model asks for run in parallel, each as a durable
call of its own; their answers go back to the model, until it has an answer for the customer. A
crash in the middle of this repeats neither the model's calls nor the tools that had ended.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from openai import AsyncOpenAI
from pyflink.common import Configuration, Types, WatermarkStrategy
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.file_system import FileSource, StreamFormat

from pyflink_durable import NOT_EXECUTED, DurableProcessFunction, RunnerContext, durable_process
from pyflink_durable.tools import ToolContext, ToolRegistry, ToolRequestEvent, call_tools, tool

FOLDER = Path(__file__).resolve().parent
MAX_ROUNDS = 8


@dataclass(frozen=True)
class Services:
    """Where the model and the shop are."""

    model_url: str
    model: str
    shop_url: str


class Assistant(DurableProcessFunction):
    """Answers the messages of customers; each customer's conversation is the state of its key."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def open(self, runtime_context: Any) -> None:
        self._shop = httpx.Client(base_url=self._services.shop_url, timeout=10)
        self._model = AsyncOpenAI(
            base_url=self._services.model_url,
            api_key=os.environ.get("OPENAI_API_KEY", "none"),
            # no connection outlives its request: its event loop may be gone before `close`
            default_headers={"Connection": "close"},
        )
        self._tools = ToolRegistry([self.get_item, self.place_order])

    async def process(self, message: dict[str, Any], ctx: RunnerContext) -> dict[str, Any]:
        talk = [*ctx.state.get("talk", []), {"role": "user", "content": message["text"]}]
        for _ in range(MAX_ROUNDS):
            reply = await ctx.durable_execute_async(self.ask_model, talk)
            talk.append(reply)
            if not reply.get("tool_calls"):
                break
            request = ToolRequestEvent.from_openai(reply["tool_calls"])
            talk += (await call_tools(ctx, self._tools, request)).to_openai()
        ctx.state["talk"] = talk
        return {"customer": message["customer"], "answer": talk[-1]["content"]}

    async def ask_model(self, talk: list[dict[str, Any]]) -> dict[str, Any]:
        completion = await self._model.chat.completions.create(
            model=self._services.model,
            messages=talk,
            tools=self._tools.schemas(),
        )
        return completion.choices[0].message.model_dump(exclude_none=True)

    @tool
    def get_item(self, item: str) -> dict[str, Any]:
        """Tells stock and price of an item.

        Args:
            item: What the item is called.
        """
        return self._shop.get(f"/items/{item}").raise_for_status().json()

    def find_order(self, arguments: dict[str, Any], tool_call_id: str) -> Any:
        """Asked in place of `place_order` if a crash has left open whether it was made."""
        found = self._shop.get("/orders", params={"reference": tool_call_id}).raise_for_status()
        orders = found.json()
        return orders[0] if orders else NOT_EXECUTED

    @tool(reconciler=find_order)
    def place_order(self, item: str, quantity: int, ctx: ToolContext) -> dict[str, Any]:
        """Orders an item for the customer.

        Args:
            item: What the item is called.
            quantity: How many of it.
        """
        order = {"item": item, "quantity": quantity, "reference": ctx.tool_call_id}
        return self._shop.post("/orders", json=order).raise_for_status().json()

    def close(self) -> None:
        self._shop.close()


def build_job(env: StreamExecutionEnvironment, messages: Path, services: Services) -> None:
    source = FileSource.for_record_stream_format(
        StreamFormat.text_line_format(), str(messages.resolve())
    ).build()
    lines = env.from_source(source, WatermarkStrategy.no_watermarks(), "messages").uid("messages")
    answers = durable_process(
        lines.map(json.loads).key_by(lambda message: message["customer"], Types.STRING()),
        Assistant(services),
        output_type=Types.PICKLED_BYTE_ARRAY(),
        name="assistant",
        uid="assistant",
    )
    answers.map(json.dumps, Types.STRING()).print()


def configuration() -> Configuration:
    """Flink's mini-cluster, with the Python that runs this; a cluster has its own settings."""
    settings = {
        "execution.checkpointing.interval": "1 s",
        "parallelism.default": "1",
        "python.execution-mode": "thread",
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
    }
    configuration = Configuration()
    for name, value in settings.items():
        configuration.set_string(name, value)
    return configuration


@contextmanager
def local_service(database: Path) -> Iterator[str]:
    """Runs service.py for as long as it is needed, and gives its URL."""
    command = [sys.executable, str(FOLDER / "service.py"), "--db", str(database)]
    with subprocess.Popen(
        [*command, "--stop-with-stdin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()


def main() -> None:
    parser = argparse.ArgumentParser(description="A shop assistant.")
    parser.add_argument("--messages", type=Path, default=FOLDER / "messages.ndjson")
    parser.add_argument("--model-url", help="of a chat API; default: a local stand-in")
    parser.add_argument("--model", default="rules", help="name of the model")
    parser.add_argument("--shop-url", help="of the shop; default: a local stand-in")
    parser.add_argument("--db", type=Path, help="of the stand-in; default: a temporary one")
    options = parser.parse_args()

    env = StreamExecutionEnvironment.get_execution_environment(configuration())
    with TemporaryDirectory() as folder, local_service(options.db or Path(folder, "db")) as url:
        services = Services(
            options.model_url or f"{url}/v1", options.model, options.shop_url or url
        )
        build_job(env, options.messages, services)
        env.execute("assistant")
        print(httpx.get(f"{url}/requests").text)


if __name__ == "__main__":
    # the stand-in is on this machine; a proxy could not reach it
    os.environ["NO_PROXY"] = ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1"]))
    main()
