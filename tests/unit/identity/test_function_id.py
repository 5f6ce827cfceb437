"""The names of callables: what is bound to them counts, unless a replay may see it changed."""

from __future__ import annotations

import datetime as dt
import enum
import functools
import gc
import re
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pydantic
import pytest

from pyflink_durable.identity import digest as identity
from pyflink_durable.identity.digest import compute_args_digest, compute_function_id

HERE = __name__


def digest(*args: Any, **kwargs: Any) -> str:
    return compute_args_digest(args, kwargs)


def run(code: str, **env: str) -> str:
    env["PYTHONPATH"] = ":".join(sys.path)
    return subprocess.check_output([sys.executable, "-c", code], env=env, text=True).strip()


class Color(enum.Enum):
    RED = 1
    BLUE = 2


class Model(pydantic.BaseModel):
    number: int


class Place(NamedTuple):
    region: str


class Plain:
    """An object of a type that the package does not know."""


def plain(x: Any) -> Any:
    return x


def closure(captured: Any) -> Callable[[], Any]:
    return lambda: captured


@dataclass
class Payments:
    region: str
    log: list[str] = field(default_factory=list)

    def charge(self) -> None:
        self.log.append("charge")

    def __call__(self) -> None:
        """Does nothing."""


class Client:
    def __init__(self, region: str) -> None:
        self.region = region
        self.lock = threading.Lock()

    def charge(self) -> None:
        """Does nothing."""

    def __call__(self) -> None:
        """Does nothing."""

    @classmethod
    def create(cls) -> None:
        """Does nothing."""

    @staticmethod
    def check() -> None:
        """Does nothing."""


class SpecialClient(Client):
    def charge(self) -> None:
        """Does nothing."""

    def inherited(self) -> Callable[[], None]:
        return super().charge


@functools.lru_cache
def cached() -> None:
    """Does nothing."""


def has_suffix(function_id: str, name: str) -> bool:
    return re.fullmatch(re.escape(f"{HERE}.{name}") + "#[0-9a-f]{16}", function_id) is not None


@pytest.mark.parametrize(
    ("func", "expected"),
    [
        (plain, f"{HERE}.plain"),
        (Client, f"{HERE}.Client"),
        (Client.check, f"{HERE}.Client.check"),
        (Client.create, f"{HERE}.Client.create"),
        (SpecialClient.create, f"{HERE}.SpecialClient.create"),
        (Client("eu").charge, f"{HERE}.Client.charge"),
        (SpecialClient("eu").charge, f"{HERE}.SpecialClient.charge"),
        (SpecialClient("eu").inherited(), f"{HERE}.SpecialClient.charge[{HERE}.Client.charge]"),
        (Client("eu"), f"{HERE}.Client.__call__"),
        (cached, f"{HERE}.cached"),
        (len, "builtins.len"),
        (str.upper, "builtins.str.upper"),
        (dict.fromkeys, "builtins.dict.fromkeys"),
        ([].append, "builtins.list.append"),
        (lambda: None, f"{HERE}.<lambda>"),
        (closure(Client("eu")), f"{HERE}.closure.<locals>.<lambda>"),
    ],
)
def test_function_ids(func: Any, expected: str) -> None:
    assert compute_function_id(func) == expected


@pytest.mark.parametrize(
    ("bind", "name"),
    [
        (lambda payments: payments.charge, "Payments.charge"),
        (lambda payments: payments, "Payments.__call__"),
        (lambda payments: Model(number=len(payments.region)).model_dump, None),
        (lambda payments: payments.region.upper, None),
        (lambda payments: closure(payments), "closure.<locals>.<lambda>"),
        (lambda payments: closure((payments.charge, {1})), "closure.<locals>.<lambda>"),
        (lambda payments: closure(Place(payments.region)), "closure.<locals>.<lambda>"),
        (lambda payments: closure(functools.partial(plain, payments.region)), None),
        (lambda payments: functools.partial(plain, payments), "plain"),
        (lambda payments: functools.partial(plain, x=[payments.region]), "plain"),
        (lambda payments: functools.partial(payments.charge), None),
    ],
)
def test_what_is_bound_tells_callables_apart(bind: Any, name: str | None) -> None:
    eu, us = compute_function_id(bind(Payments("eu"))), compute_function_id(bind(Payments("usa")))
    assert eu != us
    assert eu == compute_function_id(bind(Payments("eu")))
    assert name is None or (has_suffix(eu, name) and has_suffix(us, name))


def test_what_a_captured_variable_is_called_does_not_count() -> None:
    def one(source: str, target: str) -> Callable[[], Any]:
        def move() -> Any:
            return source, [target for _ in range(2)]

        return move

    def renamed(z_from: str, a_to: str) -> Callable[[], Any]:
        def move() -> Any:
            return z_from, [a_to for _ in range(2)]

        return move

    def suffix(function: Callable[[], Any]) -> str:
        return compute_function_id(function).partition("#")[2]

    assert suffix(one("a", "b")) == suffix(renamed("a", "b")) != ""
    assert suffix(one("a", "b")) != suffix(one("b", "a"))


