"""A stand-in for a chat model and a shop: one local server, which remembers every request.

    python examples/agent/service.py --db agent.db --port 8322

| request                                          | answer                                      |
| ------------------------------------------------ | ------------------------------------------- |
| POST /v1/chat/completions                        | as a chat API of OpenAI's form              |
| GET /items/NAME                                  | {"item", "stock", "price"}; 404: not sold   |
| POST /orders {"item", "quantity", "reference"}   | an order; asked twice, it makes two         |
| GET /orders?reference=ID                         | the orders with this reference              |
| GET /requests                                    | how often what was asked, and the orders    |

The model follows rules: it asks for the stock and the price of every item that a message names,
orders them if the message says so, and answers with what the tools gave. Its ids are random, as
those of real models are: a repeated request would get other ones.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sqlite3
import sys
import threading
import uuid
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

PRICES = {"tea": 4, "cup": 9, "kettle": 30}
Answer = tuple[int, Any]


class Records:
    """Requests and orders in SQLite; they outlive the service."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("CREATE TABLE IF NOT EXISTS requests (what TEXT)")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS orders "
            "(id INTEGER PRIMARY KEY, item TEXT, quantity INTEGER, reference TEXT)"
        )

    def query(self, statement: str, *values: Any) -> list[Any]:
        with self._lock:
            return self._database.execute(statement, values).fetchall()

    def note(self, what: str) -> None:
        self.query("INSERT INTO requests VALUES (?)", what)

    def add_order(self, item: str, quantity: int, reference: str) -> dict[str, Any]:
        statement = "INSERT INTO orders (item, quantity, reference) VALUES (?, ?, ?) RETURNING id"
        ((order,),) = self.query(statement, item, quantity, reference)
        return {"order": order, "item": item, "quantity": quantity}

    def orders(self, reference: str) -> list[dict[str, Any]]:
        statement = "SELECT id, item, quantity FROM orders WHERE reference = ? ORDER BY id"
        return [
            {"order": order, "item": item, "quantity": quantity}
            for order, item, quantity in self.query(statement, reference)
        ]

    def summary(self) -> dict[str, Any]:
        counts = self.query("SELECT what, count(*) FROM requests GROUP BY what ORDER BY what")
        return {"requests": dict(counts), "orders": self.query("SELECT item FROM orders")}

    def close(self) -> None:
        with self._lock:
            self._database.close()


def completion_of(messages: list[dict[str, Any]]) -> dict[str, Any]:
    """What the model says next."""
    latest = max(place for place, one in enumerate(messages) if one["role"] == "user")
    answers = [one["content"] for one in messages[latest:] if one["role"] == "tool"]
    calls = [] if answers else _wanted_calls(messages[latest]["content"])
    if calls:
        message: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": calls}
    else:
        questions = sum(one["role"] == "user" for one in messages)
        text = " ".join(answers) or f"I know about {', '.join(PRICES)}."
        message = {"role": "assistant", "content": f"#{questions}: {text}"}
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": 0,
        "model": "rules",
        "choices": [
            {"index": 0, "finish_reason": "tool_calls" if calls else "stop", "message": message}
        ],
    }


def _wanted_calls(text: str) -> list[dict[str, Any]]:
    items = [word for word in re.findall(r"\w+", text.lower()) if word in PRICES]
    wanted = [("get_item", {"item": item}) for item in items]
    if "order" in text.lower():
        wanted += [("place_order", {"item": item, "quantity": 1}) for item in items]
    return [
        {
            "id": f"call_{uuid.uuid4().hex[:24]}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for name, arguments in wanted
    ]


class Service(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, records: Records, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.records = records

    def answer(self, method: str, path: str, query: str, body: Any) -> Answer:
        if (method, path) == ("GET", "/requests"):
            return 200, self.records.summary()
        self.records.note(f"{method} {path}")
        if (method, path) == ("POST", "/v1/chat/completions"):
            return 200, completion_of(body["messages"])
        if (method, path) == ("POST", "/orders"):
            return 201, self.records.add_order(body["item"], body["quantity"], body["reference"])
        if (method, path) == ("GET", "/orders"):
            return 200, self.records.orders(parse_qs(query)["reference"][0])
        item = unquote(path.removeprefix("/items/"))
        if method == "GET" and item in PRICES:
            return 200, {"item": item, "stock": len(item), "price": PRICES[item]}
        return 404, {"error": f"there is no {path}"}


class _Handler(BaseHTTPRequestHandler):
    server: Service
    protocol_version = "HTTP/1.1"
    wbufsize = 64 * 1024  # head and body in one packet

    def do_GET(self) -> None:
        self._answer("GET", None)

    def do_POST(self) -> None:
        self._answer("POST", json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, method: str, body: Any) -> None:
        url = urlsplit(self.path)
        status, content = self.server.answer(method, url.path, url.query, body)
        payload = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the database is the log."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="A stand-in for a chat model and a shop.")
    parser.add_argument("--db", type=Path, required=True, help="its SQLite database")
    parser.add_argument("--port", type=int, default=0, help="0 (default): any free port")
    parser.add_argument("--stop-with-stdin", action="store_true", help="end with standard input")
    options = parser.parse_args(arguments)
    records = Records(options.db)
    server = Service(records, options.port)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    if options.stop_with_stdin:
        threading.Thread(target=_stop_with_stdin, args=(server,), daemon=True).start()
    try:
        server.serve_forever(poll_interval=0.1)
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
        records.close()


def _stop_with_stdin(server: Service) -> None:
    """Ends with the parent process, however that ended: the pipe closes with it."""
    while os.read(0, 1024):
        pass
    server.shutdown()


if __name__ == "__main__":
    sys.exit(main())
