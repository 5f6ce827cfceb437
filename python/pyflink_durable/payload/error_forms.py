"""Exceptions as plain data: type, message, notes, cause, the places of the traceback, data.

No byte names code that is run: a type that comes back as itself is one that the job has registered,
one of Python's own, or one of this package. All others come back as `RemoteError`, in the first run
as in a replay.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from math import isfinite
from types import MethodDescriptorType, WrapperDescriptorType
from typing import Any

from pyflink_durable.errors import RemoteError
from pyflink_durable.payload.journaled_errors import bare_error, error_text, traceback_text
from pyflink_durable.payload.traceback_frames import places_of, traceback_of

if sys.version_info < (3, 11):
    from exceptiongroup import BaseExceptionGroup

Form = dict[str, Any]

_KNOWN = ["builtins", "pyflink_durable.errors", "pyflink_durable.tools.errors"]
"""Modules whose exceptions are known without being registered."""

if sys.version_info < (3, 11):
    _KNOWN.append("exceptiongroup")

_DEEPEST = 64
"""How long a chain of causes is written; of one without end the errors near are enough."""


class ErrorForms:
    """Gives exceptions their forms, and makes exceptions of them.

    Args:
        registered: Types that come back as themselves.
        warn: Gets a line for each type that does not, or not as a whole.
    """

    def __init__(
        self,
        registered: Iterable[type[BaseException]] = (),
        warn: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._kinds = {_name_of(kind): kind for kind in registered}
        self._warn = warn
        self._warned: set[str] = set()

    # ---------------------------------------------------------------- writing

    def form_of(self, error: BaseException) -> Form:
        """The form of an exception, its cause and its context."""
        return self._form_of(error, {}, 0)

    def _form_of(self, error: BaseException, seen: dict[int, Any], depth: int) -> Form:
        seen = {**seen, id(error): error}
        form = self._own_form(error, seen, depth)
        if notes := [_text(str(note)) for note in getattr(error, "__notes__", ())]:
            form["notes"] = notes
        if places := places_of(error.__traceback__):
            form["traceback"] = [[_text(p[0]), p[1], _text(p[2])] for p in places]
        for name, led in (("cause", error.__cause__), ("context", error.__context__)):
            if led is not None and id(led) not in seen and depth < _DEEPEST:
                form[name] = self._form_of(led, seen, depth + 1)
        if error.__suppress_context__:
            form["suppress_context"] = True
        return form

    def _own_form(self, error: BaseException, seen: dict[int, Any], depth: int) -> Form:
        kind = type(error)
        name = _name_of(kind)
        form: Form = {"type": name, "message": _text(error_text(error))}
        if isinstance(error, BaseExceptionGroup) and self._kind_of(name) is kind:
            parts = [one for one in error.exceptions if id(one) not in seen and depth < _DEEPEST]
            if parts:
                form["message"] = _text(error.message)
                form["exceptions"] = [self._form_of(one, seen, depth + 1) for one in parts]
                return form
        args = _carried(list(_args_of(error)))
        if self._kind_of(name) is kind and args is not None:
            state, left = _carried_state(vars(error))
            form["data"] = {"args": args, "state": state}
            if left:
                self._tell(name, f"its attributes {left} hold more than plain data, and are not")
            return form
        reason = "it is not registered: DurableOptions(errors=[...])"
        if self._kind_of(name) is kind:
            reason = "its arguments are more than plain data, which is all that is"
        self._tell(name, f"handlers get it as RemoteError, since {reason}")
        form["remote"] = _text(traceback_text(error))
        return form

    def _tell(self, name: str, what: str) -> None:
        if name not in self._warned and len(self._warned) < 100:
            self._warned.add(name)
            self._warn(f"error={name} {what} journaled")

    # ---------------------------------------------------------------- reading

    def error_of(self, form: Form) -> BaseException:
        """The exception of a form."""
        error = self._make(form)
        for note in form.get("notes", ()):
            _add_note(error, note)
        error.__traceback__ = traceback_of([(p[0], p[1], p[2]) for p in form.get("traceback", ())])
        if "cause" in form:
            error.__cause__ = self.error_of(form["cause"])
        if "context" in form:
            error.__context__ = self.error_of(form["context"])
        error.__suppress_context__ = form.get("suppress_context", False)
        return error

    def _make(self, form: Form) -> BaseException:
        name, message = form["type"], form["message"]
        kind = self._kind_of(name)
        if kind is not None and "exceptions" in form:
            parts = [self.error_of(part) for part in form["exceptions"]]
            return bare_error(kind, (message, parts))
        if kind is None or "data" not in form:
            return RemoteError(name, message, form.get("remote", ""))
        error = _rebuilt(kind, _with_tuples(form["data"]["args"]))
        vars(error).update({name: _back(item) for name, item in form["data"]["state"].items()})
        return error

    def _kind_of(self, name: str) -> type[BaseException] | None:
        kind = self._kinds.get(name)
        module, _, qualname = name.rpartition(".")
        if kind is None and module in _KNOWN:
            found = getattr(import_module(module), qualname, None)
            if isinstance(found, type) and issubclass(found, BaseException):
                return found
        return kind


def _args_of(error: BaseException) -> tuple[Any, ...]:
    """What it is made with; Python's own types know more than ``args``: a file's name."""
    if isinstance(type(error).__reduce__, MethodDescriptorType):
        return tuple(error.__reduce__()[1])
    return error.args


def _rebuilt(kind: type[BaseException], args: tuple[Any, ...]) -> BaseException:
    """An exception without its own ``__init__``, which may take other arguments."""
    if isinstance(
        kind.__init__, WrapperDescriptorType
    ):  # a builtin type's: sets fields that `args` alone would not
        return kind(*args)
    return bare_error(kind, args)


def _name_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _add_note(error: BaseException, note: str) -> None:
    """As `BaseException.add_note`, which Python 3.10 does not have."""
    vars(error).setdefault("__notes__", []).append(note)


_LEAVES = (bool, type(None))
_TUPLE, _INT = "()", "(int)"
"""Keys of what stands for a tuple, and for an int of more bits than all formats have."""


def _carried(value: Any) -> Any:
    """A value of plain data as it is, tuples as lists; None if there is more to it."""
    try:
        return _carry(value)
    except (TypeError, RecursionError):
        return None


def _carry(value: Any) -> Any:
    kind = type(value)
    if kind in _LEAVES or (kind is float and isfinite(value)):
        return value
    if _is_text(value):
        return value
    if kind is int:
        return value if -(2**63) <= value < 2**63 else {_INT: f"{value:#x}"}
    if kind is list:
        return [_carry(item) for item in value]
    if kind is tuple:
        return {_TUPLE: [_carry(item) for item in value]}
    if kind is dict and value.keys().isdisjoint((_TUPLE, _INT)) and all(map(_is_text, value)):
        return {key: _carry(item) for key, item in value.items()}
    raise TypeError


def _is_text(value: Any) -> bool:
    return type(value) is str and _text(value) == value


def _text(text: str) -> str:
    """A text with half characters shown as they are escaped; no format but pickle carries them."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _carried_state(state: dict[str, Any]) -> tuple[Form, list[str]]:
    """The attributes that plain data carries, and the names of the others."""
    kept, left = {}, []
    for name, value in state.items():
        if name == "__notes__":
            continue
        carried = _carried([value])
        if carried is None:
            left.append(name)
        else:
            kept[name] = carried[0]
    return kept, left


def _with_tuples(args: list[Any]) -> tuple[Any, ...]:
    return tuple(map(_back, args))


def _back(value: Any) -> Any:
    if type(value) is list:
        return [_back(item) for item in value]
    if type(value) is dict:
        if value.keys() == {_TUPLE}:
            return tuple(_back(item) for item in value[_TUPLE])
        if value.keys() == {_INT}:
            return int(value[_INT], 16)
        return {key: _back(item) for key, item in value.items()}
    return value
