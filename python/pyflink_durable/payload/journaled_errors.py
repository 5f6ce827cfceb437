"""Exceptions as pickle does not write them: with cause, context and the places of their traceback.

The functions that an exception is read back with are named in journals: they stay where they are.
"""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from pyflink_durable.errors import RemoteError
from pyflink_durable.payload.plain_values import are_leaves, is_plain
from pyflink_durable.payload.traceback_frames import places_of, traceback_of

Form = tuple[Callable[..., BaseException], tuple[Any, ...], Any]
"""A function, its arguments, and the state of what it gives: an exception without its chain."""


ReadBack = Callable[[Form], BaseException]
"""Writes a form, and makes an exception of what is read; other exceptions in it stay as they are,
since each has a form of its own."""


def reduce_error(error: BaseException, read_back: ReadBack, chain: bool) -> tuple[Any, ...]:
    """What `object.__reduce_ex__` gives, with all that belongs to the exception.

    It is written in the first of these forms that reads back as the same type: as it would have
    itself pickled, rebuilt without its ``__init__``, as a `RemoteError`.

    Args:
        error: The exception.
        read_back: Tells what becomes of a form.
        chain: Whether its cause and context belong to it.
    """
    make, args, state = _choose(error, read_back)
    parts: dict[str, Any] = {}
    if state is not None:
        parts["state"] = state
    if chain and error.__cause__ is not None:
        parts["cause"] = error.__cause__
    if chain and error.__context__ is not None:
        parts["context"] = error.__context__
    if error.__suppress_context__:
        parts["suppress"] = True
    if places := places_of(error.__traceback__):
        parts["places"] = places
    # set when the exception is there: its context may lead back to it
    return make, args, parts, None, None, _complete


def make_error(form: Form) -> BaseException:
    """What a form stands for, without cause and context."""
    make, args, state = form
    error = make(*args)
    _complete(error, {"state": state})
    return error


def _choose(error: BaseException, read_back: ReadBack) -> Form:
    own: Form | None = None
    for form in _faithful_forms(error):
        try:
            loaded = read_back(form)
        except Exception:  # any failure means: not this way
            continue
        if type(loaded) is type(error):
            if _has_same_args(loaded, error):
                return form
            own = own or form
    return own or (RemoteError, (type_name(error), error_text(error), traceback_text(error)), None)


def _faithful_forms(error: BaseException) -> Iterator[Form]:
    """The forms that may read back as the exception itself.

    An exception whose ``__init__`` takes other arguments than it hands to ``super().__init__`` does
    not survive its own pickling: loading fails or, worse, yields a changed message.
    """
    try:
        reduced = error.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
    except Exception:
        return
    if isinstance(reduced, tuple):
        make, args, state = (*reduced, None)[:3]
        yield make, args, state
    kind = type(error)
    if (kind.__reduce__, kind.__reduce_ex__) == (BaseException.__reduce__, object.__reduce_ex__):
        # only with the default pickling all there is to keep is known
        yield bare_error, (kind, error.args), dict(vars(error))


def bare_error(kind: type[BaseException], args: tuple[Any, ...]) -> BaseException:
    """An exception whose ``__init__`` has not run; named in journals."""
    error = kind.__new__(kind, *args)
    error.args = args
    return error


def _complete(error: BaseException, parts: dict[str, Any]) -> None:
    """Gives an exception what belongs to it; named in journals.

    Args:
        error: As it was made.
        parts: By name, those that differ from what every new exception has.
    """
    if parts.get("state") is not None:
        error.__setstate__(parts["state"])
    error.__cause__ = parts.get("cause")
    error.__context__ = parts.get("context")
    error.__suppress_context__ = parts.get("suppress", False)
    error.__traceback__ = traceback_of(parts.get("places", []))


def is_plain_form(form: Form) -> bool:
    """Whether all but the function of a form need not be written to know how it reads back."""
    _, args, state = form
    return is_plain(args) and (
        state is None or (type(state) is dict and are_leaves(state.values()))
    )


def _has_same_args(loaded: BaseException, error: BaseException) -> bool:
    try:
        return bool(loaded.args == error.args)
    except Exception:
        return False


def type_name(value: object) -> str:
    """``module.qualname`` of a value's class."""
    return f"{type(value).__module__}.{type(value).__qualname__}"


def error_text(error: BaseException) -> str:
    """``str()`` of an exception; of one that has none, why."""
    try:
        return str(error)
    except Exception as failure:
        return f"<str() of the exception failed: {type(failure).__name__}>"


def traceback_text(error: BaseException) -> str:
    """The formatted traceback of an exception."""
    try:
        return "".join(traceback.format_exception(error))
    except Exception as failure:
        return f"<the traceback could not be formatted: {type(failure).__name__}>"
