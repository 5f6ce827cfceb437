"""Serves a page of pictures, for reading only."""

from __future__ import annotations

import hmac
import ipaddress
import socket
from base64 import b64decode
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from pyflink_durable.errors import ConfigurationError

_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class PageServer(ThreadingHTTPServer):
    """Answers ``GET /`` with a page, and nothing else.

    A token is the password of a browser's dialog, with any name, or comes as
    ``Authorization: Bearer TOKEN``. Without one only this machine may ask, and by its own name:
    else a page of somebody else could read this one, by a name that it has made lead here.

    Args:
        host: The address to listen at.
        port: The port; 0 takes a free one.
        page: Makes the page.
        token: What a reader has to know; None for this machine's alone.

    Raises:
        ConfigurationError: It would be open to others without a token.
    """

    daemon_threads = True

    def __init__(self, host: str, port: int, page: Callable[[], str], token: str | None) -> None:
        if token is None and not is_loopback(host):
            raise ConfigurationError(
                f"at {host} others could read what is in flight, keys of customers among it: give "
                "a token (--token, or PYFLINK_DURABLE_WATCH_TOKEN), or serve at 127.0.0.1"
            )
        if token == "":
            raise ConfigurationError("the token is empty: whoever leaves it out would be let in")
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.page = page
        self.token = token
        super().__init__((host, port), _Reader)

    def lets_in(self, authorization: str, asked_host: str) -> bool:
        """Whether a request may be answered.

        Args:
            authorization: Its header of that name.
            asked_host: The name that it knows this server by.
        """
        if self.token is None:
            return is_loopback(_without_port(asked_host))
        kind, _, given = authorization.partition(" ")
        if kind.lower() == "basic":
            given = _password(given)
        elif kind.lower() != "bearer":
            return False
        return hmac.compare_digest(given.encode(), self.token.encode())


class _Reader(BaseHTTPRequestHandler):
    server: PageServer
    server_version = "pyflink-durable"
    sys_version = ""
    timeout = 30

    def do_GET(self) -> None:
        headers = self.headers
        if not self.server.lets_in(headers.get("Authorization", ""), headers.get("Host", "")):
            self._refuse()
        elif self.path != "/":
            self.send_error(HTTPStatus.NOT_FOUND)
        else:
            self._answer(self.server.page())

    def _refuse(self) -> None:
        if self.server.token is None:
            self.send_error(HTTPStatus.FORBIDDEN, "this page is for this machine, as localhost")
            return
        self.send_response(HTTPStatus.UNAUTHORIZED)
        self.send_header("WWW-Authenticate", 'Basic realm="pyflink-durable", charset="UTF-8"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _answer(self, page: str) -> None:
        content = page.encode()
        self.send_response(HTTPStatus.OK)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """A page that is asked for every few seconds is no news."""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host


def _password(given: str) -> str:
    try:
        return b64decode(given, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""
