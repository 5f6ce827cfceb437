"""The page of `pyflink-durable watch` is for reading, and not for everybody."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import httpx
import pytest

from pyflink_durable import ConfigurationError
from pyflink_durable.watch.serving import PageServer


@contextmanager
def serving(token: str | None = None, host: str = "127.0.0.1") -> Iterator[httpx.Client]:
    with PageServer(host, 0, lambda: "<p>the page</p>", token) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            port = server.server_address[1]
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
                yield client
        finally:
            server.shutdown()
            thread.join()


def basic(password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'ann:{password}'.encode()).decode()}"}


def test_this_machine_reads_the_page() -> None:
    with serving() as client:
        answer = client.get("/")

    assert (answer.status_code, answer.text) == (200, "<p>the page</p>")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/other", 404), ("POST", "/", 501), ("DELETE", "/", 501), ("PUT", "/", 501)],
)
def test_it_does_nothing_else(method: str, path: str, status: int) -> None:
    with serving() as client:
        assert client.request(method, path).status_code == status


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "shop.example"])
def test_nobody_else_reads_it_without_a_token(host: str) -> None:
    with pytest.raises(ConfigurationError, match="token"):
        PageServer(host, 0, str, None)


def test_an_empty_token_is_none() -> None:
    with pytest.raises(ConfigurationError, match="empty"):
        PageServer("127.0.0.1", 0, str, "")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        (basic("secret"), 200),
        (basic("secrets"), 401),
        (basic(""), 401),
        ({"Authorization": "Bearer secret"}, 200),
        ({"Authorization": "Bearer ge\u00f6ffnet".encode("latin-1").decode("latin-1")}, 401),
        ({"Authorization": "Basic %%%"}, 401),
        ({"Authorization": "secret"}, 401),
    ],
)
def test_a_token_is_asked_for(headers: dict[str, str], status: int) -> None:
    with serving("secret", "0.0.0.0") as client:
        answer = client.get(
            "/", headers=[(k.encode(), v.encode("latin-1")) for k, v in headers.items()]
        )

    assert answer.status_code == status
    assert ("the page" in answer.text) == (status == 200)
    assert ("www-authenticate" in answer.headers) == (status == 401)


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:80", 200), ("[::1]:80", 200), ("127.0.0.1", 200), ("evil.example:80", 403)],
)
def test_a_page_of_somebody_else_cannot_read_it(host: str, status: int) -> None:
    """A name of theirs leads to this machine (DNS rebinding); the browser says which it asked."""
    with serving() as client:
        assert client.get("/", headers={"Host": host}).status_code == status
