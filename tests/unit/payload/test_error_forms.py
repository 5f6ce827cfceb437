"""Exceptions in a journal that is not of pickles."""

from __future__ import annotations

import sys
import traceback
from typing import Any

import pytest

from pyflink_durable import (
    CallTimedOut,
    DurableOptions,
    JsonSerializer,
    MsgspecSerializer,
    OutcomeUnknown,
    RemoteError,
)
from pyflink_durable.payload.payloads import Payloads
from pyflink_durable.runtime.journal.bridge import Identity
from pyflink_durable.runtime.journal.call import Call
from pyflink_durable.runtime.journal.call_options import ResolvedOptions
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity
from pyflink_durable.runtime.telemetry.telemetry import LocalTelemetry

if sys.version_info < (3, 11):
    from exceptiongroup import ExceptionGroup

OWNER = InvocationIdentity(lambda _: "ann", "orders", 3)
CALL = Call(Identity("charge", "0"), lambda: None, (), {}, None, None, ResolvedOptions())


class Declined(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"declined ({code}): {reason}")
        self.code = code
        self.limits = (1, [2, (3,)])


class Refused(ValueError):
    pass


class Busy(OSError):
    pass


class Connected(Exception):
    def __init__(self) -> None:
        super().__init__("broken pipe")
        self.retry_after = 7
        self.connection = object()


class Opaque(Exception):
    def __init__(self) -> None:
        super().__init__(object())


def read(error: Exception, *registered: type[Exception], telemetry: Any = None) -> Exception:
    """What the handler gets; the first run, a replay and all serializers of data agree on it."""
    read = []
    for serializer in (MsgspecSerializer(), JsonSerializer()):
        options = DurableOptions(serializer=serializer, errors=registered, allow_pickle=False)
        first, payload = Payloads(options, notes=telemetry).pass_error(error, CALL, OWNER, 4)
        read += [first, Payloads(options).load_error(payload, OWNER, 4)]
    assert all(shown(one) == shown(read[0]) for one in read)
    return read[0]


def shown(error: BaseException | None) -> Any:
    if error is None:
        return None
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    state = {name: value for name, value in vars(error).items() if name != "__notes__"}
    return type(error), error.args and repr(error.args), repr(state), lines


def raised(make: Any) -> Exception:
    try:
        try:
            raise KeyError("inner")
        except KeyError as inner:
            raise make() from inner
    except Exception as error:
        return error


def test_a_registered_type_comes_back_as_itself() -> None:
    error = read(raised(lambda: Declined(402, "no funds")), Declined)
    assert type(error) is Declined
    assert (str(error), error.code, error.limits) == (
        "declined (402): no funds",
        402,
        (1, [2, (3,)]),
    )
    assert isinstance(error.__cause__, KeyError) and error.__cause__.args == ("inner",)
    assert "in raised" in "".join(traceback.format_exception(error))


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x", 7),
        KeyError("k"),
        TimeoutError(),
        ConnectionRefusedError(111, "refused"),
        IndexError(3),
        CallTimedOut("charge", 2.5),
        OutcomeUnknown("charge", "0", "key", 1, "timeout"),
        RemoteError("x.Y", "message", "trace"),
        ValueError(10**40, -(2**63) - 1, {"a": [2**64]}),
    ],
)
def test_known_types_need_not_be_registered(error: Exception) -> None:
    back = read(error)
    assert type(back) is type(error)
    assert (back.args, str(back), vars(back)) == (error.args, str(error), vars(error))


@pytest.mark.parametrize("text", ["caf\udce9", "\ud800"])
def test_half_characters_are_shown(text: str) -> None:
    """As those in names of files; no format but pickle carries them."""
    error = ValueError(text)
    error.__notes__ = [text]  # type: ignore[attr-defined]
    back = read(error)
    escaped = ascii(text).strip("'")
    assert isinstance(back, RemoteError)
    assert (back.message, back.__notes__) == (escaped, [escaped])  # type: ignore[attr-defined]


def test_fields_that_live_in_c_are_there() -> None:
    back = read(Busy(16, "busy", "/dev/x"), Busy)
    assert isinstance(back, Busy)
    assert (back.errno, back.strerror, back.filename) == (16, "busy", "/dev/x")


def test_others_are_remote_errors_and_somebody_is_told_once() -> None:
    telemetry = LocalTelemetry()
    lines: list[str] = []
    telemetry.warning = lines.append  # type: ignore[method-assign]
    options = DurableOptions(serializer=JsonSerializer())
    payloads = Payloads(options, notes=telemetry)
    for _ in range(2):
        back, _ = payloads.pass_error(raised(lambda: Refused("no")), CALL, OWNER, 0)
        assert isinstance(back, RemoteError)
        assert back.type_name == f"{__name__}.Refused"
        assert back.message == "no"
        assert "in raised" in back.traceback_text
        assert isinstance(back.__cause__, KeyError)
    assert [line for line in lines if "Refused" in line] == lines[:1]
    assert "DurableOptions(errors=[...])" in lines[0]


def test_attributes_that_are_no_data_are_told() -> None:
    telemetry = LocalTelemetry()
    lines: list[str] = []
    telemetry.warning = lines.append  # type: ignore[method-assign]
    back = read(Connected(), Connected, telemetry=telemetry)
    assert type(back) is Connected
    assert vars(back) == {"retry_after": 7}
    assert "['connection']" in lines[0]


def test_arguments_that_are_no_data_make_it_remote() -> None:
    assert isinstance(read(Opaque(), Opaque), RemoteError)


def test_notes_groups_and_cycles() -> None:
    inner = Refused("a")
    inner.__notes__ = ["order 7"]  # as add_note does
    group = ExceptionGroup("two", [inner, KeyError("b")])
    inner.__context__ = group
    back: Any = read(group, Refused)
    assert type(back) is ExceptionGroup and back.message == "two"
    assert [type(one) for one in back.exceptions] == [Refused, KeyError]
    assert back.exceptions[0].__notes__ == ["order 7"]


def test_a_chain_without_end_is_cut() -> None:
    error: Exception = ValueError(0)
    for number in range(1, 2_000):
        outer = ValueError(number)
        outer.__cause__ = error
        error = outer
    assert read(error).args == (1_999,)


def test_no_byte_names_code_that_is_run() -> None:
    options = DurableOptions(serializer=JsonSerializer())
    form = {"type": "os.system", "message": "x", "data": {"args": ["touch /tmp/x"], "state": {}}}
    for name in (
        "os.system",
        "subprocess.Popen",
        "builtins.eval",
        "pyflink_durable.errors.one_line",
    ):
        made = Payloads(options)._errors.error_of({**form, "type": name})
        assert isinstance(made, RemoteError) and made.type_name == name
