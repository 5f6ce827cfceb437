"""Every exception of the package survives pickling, with its attributes and message."""

from __future__ import annotations

import inspect
import pickle

import pytest

from pyflink_durable import errors

CLASSES = [
    kind
    for kind in vars(errors).values()
    if inspect.isclass(kind) and issubclass(kind, errors.DurableExecutionError)
]
MISMATCH = (3, ("m.charge", "00" * 8), ("m.refund", "11" * 8))


def example(kind: type[Exception]) -> Exception:
    if kind is errors.JournalMismatch:
        return kind(*MISMATCH)
    names = list(inspect.signature(kind).parameters) if "__init__" in vars(kind) else ["text"]
    return kind(*(f"<{name}>" for name in names))


def test_all_errors_are_covered() -> None:
    assert {kind.__name__ for kind in CLASSES} >= {
        "DurableExecutionError",
        "JournalMismatch",
        "ResultNotSerializable",
        "PayloadNotLoadable",
        "ArgumentNotEncodable",
        "RemoteError",
        "NestedDurableCall",
        "NotInInvocation",
        "UnsupportedLoopOperation",
        "ConfigurationError",
    }


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", CLASSES)
def test_pickle_round_trip(kind: type[Exception], protocol: int) -> None:
    error = example(kind)
    error.step = 7  # type: ignore[attr-defined]
    loaded = pickle.loads(pickle.dumps(error, protocol))
    assert type(loaded) is kind
    assert (str(loaded), loaded.args, vars(loaded)) == (str(error), error.args, vars(error))


@pytest.mark.parametrize("kind", CLASSES)
def test_docstring_says_when_and_what_to_do(kind: type[Exception]) -> None:
    assert "__doc__" in vars(kind)
    assert kind is errors.DurableExecutionError or len((kind.__doc__ or "").splitlines()) >= 3


def test_journal_mismatch_names_both_calls() -> None:
    error = errors.JournalMismatch(3, ("m.charge", "a" * 16), ("m.refund", "b" * 16))
    assert (error.slot, error.expected[0], error.found[0]) == (3, "m.charge", "m.refund")
    for part in ("slot 3", "holds m.charge", "called m.refund", "a" * 16, "b" * 16):
        assert part in str(error)


def test_journal_mismatch_says_what_would_be_lost_and_where_the_handler_is() -> None:
    called = ("m.refund", "b" * 16)
    lost = ("slot 3, m.charge: in doubt", "slot 4, m.ship: SUCCEEDED, and not to be made again")
    who, line = "key='k' invocation=7", "/opt/job.py:31 in handle"
    more = ("PENDING", who, line, lost)
    error = errors.JournalMismatch(3, ("m.charge", "a" * 16), called, *more)
    for part in (who, "slot 3", "PENDING, but the handler called m.refund", line, *lost):
        assert part in str(error)
    ended = errors.JournalMismatch(3, ("m.charge", "a" * 16), None, *more)
    assert "but the handler has ended" in str(ended)


def test_remote_error_shows_type_and_message() -> None:
    error = errors.RemoteError("shop.Declined", "no funds", "Traceback: line 1")
    assert str(error) == "shop.Declined: no funds"
    assert error.traceback_text == "Traceback: line 1"
    assert str(errors.RemoteError("shop.Declined", "")) == "shop.Declined"


def test_builtin_bases() -> None:
    assert issubclass(errors.ConfigurationError, ValueError)
    assert issubclass(errors.ArgumentNotEncodable, TypeError)
