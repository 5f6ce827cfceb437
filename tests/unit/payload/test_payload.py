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
from pyflink_durable.payload.results import (
    dump_result,
    load_exception,
    load_result,
    pass_error,
    pass_result,
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


class Dropping:
    """Leaves an attribute out when it is pickled."""

    def __init__(self) -> None:
        self.kept, self.dropped = 1, 2

    def __getstate__(self) -> dict[str, int]:
        return {"kept": self.kept}


class Unreadable:
    """Is written, and cannot be read back."""

    def __reduce__(self) -> tuple[Any, ...]:
        return int, ("no number",)


class Pretender:
    """Is read back as another type."""

    def __reduce__(self) -> tuple[Any, ...]:
        return int, ("7",)


@given(PLAIN)
def test_result_round_trip(value: object) -> None:
    assert load_result(dump_result(value)) == value
    passed, payload = pass_result(value)
    assert passed == value == load_result(payload)


@pytest.mark.parametrize("value", [None, True, 1 << 70, 1.5, "é", b"x", (), (1, ("a", None))])
def test_plain_results_are_passed_as_they_are(value: object) -> None:
    passed, payload = pass_result(value)
    assert passed is value
    assert load_result(payload) == value


def test_a_result_is_what_a_replay_gives() -> None:
    lines = ["a"]
    passed, payload = pass_result({"lines": lines, "again": lines, "object": Dropping()})
    lines.append("b")
    for value in (passed, load_result(payload)):
        assert value["lines"] == ["a"]
        assert value["again"] is value["lines"]
        assert vars(value["object"]) == {"kept": 1}


@pytest.mark.parametrize("nested", [False, True])
def test_what_cannot_be_read_back_is_refused_at_once(nested: bool) -> None:
    value: Any = {"x": [Unreadable()]} if nested else Unreadable()
    with pytest.raises(ResultNotSerializable, match=r"read back .*no number.*Return plain data"):
        pass_result(value)


def test_what_is_read_back_as_something_else_is_refused_at_once() -> None:
    with pytest.raises(ResultNotSerializable, match=r"Pretender: it is read back as builtins.int"):
        pass_result(Pretender())


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
    raised, payload = pass_error(error)
    for loaded in (raised, load_exception(payload)):
        assert type(loaded) is type(error)
        assert (str(loaded), loaded.args, vars(loaded)) == (str(error), error.args, vars(error))


def test_examples_are_what_they_say() -> None:
    with pytest.raises(TypeError):
        pickle.loads(pickle.dumps(Declined(51, "no funds")))
    assert str(pickle.loads(pickle.dumps(Mangled("x")))) == "failed: failed: x"


def test_local_exception_class_loads_in_this_process() -> None:
    class Local(Exception):
        pass

    loaded, _ = pass_error(Local("x"))
    assert type(loaded) is Local
    assert loaded.args == ("x",)


def test_incomparable_argument_does_not_cost_the_type() -> None:
    error = ValueError("x", object())
    raised, payload = pass_error(error)
    assert type(raised) is type(load_exception(payload)) is ValueError


@pytest.mark.parametrize(
    "error",
    [Opaque("x"), Impostor("x"), HttpError(404, "x", "http://shop"), Unprintable("x")],
    ids=lambda error: type(error).__name__,
)
def test_unpicklable_exception_is_a_remote_error_in_both_runs(error: Exception) -> None:
    raised, payload = pass_error(error)
    assert type(raised) is RemoteError
    assert raised.__cause__ is None
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
        loaded, _ = pass_error(caught)
    assert isinstance(loaded, RemoteError)
    assert (loaded.type_name, loaded.message) == ("builtins.ValueError", "boom")
    assert "raise error" in loaded.traceback_text
    assert str(loaded) == "builtins.ValueError: boom"


def test_an_exception_in_a_journal_of_release_0_1() -> None:
    """Written there of `Declined(51, "no funds")`."""
    loaded = load_exception(
        b"\x80\x05\x95x\x00\x00\x00\x00\x00\x00\x00\x8c\x1fpyflink_durable.payload.results\x94"
        b"\x8c\x08_rebuild\x94\x93\x94\x8c\x0ctest_payload\x94\x8c\x08Declined\x94\x93\x94"
        b"\x8c\x17declined (51): no funds\x94\x85\x94}\x94\x8c\x04code\x94K3s\x87\x94R\x94."
    )
    assert type(loaded) is Declined
    assert (str(loaded), vars(loaded)) == ("declined (51): no funds", {"code": 51})


def test_rebuilt_exception_loads_in_another_process(tmp_path: Any) -> None:
    (tmp_path / "shop.py").write_text(
        "class Declined(Exception):\n"
        "    def __init__(self, code, reason):\n"
        "        super().__init__(reason)\n"
        "        self.code = code\n"
    )
    lines = "import sys, shop; from pyflink_durable.payload.results import *;"
    env = {"PYTHONPATH": ":".join([str(tmp_path), *sys.path])}
    dump = f"{lines} print(pass_error(shop.Declined(51, 'no'))[1].hex())"
    load = f"{lines} e = load_exception(bytes.fromhex(sys.argv[1])); print(type(e), e, e.code)"
    payload = subprocess.check_output([sys.executable, "-c", dump], env=env, text=True).strip()
    shown = subprocess.check_output([sys.executable, "-c", load, payload], env=env, text=True)
    assert shown.strip() == "<class 'shop.Declined'> no 51"
