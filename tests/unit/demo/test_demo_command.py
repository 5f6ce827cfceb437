"""What the demo and the proof say when something is not installed."""

from __future__ import annotations

import importlib.util

import pytest

from pyflink_durable.demo.command import missing


def test_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", "/usr/lib/jvm/some")
    assert missing() == ""


def test_httpx_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "pip install 'pyflink-durable[demo]'" in missing()


def test_java_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "")
    assert "no Java found" in missing()
