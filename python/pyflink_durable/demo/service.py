"""A payment service that is as unhelpful as a real one may be.

It charges every time it is asked (it knows no idempotency key), is slow, refuses now and then, and
now and then charges and then fails to say so. Only the standard library is used.

    python -m pyflink_durable.demo.service --db payments.db --port 8321

| request                                 | answer                                               |
| --------------------------------------- | ---------------------------------------------------- |
| POST /charges {"order": id, "amount": n} | 201 and the charge; 503: not charged; 500: unknown  |
| GET /charges?order=ID                   | the list of the order's charges                      |
| POST /receipts {"order": id}            | 201 and a receipt; harmless to repeat                |
| GET /stats                              | counts of what is in the database                    |
| POST /answers {"hold": true or false}   | keep the answers to charges back, or send them;      |
|               {"hold": seconds}         | for as long as that; the answer says how many it has |
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import signal
import socketserver
import sqlite3
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import FrameType
from urllib.parse import parse_qs, urlsplit

from pyflink_durable.demo.ledger import Ledger
from pyflink_durable.demo.temper import CALM, Temper

Answer = tuple[int, object]


class BadRequest(ValueError):
    """The caller's mistake; the text is the answer."""


class PaymentService(ThreadingHTTPServer):
    """The server and its rules; one thread per connection."""

    request_queue_size = 512  # hundreds of clients may connect at once; the default is 5

    def __init__(
        self, ledger: Ledger, temper: Temper, port: int = 0, host: str = "127.0.0.1"
    ) -> None:
        super().__init__((host, port), _Handler)
        self._ledger = ledger
        self._temper = temper
        self._requests: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._answers = threading.Condition()
        self._held_until = 0.0
        self._held = 0

    @property
    def url(self) -> str:
        return f"http://{self.server_name}:{self.server_port}"

    def charge(self, body: Mapping[str, object]) -> Answer:
        arrived = time.time()
        order, amount = _order_of(body), _amount_of(body)
        with self._lock:
            self._requests[order] += 1
            delay, decision = self._temper.decide(order, self._requests[order])
        time.sleep(delay)
        if decision == "refuse":
            self._ledger.refuse_charge(order, arrived, status=503)
            return 503, {"error": "busy, nothing was charged"}
        if decision == "lose the answer":
            self._ledger.charge(order, amount, arrived, status=500)
            self._wait_while_held()
            time.sleep(self._temper.lost_answer_delay)
            return 500, {"error": "internal error"}
        charge = self._ledger.charge(order, amount, arrived, status=201)
        self._wait_while_held()
        return 201, asdict(charge)

    def _wait_while_held(self) -> None:
        with self._answers:
            self._held += 1
            while (left := self._held_until - time.monotonic()) > 0:
                self._answers.wait(min(left, threading.TIMEOUT_MAX))
            self._held -= 1

    def look_up(self, query: Mapping[str, Sequence[str]]) -> Answer:
        if "order" not in query:
            raise BadRequest("say which order: /charges?order=ID")
        return 200, [
            asdict(charge) for charge in self._ledger.look_up(query["order"][0], time.time())
        ]

    def receipt(self, body: Mapping[str, object]) -> Answer:
        arrived = time.time()
        order = _order_of(body)
        time.sleep(random.uniform(self._temper.fastest, self._temper.slowest))
        return 201, {"id": self._ledger.receipt(order, arrived), "order": order}

    def hold_answers(self, body: Mapping[str, object]) -> Answer:
        """A charge that is made and not answered is what a crash leaves in doubt."""
        hold = body.get("hold")
        if not isinstance(hold, (bool, int, float)):
            raise BadRequest('"hold" must be true, false, or a number of seconds')
        seconds = math.inf if hold is True else float(hold)
        with self._answers:
            self._held_until = time.monotonic() + seconds
            self._answers.notify_all()
            return 200, {"held": self._held if seconds else 0}

    def stats(self) -> Answer:
        return 200, asdict(self._ledger.stats())

    def server_bind(self) -> None:
        # HTTPServer looks the host's name up here, which can take seconds and serves nothing.
        socketserver.TCPServer.server_bind(self)
        host, port = self.server_address[:2]
        self.server_name, self.server_port = str(host), port

    def handle_error(self, request: object, client_address: object) -> None:
        # Callers that break off and requests cut short by the end of the service are not news.
        if not isinstance(sys.exc_info()[1], (ConnectionError, sqlite3.ProgrammingError)):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    server: PaymentService
    protocol_version = "HTTP/1.1"  # keeps connections open between requests
    # Head and body leave in one packet: two small ones would wait for an acknowledgement (40 ms).
    wbufsize = 64 * 1024

    def do_POST(self) -> None:
        # Read the body first, also of a request nobody serves: the connection goes on after it.
        body = self._body()
        path = urlsplit(self.path).path
        if path == "/charges":
            self._answer(lambda: self.server.charge(_json(body)))
        elif path == "/receipts":
            self._answer(lambda: self.server.receipt(_json(body)))
        elif path == "/answers":
            self._answer(lambda: self.server.hold_answers(_json(body)))
        else:
            self._answer(_no_such_page)

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/charges":
            self._answer(lambda: self.server.look_up(parse_qs(url.query)))
        elif url.path == "/stats":
            self._answer(self.server.stats)
        else:
            self._answer(_no_such_page)

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        return self.rfile.read(int(length)) if length.isdecimal() else b""

    def _answer(self, ask: Callable[[], Answer]) -> None:
        try:
            status, content = ask()
        except BadRequest as problem:
            status, content = 400, {"error": str(problem)}
        payload = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: the database is the log."""


def _no_such_page() -> Answer:
    return 404, {"error": "no such page"}


def _json(body: bytes) -> Mapping[str, object]:
    try:
        content = json.loads(body)
    except ValueError as problem:
        raise BadRequest(f"the body is not JSON: {problem}") from problem
    if not isinstance(content, dict):
        raise BadRequest("the body must be a JSON object")
    return content


def _order_of(body: Mapping[str, object]) -> str:
    order = body.get("order")
    if not isinstance(order, str) or not order:
        raise BadRequest('"order" must be a non-empty string')
    return order


def _amount_of(body: Mapping[str, object]) -> float:
    amount = body.get("amount")
    if isinstance(amount, bool) or not isinstance(amount, (int, float)):
        raise BadRequest('"amount" must be a number')
    if not 0 < amount < math.inf:
        raise BadRequest('"amount" must be a number above 0')
    return float(amount)


def _stop_when_stdin_ends(server: PaymentService) -> None:
    """Ends the service with its parent, however the parent ended: the pipe closes with it."""

    def wait() -> None:
        # Not through sys.stdin: a thread that waits in there crashes the interpreter's exit.
        while os.read(0, 1024):
            pass
        server.shutdown()

    threading.Thread(target=wait, daemon=True).start()


def _leave(signal_number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m pyflink_durable.demo.service", description="The demo's payment service."
    )
    parser.add_argument(
        "--db", type=Path, required=True, help="its SQLite database; made if missing"
    )
    parser.add_argument("--port", type=int, default=0, help="0 (default): any free port")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; 0.0.0.0: every one"
    )
    parser.add_argument("--seed", type=int, default=0, help="fixes which requests fail")
    parser.add_argument("--calm", action="store_true", help="answer at once and never fail")
    parser.add_argument(
        "--stop-with-stdin", action="store_true", help="end when standard input is closed"
    )
    options = parser.parse_args(arguments)
    ledger = Ledger(options.db)
    try:
        temper = CALM if options.calm else Temper(seed=options.seed)
        server = PaymentService(ledger, temper, options.port, options.host)
    except OSError as problem:
        parser.exit(1, f"cannot listen on port {options.port}: {problem.strerror}\n")
    if options.stop_with_stdin:
        _stop_when_stdin_ends(server)
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            # SIGINT, too: a shell has what it starts in the background ignore it.
            signal.signal(number, _leave)
        print(server.url, flush=True)
        server.serve_forever(poll_interval=0.1)
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
        ledger.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
