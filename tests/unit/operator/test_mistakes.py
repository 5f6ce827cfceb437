"""What a data engineer does wrong on the first day, and what the error says to do instead.

One table: what belongs in it was silent, or an error of Flink's that does not help. Each is told as
early as it can be known: when the graph is built, else at the first input, or in the line of the
handler that emits. What two jobs bring of one name is in `test_shipped`, which needs an interpreter
of its own.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from declared_types import LINE, plain
from graphs import OfJava, environment, keyed, numbers, process
from job_scripts import global_of_the_handler, of_the_script
from pyflink.common import Row, Types
from pyflink.datastream import RuntimeExecutionMode, StreamExecutionEnvironment

from pyflink_durable import RunnerContext
from pyflink_durable.runtime.operator.task_context import TaskContext
from pyflink_durable.runtime.values import check_key

Mistake = Callable[[StreamExecutionEnvironment], object]


async def yields(value: Any, ctx: RunnerContext) -> AsyncIterator[int]:
    yield 1


def keyed_by(key: Any, key_type: Any = None) -> Mistake:
    return lambda env: process(env, stream=numbers(env).key_by(lambda value: key, key_type))


def key_is(key: Any) -> Mistake:
    return lambda env: check_key(key, "orders")


def emits(value: Any, declared: Any) -> Mistake:
    return lambda env: plain(declared, value)


def handler_with(name: str) -> Mistake:
    """A handler of the script that uses a variable of the program that builds the job."""

    def build(env: StreamExecutionEnvironment) -> None:
        source = f"async def handle(value, ctx): {name}.execute()"
        process(env, handler=of_the_script(source, **{name: env})["handle"])

    return build


def batch(env: StreamExecutionEnvironment) -> None:
    env.set_runtime_mode(RuntimeExecutionMode.BATCH)
    process(env)


def lines_by_threads(env: StreamExecutionEnvironment) -> None:
    lines = Types.LIST(Types.TUPLE([Types.STRING(), Types.DOUBLE()]))
    env = environment(python_execution__mode="thread")
    orders = numbers(env).uid("numbers").map(lambda n: Row([("book", 12.5)]), Types.ROW([lines]))
    process(env, stream=orders.key_by(lambda order: 1, Types.INT()))


def twice(env: StreamExecutionEnvironment) -> None:
    for _ in range(2):
        process(env, uid="orders")


def twice_without(env: StreamExecutionEnvironment) -> None:
    for _ in range(2):
        process(env)


def python_in_archive(env: StreamExecutionEnvironment) -> None:
    process(environment(python_archives="/data/venv.zip", python_executable="venv.zip/bin/python"))


def state_in_open(env: StreamExecutionEnvironment) -> None:
    context = TaskContext(["a", "b", "c", 0, 1, 128, 0], SimpleNamespace(), SimpleNamespace())
    context.get_state(object())


BY_ID = 'stream.key_by(lambda value: value["id"], key_type=Types.STRING())'
DECLARE = "Emit values of the declared type, or declare another"

MISTAKES: dict[str, tuple[Mistake, str]] = {
    # when the graph is built
    "no key": (lambda env: process(env, stream=numbers(env)), "stream.key_by(lambda value: ...)"),
    "a key of floats": (keyed_by(1.5, Types.DOUBLE()), BY_ID),
    "a key with a float": (keyed_by((1, 1.5), Types.TUPLE([Types.INT(), Types.FLOAT()])), BY_ID),
    "a key of dicts": (keyed_by({}, Types.MAP(Types.STRING(), Types.INT())), BY_ID),
    "a tuple of pickles": (keyed_by((1,), Types.TUPLE([Types.PICKLED_BYTE_ARRAY()])), BY_ID),
    "a class as type": (lambda env: process(env, output_type=str), "such as Types.STRING()"),
    "a type of Java": (lambda env: process(env, output_type=OfJava()), "with a map before"),
    "options as dict": (lambda env: process(env, options={}), "must be a DurableOptions(...)"),
    "a handler of one argument": (
        lambda env: process(env, handler=lambda value: value),
        "(value, ctx)",
    ),
    "a handler that yields": (lambda env: process(env, handler=yields), "ctx.collect"),
    "a client of the script": (
        lambda env: process(env, handler=global_of_the_handler()["handle"]),
        "global client of function handle",
    ),
    "the environment in a handler": (handler_with("env"), "belongs to the program that builds"),
    "batch mode": (batch, "env.set_runtime_mode(RuntimeExecutionMode.STREAMING)"),
    "rows in arrays by threads": (lines_by_threads, "Use python.execution-mode: process"),
    "one uid for two": (twice, "uid"),
    "no uid for two": (twice_without, "Give each durable_process a uid=... of its own"),
    "a Python in an archive": (python_in_archive, "Install the packages in the TaskManagers' own"),
    # when the task opens
    "Flink's state": (state_in_open, "Use ctx.state in process(value, ctx)"),
    # at the first input
    "the key None": (key_is(None), BY_ID),
    "the key NaN": (key_is(float("nan")), BY_ID),
    "a dict as key": (key_is({"id": 1}), BY_ID),
    "a list in a key": (key_is(("a", [1])), BY_ID),
    "a number of NumPy's in a key": (key_is(np.int64(1)), "use key.item()"),
    "an object as key": (key_is(object()), BY_ID),
    # when the handler emits
    "a large INT": (emits(2**40, "INT"), "Declare a larger type"),
    "a dict for a text": (emits({"id": 1}, "STRING"), DECLARE),
    "a list for a row": (emits(["a"], LINE), DECLARE),
    "a row of other names": (emits(Row(sku="a", cost=1.0), LINE), "Its fields are sku, cost"),
    "names without names": (
        emits(Row(id=1), ("ROW", ("f0",), "INT")),
        "name them with Types.ROW_NAMED",
    ),
    "a field too many": (emits(Row("a", 1.0, 2), LINE), "It has 3 fields"),
    "None for a number": (emits(None, "DOUBLE"), DECLARE),
    "a float for a decimal": (emits(0.1, "BIG_DEC"), "Decimal(str(value))"),
    "a time zone": (
        emits(dt.datetime(2024, 1, 1, tzinfo=dt.timezone.utc), "SQL_TIMESTAMP"),
        "value.astimezone(zone).replace(tzinfo=None)",
    ),
    "an item of a row of an array": (
        emits([Row("a", 1.0), Row("b", "x")], ("OBJECT_ARRAY", LINE)),
        "at [1].price: 'x', a str, is no DOUBLE",
    ),
}


@pytest.fixture
def env() -> StreamExecutionEnvironment:
    return environment()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_with_what_to_do(env: StreamExecutionEnvironment, mistake: str) -> None:
    make, remedy = MISTAKES[mistake]
    with pytest.raises((TypeError, ValueError, OverflowError)) as error:
        make(env)
    assert remedy in str(error.value)


def test_a_source_without_uid_is_a_warning(
    env: StreamExecutionEnvironment, caplog: pytest.LogCaptureFixture
) -> None:
    """Not an error: a job that is never upgraded runs well without."""
    caplog.set_level(logging.WARNING, "pyflink_durable")
    process(env, stream=numbers(env).key_by(lambda value: value, Types.INT()))
    assert "Call .uid(...) on what env.from_source gives" in caplog.text
    caplog.clear()
    process(env, stream=keyed(env), name="another")
    assert "uid" not in caplog.text
