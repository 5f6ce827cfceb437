"""Results and exceptions survive the journal; what does not is an error that says so."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
import types
from dataclasses import dataclass
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyflink_durable.errors import PayloadNotLoadable, RemoteError, ResultNotSerializable
from pyflink_durable.runtime.payload import (
    dump_exception,
    dump_result,
    load_exception,
    load_result,
    prepare_exception,
)

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@dataclass
class Receipt:
    number: int


class Declined(Exception):
    """Takes two arguments, hands one on: pickles, and does not load."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"declined ({code}): {reason}")
        self.code = code


class Mangled(Exception):
    """Loads, but with "failed: failed: x" for a message."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"failed: {reason}")


class HttpError(OSError):
    """Its fields live in C, so neither its own pickling nor a rebuild restores it."""

    def __init__(self, status: int, body: str, url: str) -> None:
        super().__init__(status, body)


class Opaque(Exception):
    def __reduce__(self) -> NoReturn:
        raise TypeError("not picklable")


class Unprintable(Opaque):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Impostor(Exception):
    """Loads as another type, which an ``except`` in the handler would not match."""

    def __reduce__(self) -> tuple[Any, ...]:
        return ValueError, ("who?",)


@given(PLAIN)
def test_result_round_trip(value: object) -> None:
    assert load_result(dump_result(value)) == value


def test_importable_result_is_plain_pickle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudpickle.dumps", lambda *_: pytest.fail("the slow way"))
    value = {"id": 1, "receipt": Receipt(7)}
    assert dump_result(value) == pickle.dumps(value, 5)


def test_cloudpickle_is_the_fallback() -> None:
    @dataclass
    class Local:
        number: int

    factor = 3
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(Local(1))
    loaded = load_result(dump_result((Local(1), lambda x: x * factor)))
    assert isinstance(loaded, tuple)
    assert loaded[0] == Local(1)
    assert loaded[1](5) == 15


def test_unserializable_result_names_its_type() -> None:
    with pytest.raises(ResultNotSerializable, match=r"_thread\.lock.*Return plain data") as info:
        dump_result(threading.Lock())
    assert isinstance(info.value.__cause__, TypeError)


def test_interrupt_while_dumping_is_not_swallowed() -> None:
    class Interrupting:
        def __reduce__(self) -> NoReturn:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dump_result(Interrupting())


@pytest.mark.parametrize("load", [load_result, load_exception])
def test_payload_of_a_class_that_is_gone(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("shop_of_yesterday")
    kind = type("Gone", (Exception,), {"__module__": "shop_of_yesterday"})
    module.Gone = kind  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "shop_of_yesterday", module)
    payload = pickle.dumps(kind("x"), 5)
    assert type(load(payload)) is kind
    monkeypatch.delitem(sys.modules, "shop_of_yesterday")
    with pytest.raises(PayloadNotLoadable, match=r"shop_of_yesterday.*Deploy code"):
        load(payload)


@pytest.mark.parametrize("payload", [b"", b"garbage", pickle.dumps(list(range(9)), 5)[:-3]])
def test_damaged_payload(payload: bytes) -> None:
    with pytest.raises(PayloadNotLoadable):
        load_result(payload)


def test_exception_payload_that_is_no_exception() -> None:
    with pytest.raises(PayloadNotLoadable, match=r"read as builtins\.dict"):
        load_exception(dump_result({}))


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x", 3),
        KeyError("k"),
        FileNotFoundError(2, "no such file", "a.txt"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
        Declined(51, "no funds"),
        Mangled("x"),
        RemoteError("shop.Declined", "no funds", "Traceback"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_exception_keeps_type_message_and_attributes(error: Exception) -> None:
    error.attempt = 2  # type: ignore[attr-defined]
    raised, payload = prepare_exception(error)
    assert raised is error
    loaded = load_exception(payload)
    assert type(loaded) is type(error)
    assert (str(loaded), loaded.args, vars(loaded)) == (str(error), error.args, vars(error))


def test_examples_are_what_they_say() -> None:
    with pytest.raises(TypeError):
        pickle.loads(pickle.dumps(Declined(51, "no funds")))
    assert str(pickle.loads(pickle.dumps(Mangled("x")))) == "failed: failed: x"


def test_local_exception_class_loads_in_this_process() -> None:
    class Local(Exception):
        pass

    loaded = load_exception(dump_exception(Local("x")))
    assert type(loaded) is Local
    assert loaded.args == ("x",)


def test_incomparable_argument_does_not_cost_the_type() -> None:
    error = ValueError("x", object())
    assert prepare_exception(error)[0] is error
    assert type(load_exception(dump_exception(error))) is ValueError


@pytest.mark.parametrize(
    "error",
    [Opaque("x"), Impostor("x"), HttpError(404, "x", "http://shop"), Unprintable("x")],
    ids=lambda error: type(error).__name__,
)
def test_unpicklable_exception_is_a_remote_error_in_both_runs(error: Exception) -> None:
    raised, payload = prepare_exception(error)
    assert type(raised) is RemoteError
    assert raised.__cause__ is error
    assert raised.type_name == f"{__name__}.{type(error).__name__}"
    loaded = load_exception(payload)
    assert type(loaded) is RemoteError
    assert (str(loaded), loaded.args) == (str(raised), raised.args)


def test_exception_holding_a_lock_tells_message_and_traceback() -> None:
    error = ValueError("boom")
    error.lock = threading.Lock()  # type: ignore[attr-defined]
    try:
        raise error
    except ValueError as caught:
        loaded = load_exception(dump_exception(caught))
    assert isinstance(loaded, RemoteError)
    assert (loaded.type_name, loaded.message) == ("builtins.ValueError", "boom")
    assert "raise error" in loaded.traceback_text
    assert str(loaded) == "builtins.ValueError: boom"


def test_rebuilt_exception_loads_in_another_process(tmp_path: Any) -> None:
    (tmp_path / "shop.py").write_text(
        "class Declined(Exception):\n"
        "    def __init__(self, code, reason):\n"
        "        super().__init__(reason)\n"
        "        self.code = code\n"
    )
    lines = "import sys, shop; from pyflink_durable.runtime.payload import *;"
    env = {"PYTHONPATH": ":".join([str(tmp_path), *sys.path])}
    dump = f"{lines} print(dump_exception(shop.Declined(51, 'no')).hex())"
    load = f"{lines} e = load_exception(bytes.fromhex(sys.argv[1])); print(type(e), e, e.code)"
    payload = subprocess.check_output([sys.executable, "-c", dump], env=env, text=True).strip()
    shown = subprocess.check_output([sys.executable, "-c", load, payload], env=env, text=True)
    assert shown.strip() == "<class 'shop.Declined'> no 51"
