"""The outside calls of the demo's handler: ordinary functions over HTTP."""

from __future__ import annotations

import functools
from typing import Any

import httpx

from pyflink_durable import NOT_EXECUTED
from pyflink_durable.demo.orders import Order

# Longer than the service ever takes; a lost connection must not hold a worker thread for ever.
_TIMEOUT_SECONDS = 10.0


class PaymentError(Exception):
    """A payment that did not go through."""


class ServiceBusy(PaymentError):
    """The service refused, and charged nothing."""


class AnswerLost(PaymentError):
    """The service may have charged or not: it failed, or its answer did not arrive."""


def charge_card(url: str, order: Order) -> dict[str, Any]:
    """Charges the order, also when it has been charged already."""
    body = {"order": order["id"], "amount": order["amount"]}
    charge: dict[str, Any] = _result(_request("POST", f"{url}/charges", json=body))
    return charge


def find_charge(url: str, order: Order) -> Any:
    """What a charge in doubt came to; `NOT_EXECUTED` if the service knows of none.

    That is sure, since the service shows a charge as soon as it has made it, and no request is
    still on its way: the job restarts only after longer than a request takes.
    """
    charges: list[dict[str, Any]] = _result(
        _request("GET", f"{url}/charges", params={"order": order["id"]})
    )
    return charges[0] if charges else NOT_EXECUTED


def find_or_charge(url: str, order: Order) -> dict[str, Any]:
    """After a lost answer: the charge that is there, or else one made now."""
    charge = find_charge(url, order)
    found: dict[str, Any] = charge_card(url, order) if charge is NOT_EXECUTED else charge
    return found


def send_receipt(url: str, order_id: str) -> dict[str, Any]:
    """A second receipt does no harm, so this call needs no reconciler."""
    receipt: dict[str, Any] = _result(_request("POST", f"{url}/receipts", json={"order": order_id}))
    return receipt


def hold_answers(url: str, seconds: float) -> int:
    """Has the service keep its answers to charges for so long; gives how many it has kept.

    What is charged and not answered is what a failure leaves in doubt.
    """
    held: int = _result(_request("POST", f"{url}/answers", json={"hold": seconds}))["held"]
    return held


def _request(method: str, url: str, **content: Any) -> httpx.Response:
    try:
        return _client().request(method, url, **content)
    except httpx.TransportError as problem:
        raise AnswerLost(f"{method} {url}: {type(problem).__name__}: {problem}") from None


def _result(response: httpx.Response) -> Any:
    if response.status_code == 503:
        raise ServiceBusy(response.text)
    if response.status_code >= 500:
        raise AnswerLost(response.text)
    if response.is_error:
        raise PaymentError(f"{response.status_code}: {response.text}")
    return response.json()


@functools.cache
def _client() -> httpx.Client:
    # One for all threads, so that connections are used again. No proxy: the service is local.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=100)
    return httpx.Client(trust_env=False, timeout=_TIMEOUT_SECONDS, limits=limits)
