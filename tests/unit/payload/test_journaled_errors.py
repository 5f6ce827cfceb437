"""An exception arrives with all that a handler may look at, in the first run as in a replay."""

from __future__ import annotations

import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from pyflink_durable.errors import RemoteError
from pyflink_durable.payload.results import load_exception, load_result, pass_error, pass_result

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup


class Declined(Exception):
    """Takes other arguments than it hands on."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"declined ({code}): {reason}")
        self.code = code


class Opaque(Exception):
    def __reduce__(self) -> NoReturn:
        raise TypeError("not picklable")


class Failed(ExceptionGroup[Exception]):
    """A group with a constructor of its own."""


def raised(action: Callable[[], Any]) -> Exception:
    try:
        action()
    except Exception as error:
        return error
    pytest.fail("nothing was raised")


def connect() -> NoReturn:
    raise ConnectionResetError(104, "reset")


def charge() -> None:
    try:
        connect()
    except ConnectionError as error:
        raise Declined(51, "no funds") from error


def charge_again() -> None:
    try:
        connect()
    except ConnectionError:
        raise Declined(51, "no funds") from None


def charge_at_last() -> None:
    try:
        charge()
    finally:
        raise ValueError("in the clean-up")


def both_runs(error: Exception) -> list[Exception]:
    first, payload = pass_error(error)
    return [first, load_exception(payload)]


def test_the_cause_is_there() -> None:
    for error in both_runs(raised(charge)):
        assert isinstance(error, Declined)
        assert isinstance(error.__cause__, ConnectionResetError)
        assert error.__cause__.errno == 104
        assert error.__context__ is error.__cause__
        assert error.__suppress_context__


def test_a_suppressed_context_stays_suppressed() -> None:
    for error in both_runs(raised(charge_again)):
        assert error.__cause__ is None
        assert isinstance(error.__context__, ConnectionResetError)
        assert error.__suppress_context__


def test_a_context_has_its_own_cause() -> None:
    for error in both_runs(raised(charge_at_last)):
        assert not error.__suppress_context__
        assert isinstance(error.__context__, Declined)
        assert isinstance(error.__context__.__cause__, ConnectionResetError)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="no notes before Python 3.11")
def test_notes_are_there() -> None:
    error = raised(charge)
    error.add_note("order 7")
    assert error.__cause__ is not None
    error.__cause__.add_note("to the bank")
    for one in both_runs(error):
        assert one.__notes__ == ["order 7"]
        assert one.__cause__.__notes__ == ["to the bank"]  # type: ignore[union-attr]


def test_a_group_has_its_members_with_theirs() -> None:
    group = Failed("two of them", [raised(charge), ExceptionGroup("inner", [raised(connect)])])
    for error in both_runs(group):
        assert type(error) is Failed
        declined, inner = error.exceptions
        assert isinstance(declined, Declined)
        assert isinstance(declined.__cause__, ConnectionResetError)
        assert isinstance(inner, ExceptionGroup)
        assert isinstance(inner.exceptions[0], ConnectionResetError)


def test_only_what_cannot_be_pickled_is_remote() -> None:
    opaque = Opaque("secret")
    opaque.__cause__ = raised(connect)
    error = raised(charge)
    error.__cause__ = opaque
    error.code = opaque  # type: ignore[attr-defined]
    for one in both_runs(error):
        assert type(one) is Declined
        assert isinstance(one.__cause__, RemoteError)
        assert one.__cause__.type_name == f"{__name__}.Opaque"
        assert isinstance(one.__cause__.__cause__, ConnectionResetError)
        assert one.code is one.__cause__
    [first, _] = both_runs(ExceptionGroup("one", [opaque]))
    assert isinstance(first, ExceptionGroup)
    assert isinstance(first.exceptions[0], RemoteError)


def test_exceptions_inside_of_values_go_the_same_way() -> None:
    error = raised(charge)
    error.lock = threading.Lock()  # type: ignore[attr-defined]
    passed, payload = pass_result({"ended": [raised(charge), error, 7]})
    for value in (passed, load_result(payload)):
        declined, remote, seven = value["ended"]
        assert isinstance(declined, Declined)
        assert isinstance(declined.__cause__, ConnectionResetError)
        assert isinstance(remote, RemoteError)
        assert isinstance(remote.__cause__, ConnectionResetError)
        assert seven == 7


def test_a_returned_exception_may_be_remote() -> None:
    passed, payload = pass_result(Opaque("secret"))
    for error in (passed, load_result(payload)):
        assert isinstance(error, RemoteError)
        assert error.message == "secret"


def test_a_circle_of_exceptions() -> None:
    one, two = Declined(1, "a"), ValueError("b")
    one.__context__, two.__context__ = two, one
    one.self = one  # type: ignore[attr-defined]
    for error in both_runs(one):
        assert type(error) is Declined
        assert error.__context__ is not None
        assert error.__context__.__context__ is error
        assert error.self is error  # type: ignore[attr-defined]


def test_what_led_to_an_error_is_left_out_if_it_is_endless() -> None:
    error = ValueError("the first")
    for _ in range(5_000):
        following = ValueError("the next")
        following.__context__ = error
        error = following
    for one in both_runs(error):
        assert (type(one), one.args, one.__context__) == (ValueError, ("the next",), None)


# ------------------------------------------------------------------------------ tracebacks


def shown(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def test_the_traceback_shows_the_same_places_and_no_variables() -> None:
    error = raised(charge)
    first, second = both_runs(error)
    assert shown(first) == shown(second)
    for line in ("in charge", "in connect", 'raise Declined(51, "no funds") from error'):
        assert line in shown(first)
    found = first.__traceback__
    assert found is not None
    while found.tb_next is not None:
        found = found.tb_next
    assert (found.tb_frame.f_code.co_name, found.tb_frame.f_locals) == ("charge", {})


def test_a_traceback_grows_as_the_exception_is_raised_again() -> None:
    def handler(error: Exception) -> NoReturn:
        raise error

    texts = [shown(raised(lambda e=e: handler(e))) for e in both_runs(raised(charge))]  # type: ignore[misc]
    assert texts[0] == texts[1]
    assert texts[0].rindex("in handler") < texts[0].rindex("in charge\n")


def test_the_traceback_of_a_recursion_is_cut() -> None:
    def again() -> None:
        again()

    [error, _] = both_runs(raised(again))
    assert isinstance(error, RecursionError)
    assert len(traceback.extract_tb(error.__traceback__)) == 32


def test_it_is_read_in_another_process() -> None:
    _, payload = pass_error(ExceptionGroup("one", [raised(charge_at_last)]))
    code = (
        "import sys; from pyflink_durable.payload.results import load_exception\n"
        "error = load_exception(bytes.fromhex(sys.argv[1])).exceptions[0]\n"
        "print(error.__context__.code if hasattr(error.__context__, 'code') else '?',"
        " type(error.__context__.__cause__).__name__)"
    )
    path = ":".join(sys.path)
    command = [sys.executable, "-c", code, payload.hex()]
    shown = subprocess.run(
        command, env={"PYTHONPATH": path}, check=True, capture_output=True, text=True, timeout=60
    )
    assert shown.stdout.strip() == "51 ConnectionResetError"
