"""Calls and invocations, as far as payloads know them."""

from __future__ import annotations

from typing import Any, Protocol


class Owner(Protocol):
    """The identity of an invocation."""

    def digest(self, purpose: str) -> bytes:
        """16 bytes that are the same in every attempt, and others for every other purpose."""

    def key_digest(self, purpose: str) -> bytes:
        """As `digest`, the same for all invocations of the key."""


class CallOptions(Protocol):
    """As far as payloads know them."""

    @property
    def result_type(self) -> Any:
        """The type of the call's result; None for what its function declares."""


class DescribedCall(Protocol):
    """A call, as far as payloads know it."""

    @property
    def func(self) -> Any:
        """Its function."""

    @property
    def name(self) -> str:
        """How its function is told."""

    @property
    def options(self) -> CallOptions:
        """Its options."""
