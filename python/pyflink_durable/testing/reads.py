"""Finds the lines at which a handler reads what is not the same in each run."""

from __future__ import annotations

import ast
import datetime as dt
import gc
import linecache
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import BuiltinFunctionType, FrameType, ModuleType
from typing import Any

from pyflink_durable.handler import Handler, process_function_of
from pyflink_durable.options import DurableOptions
from pyflink_durable.testing.replay import replay
from pyflink_durable.testing.saved_journal import SavedJournal

SEED = "set"
"""A kind of read: the order of a set, which the hash seed of the process decides."""

_SHIFT = 460 * 86_400.0 + 13 * 3_600.0 + 7 * 60.0 + 11.0
"""Seconds. From any day on the year, the quarter, the month, the week, its day and the month's, the
hour, the minute and the second are others."""

_CLOCKS = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")
_LOCAL = ("localtime", "gmtime", "ctime", "strftime")
_OWN = ("pyflink_durable", "asyncio", "logging", "contextlib", "importlib", "_pytest", "pytest")


# -------------------------------------------------------------------- another clock


class _ShiftedDatetime(dt.datetime):
    """In place of `datetime` in the module of a handler; its values are ordinary ones."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return dt.datetime.now(tz) + dt.timedelta(seconds=_SHIFT)

    @classmethod
    def utcnow(cls) -> Any:
        return dt.datetime.now(dt.timezone.utc).replace(tzinfo=None) + dt.timedelta(seconds=_SHIFT)

    @classmethod
    def today(cls) -> Any:
        return cls.now()

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return dt.datetime(*args, **kwargs)


class _ShiftedDate(dt.date):
    @classmethod
    def today(cls) -> Any:
        return dt.date.today() + dt.timedelta(seconds=_SHIFT)

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return dt.date(*args, **kwargs)


@contextmanager
def shifted_clocks(handler: Handler) -> Iterator[None]:
    """The process's clocks are others, for code that does not ask ``ctx`` for the time.

    Those of `time` everywhere, those of `datetime` in the module of the handler.
    """
    names = vars(time)
    own = {name: names[name] for name in _CLOCKS}
    function: Any = process_function_of(handler)
    module = getattr(getattr(function, "__func__", function), "__globals__", {})
    changed = {name: _in_place_of(value) for name, value in module.items()}
    changed = {name: value for name, value in changed.items() if value is not None}
    before = {name: module[name] for name in changed}
    try:
        for name, clock in own.items():
            names[name] = _shifted(name, clock)
        module.update(changed)
        yield
    finally:
        names.update(own)
        module.update(before)


def _shifted(name: str, clock: Any) -> Any:
    shift: Any = int(_SHIFT * 1e9) if name.endswith("_ns") else _SHIFT
    return lambda: clock() + shift


def _in_place_of(value: Any) -> Any:
    if value is dt.datetime:
        return _ShiftedDatetime
    if value is dt.date:
        return _ShiftedDate
    if value is dt:
        module = ModuleType("datetime")
        vars(module).update(vars(dt), datetime=_ShiftedDatetime, date=_ShiftedDate)
        return module
    if isinstance(value, BuiltinFunctionType) and value.__module__ == "time":
        return _shifted(value.__name__, value) if value.__name__ in _CLOCKS else None
    return None


# -------------------------------------------------------------------- who reads it


class Reads:
    """What a handler reads while it is run over a journal.

    Args:
        handler: The handler.
        journal: The journal, with its input.
        options: Those of its operator.
    """

    def __init__(self, handler: Handler, journal: SavedJournal, options: DurableOptions) -> None:
        self._handler = handler
        self._journal = journal
        self._options = options
        self._found: dict[str, None] = {}

    def lines(self, kind: str | None) -> list[str]:
        """The lines, each with what it reads.

        Args:
            kind: `SEED` for the order of sets alone, None for all.
        """
        collects = gc.isenabled()
        gc.disable()  # who is told of collections reads the clock in the midst of a handler
        profile, trace = sys.getprofile(), sys.gettrace()
        if kind is None:
            sys.setprofile(self._called)
        sys.settrace(self._entered)
        try:
            with suppress(Exception):
                replay(self._handler, self._journal, self._options)
        finally:
            sys.setprofile(profile)
            sys.settrace(trace)
            if collects:
                gc.enable()
        return list(self._found)

    def _called(self, frame: FrameType, event: str, function: Any) -> None:
        if event != "c_call":
            return
        what = _source_of(function)
        if what is not None:
            reader = _reader(frame)
            if reader is not None:
                self._note(reader, what)

    def _entered(self, frame: FrameType, event: str, arg: Any) -> Any:
        if not _is_users(frame):
            return None
        return self._line

    def _line(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event == "line":
            text = linecache.getline(frame.f_code.co_filename, frame.f_lineno)
            for iterated in _iterated(text):
                value = _value_of(iterated, frame)
                if isinstance(value, (set, frozenset)) and len(value) > 1:
                    self._note(frame, f"the order of the set {ast.unparse(iterated)}")
        return self._line

    def _note(self, frame: FrameType, what: str) -> None:
        code = frame.f_code
        self._found[f"{code.co_filename}:{frame.f_lineno} in {code.co_name}: {what}"] = None


def _is_users(frame: FrameType) -> bool:
    module = frame.f_globals.get("__name__") or ""
    top = module.partition(".")[0]
    return top not in _OWN and top not in sys.stdlib_module_names


def _reader(frame: FrameType | None) -> FrameType | None:
    """The user's frame that reads, through the standard library; None if it is none of the user's.

    `uuid.uuid4` and `random.choice` are Python: who asks for them is behind.
    """
    while frame is not None and not _is_users(frame):
        top = (frame.f_globals.get("__name__") or "").partition(".")[0]
        if top in _OWN:
            return None
        frame = frame.f_back
    return frame


def _source_of(function: Any) -> str | None:
    """What a built-in function reads that is not the same in each run."""
    name, owner = getattr(function, "__name__", ""), getattr(function, "__self__", None)
    if isinstance(owner, ModuleType):
        if owner.__name__ == "time" and name in _CLOCKS + _LOCAL:
            return f"the clock, time.{name}()"
        if owner.__name__ in ("posix", "nt") and name in ("urandom", "getpid"):
            return f"os.{name}()"
        if owner.__name__ == "builtins" and name == "id":
            return "an address in memory, id()"
        return None
    if (
        isinstance(owner, type)
        and issubclass(owner, dt.date)
        and name in ("now", "today", "utcnow")
    ):
        return f"the clock, {owner.__name__.removeprefix('_Shifted').lower()}.{name}()"
    kind = type(owner).__name__
    if kind in ("Random", "SystemRandom") and name in ("random", "getrandbits", "seed"):
        return "a random number"
    return None


# -------------------------------------------------------------------- the order of sets


def _iterated(text: str) -> Iterator[ast.expr]:
    """The expressions that a line iterates over."""
    source = text.strip()
    for candidate in (source, source + " pass", "async def f():\n " + source + " pass"):
        with suppress(SyntaxError):
            tree = ast.parse(candidate)
            break
    else:
        return
    for node in ast.walk(tree):
        if isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
            yield node.iter
        elif isinstance(node, ast.Starred):
            yield node.value
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in _ORDERED and node.args:
                yield node.args[0]
            elif isinstance(node.func, ast.Attribute) and node.func.attr in ("pop", "join"):
                yield node.args[0] if node.args else node.func.value


_ORDERED = (
    "list",
    "tuple",
    "enumerate",
    "iter",
    "next",
    "zip",
    "map",
    "filter",
    "reversed",
    "repr",
)


def _value_of(expression: ast.expr, frame: FrameType) -> Any:
    """The value of a name, an attribute or an item; of a set that is made on the spot, an example.

    Nothing is called: that would do what the handler does.
    """
    if isinstance(expression, (ast.Set, ast.SetComp)):
        return {1, 2}
    if isinstance(expression, ast.Call):
        made = expression.func
        return {1, 2} if isinstance(made, ast.Name) and made.id in ("set", "frozenset") else None
    if isinstance(expression, ast.BinOp):
        return _value_of(expression.left, frame) or _value_of(expression.right, frame)
    if isinstance(expression, ast.Name):
        return frame.f_locals.get(expression.id, frame.f_globals.get(expression.id))
    if isinstance(expression, ast.Attribute):
        return getattr(_value_of(expression.value, frame), expression.attr, None)
    if isinstance(expression, ast.Subscript) and isinstance(expression.slice, ast.Constant):
        with suppress(Exception):
            return _value_of(expression.value, frame)[expression.slice.value]
    return None