def test_defaults_of_functions_that_are_made_in_functions_count() -> None:
    def made(region: Any) -> list[Callable[..., Any]]:
        def charge(order: str, region: Any = region) -> Any:
            return order, region

        return [lambda r=region: r, lambda *, r=region: r, charge]

    for eu, again, us in zip(made("eu"), made("eu"), made("us"), strict=True):
        assert compute_function_id(eu) == compute_function_id(again) != compute_function_id(us)
    for unknown, other in zip(made(Client("eu")), made(Client("us")), strict=True):
        assert compute_function_id(unknown) == compute_function_id(other)
    assert compute_function_id(with_default) == f"{HERE}.with_default"


def with_default(x: int = 1) -> int:
    return x


class Counting(pydantic.BaseModel):
    region: str
    _calls: int = 0

    def charge(self) -> None:
        self._calls += 1


def test_what_is_private_to_the_instance_of_a_method_does_not_count() -> None:
    counting = Counting(region="eu")
    before = compute_function_id(counting.charge)
    counting.charge()
    assert compute_function_id(counting.charge) == before
    assert before != compute_function_id(Counting(region="us").charge)


def test_enum_methods_are_told_apart() -> None:
    assert compute_function_id(Color.RED.__repr__) != compute_function_id(Color.BLUE.__repr__)


def test_mutable_state_of_an_instance_does_not_count() -> None:
    payments = Payments("eu")
    before = compute_function_id(payments.charge)
    payments.charge()
    assert compute_function_id(payments.charge) == before


def test_what_a_closure_changes_does_not_count() -> None:
    log: list[int] = []
    attempts = 0

    def charge() -> None:
        nonlocal attempts
        attempts += 1
        log.append(attempts)

    before = compute_function_id(charge)
    assert before == f"{HERE}.test_what_a_closure_changes_does_not_count.<locals>.charge"
    charge()
    assert compute_function_id(charge) == before


def test_what_a_function_inside_a_closure_rebinds_does_not_count() -> None:
    attempts = 0

    def charge() -> None:
        def again() -> None:
            nonlocal attempts
            attempts += 1

        again()

    before = compute_function_id(charge)
    charge()
    assert compute_function_id(charge) == before


def test_unknown_captures_leave_the_known_ones() -> None:
    def make(region: str) -> Callable[[], Any]:
        client = Client(region)
        return lambda: (client, region)

    assert compute_function_id(make("eu")) == compute_function_id(make("eu"))
    assert compute_function_id(make("eu")) != compute_function_id(make("us"))


def test_recursive_and_unassigned_captures() -> None:
    def factorial(n: int) -> int:
        return n * factorial(n - 1) if n else later()

    before = compute_function_id(factorial)
    assert before == f"{HERE}.test_recursive_and_unassigned_captures.<locals>.factorial"
    later = int
    assert factorial(0) == 0
    assert compute_function_id(factorial) != before


def test_a_capture_that_fails_does_not_fail_the_call() -> None:
    class Zone(dt.tzinfo):
        def utcoffset(self, when: Any) -> dt.timedelta:
            raise OSError("no time zone data")

        dst = utcoffset

        def tzname(self, when: Any) -> str:
            return "nowhere"

    function_id = compute_function_id(closure(dt.datetime(2024, 1, 1, tzinfo=Zone())))
    assert function_id == f"{HERE}.closure.<locals>.<lambda>"


def test_wrappers() -> None:
    def wrapped(func: Any) -> Any:
        @functools.wraps(func)
        def wrapper(*args: Any) -> Any:
            return func(*args)

        return wrapper

    assert has_suffix(compute_function_id(wrapped(plain)), "plain")
    assert compute_function_id(wrapped(plain)) == compute_function_id(wrapped(plain))


def test_methods_behind_one_anonymous_wrapper_are_told_apart() -> None:
    def anonymous(func: Any) -> Any:
        def wrapper(self: Any) -> Any:
            return func(self)

        return wrapper

    class Shop:
        @anonymous
        def sell(self) -> None:
            """Does nothing."""

        @anonymous
        def buy(self) -> None:
            """Does nothing."""

    assert compute_function_id(Shop().sell) == compute_function_id(Shop().sell)
    assert compute_function_id(Shop().sell) != compute_function_id(Shop().buy)


def test_functions_as_arguments() -> None:
    values = [plain, closure(1), closure(2), Payments("eu").charge, Payments("us").charge, Client]
    assert len({digest(value) for value in values}) == len(values)
    assert digest(closure(1)) == digest(closure(1))


def test_nothing_is_kept_of_a_function() -> None:
    namespace: dict[str, Any] = {}
    exec("def make(x):\n    return lambda: x", namespace)
    kept = Plain()
    func = namespace["make"]((kept, "x"))
    assert "#" in compute_function_id(func)
    assert len(identity._variables) > 0
    size = len(identity._variables)
    references = [weakref.ref(func), weakref.ref(func.__code__), weakref.ref(kept)]
    del func, kept, namespace
    gc.collect()
    assert [reference() for reference in references] == [None] * 3
    assert len(identity._variables) == size - 1


def test_function_ids_are_the_same_in_every_process() -> None:
    code = f"import {HERE} as t; print(t.compute_function_id(t.closure(frozenset('abcdefgh'))))"
    outputs = {run(code, PYTHONHASHSEED=seed) for seed in ("0", "1", "2")}
    assert len(outputs) == 1
    assert has_suffix(outputs.pop(), "closure.<locals>.<lambda>")
