"""Bad use that is refused without a cluster: handlers of a wrong form, options out of range."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import pytest
from pydantic import ValidationError

from pyflink_durable import (
    ConfigurationError,
    DurableOptions,
    DurableProcessFunction,
    RunnerContext,
)
from pyflink_durable.handler import (
    check_handler,
    check_versions,
    handles_asynchronously,
    process_function_of,
)


async def asynchronous(value: Any, ctx: RunnerContext) -> None: ...


def ordinary(value: Any, ctx: RunnerContext) -> None: ...


class Whole(DurableProcessFunction):
    async def process(self, value: Any, ctx: RunnerContext) -> None: ...


class Callable2:
    async def __call__(self, value: Any, ctx: RunnerContext) -> None: ...

    def method(self, value: Any, ctx: RunnerContext) -> None: ...


GOOD: list[tuple[Any, bool]] = [
    (asynchronous, True),
    (ordinary, False),
    (lambda value, ctx: None, False),
    (lambda value, ctx, more=1, *rest, **named: None, False),
    (lambda *args: None, False),
    (Whole(), True),
    (Callable2(), True),
    (Callable2().method, False),
    (partial(lambda prefix, value, ctx: None, "x"), False),
    (partial(asynchronous), True),
    (max, False),
]


@pytest.mark.parametrize(("handler", "is_asynchronous"), GOOD)
def test_good_handlers_and_where_they_run(handler: Any, is_asynchronous: bool) -> None:
    check_handler(handler)
    assert handles_asynchronously(handler) is is_asynchronous


def test_the_function_of_either_form() -> None:
    whole = Whole()
    assert process_function_of(whole) == whole.process
    assert process_function_of(ordinary) is ordinary


async def async_generator(value: Any, ctx: RunnerContext) -> AsyncIterator[int]:
    yield 1


def generator(value: Any, ctx: RunnerContext) -> Iterator[int]:
    yield 1


class Generating(DurableProcessFunction):
    async def process(self, value: Any, ctx: RunnerContext) -> AsyncIterator[int]:
        yield 1


class CalledGenerating:
    async def __call__(self, value: Any, ctx: RunnerContext) -> AsyncIterator[int]:
        yield 1


@pytest.mark.parametrize(
    "handler",
    [async_generator, generator, Generating(), CalledGenerating(), partial(async_generator)],
)
def test_generators_are_told_of_collect(handler: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"is a generator .* ctx\.collect\(value\)"):
        check_handler(handler)


@pytest.mark.parametrize(
    "handler",
    [
        lambda: None,
        lambda value: None,
        lambda value, ctx, more: None,
        lambda value, *, ctx: None,
        lambda value, ctx, *, more: None,
        len,
        Callable2.method,
    ],
)
def test_the_wrong_number_of_arguments(handler: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"exactly two arguments, \(value, ctx\)"):
        check_handler(handler)


@pytest.mark.parametrize("handler", [None, 7, "handler", [ordinary]])
def test_what_is_no_handler(handler: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"not {type(handler).__name__}$"):
        check_handler(handler)


def test_the_class_in_place_of_an_instance() -> None:
    with pytest.raises(ConfigurationError, match=r"durable_process\(\.\.\., Whole\(\)\)"):
        check_handler(Whole)


def test_a_process_function_needs_process() -> None:
    class Nothing(DurableProcessFunction): ...

    with pytest.raises(TypeError, match="process"):
        Nothing()  # type: ignore[abstract]


RANGES = {
    "max_in_flight": (1, 1_000_000),
    "max_pending": (1, 10_000_000),
    "call_threads": (1, 4_096),
    "handler_threads": (1, 4_096),
    "close_timeout": (0, 120),
}


@pytest.mark.parametrize("option", RANGES)
def test_an_option_out_of_range_is_named_with_its_limit(option: str) -> None:
    least, most = RANGES[option]
    for allowed in (least, most):
        assert getattr(DurableOptions(**{option: allowed}), option) == allowed
    for refused, limit in ((least - 1, least), (most + 1, most)):
        with pytest.raises(ValidationError, match=rf"(?s){option}.*{limit}"):
            DurableOptions(**{option: refused})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("on_error", "ignore"),
        ("on_mismatch", "raise"),
        ("max_in_flight", "many"),
        ("max_in_flight", 1.5),
        ("call_threads", None),
        ("close_timeout", float("nan")),
        ("key_ttl", 0),
        ("key_ttl", float("inf")),
        ("key_ttl", float("nan")),
        ("state_ttl", -1),
        ("state_ttl", "1 h"),
    ],
)
def test_an_option_of_the_wrong_kind(option: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=option):
        DurableOptions(**{option: value})


def test_ids_of_their_own_need_no_numbers_that_live() -> None:
    with pytest.raises(ValidationError, match="key_ttl is for the numbers"):
        DurableOptions(key_ttl=60, invocation_id=str)
    DurableOptions(state_ttl=60, invocation_id=str)


def test_an_unknown_option() -> None:
    with pytest.raises(ValidationError, match="max_inflight"):
        DurableOptions(max_inflight=1)  # type: ignore[call-arg]


def test_options_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        DurableOptions().max_in_flight = 1  # type: ignore[misc]


def test_versions_are_names_each_with_its_handler() -> None:
    found = check_versions(asynchronous, "2", {"1": Whole(), None: asynchronous})

    assert (found.handler, found.version) == (asynchronous, "2")
    assert set(found.previous) == {"1", None}
    assert check_versions(asynchronous, None, None).previous == {}


@pytest.mark.parametrize(
    ("version", "previous", "message"),
    [
        (2, {}, "a str of 1 to 100 printable characters, or None .*, not 2"),
        ("", {}, "not ''"),
        ("1\n2", {}, "not '1"),
        ("x" * 101, {}, "not 'xxx"),
        ("2", {1: asynchronous}, "not 1"),
        ("2", {"2": asynchronous}, "version '2', which is the current one"),
        (None, {None: asynchronous}, "version None, which is the current one"),
        ("2", [asynchronous], 'by their version, {"1": handle_v1}'),
        ("2", {"1": len}, "handler len must take exactly two arguments"),
    ],
)
def test_what_is_no_version(version: Any, previous: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        check_versions(asynchronous, version, previous)
