"""Bad use that `durable_process` refuses when the graph is built, and what it adds to the graph."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from graphs import OfJava, environment, handler, keyed, numbers, process
from pyflink.common import Configuration, Types
from pyflink.datastream import DataStream, RuntimeExecutionMode, StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway

from pyflink_durable import ConfigurationError, DurableOptions, durable_process
from pyflink_durable.client import jars as jar
from pyflink_durable.runtime.operator import function
from pyflink_durable.tools import ToolCallOptions


@pytest.fixture
def env() -> StreamExecutionEnvironment:
    return environment()


def transformations(env: StreamExecutionEnvironment) -> int:
    count: int = env._j_stream_execution_environment.getTransformations().size()
    return count


def test_a_good_job_gets_one_operator_with_name_and_uid(env: StreamExecutionEnvironment) -> None:
    results = process(env, name="orders", uid="orders-1", options=DurableOptions(max_pending=5))
    assert type(results) is DataStream
    assert results.get_name() == "orders"
    transformation = results._j_data_stream.getTransformation()
    assert transformation.getUid() == "orders-1"
    strategy = transformation.getOperatorFactory().getChainingStrategy().name()
    assert strategy == "HEAD"
    results.print()
    assert "orders" in env.get_execution_plan()


def test_whichever_thread_of_the_gateway_answers(env: StreamExecutionEnvironment) -> None:
    """Each has a class loader of its own, and the jar was added to that of one."""
    process(env)
    semaphore = get_gateway().jvm.java.util.concurrent.Semaphore(0)
    waiting = threading.Thread(target=semaphore.acquire)
    waiting.start()
    while not semaphore.hasQueuedThreads():
        assert waiting.is_alive()
    try:
        process(env, name="second")
    finally:
        semaphore.release()
        waiting.join()


def test_tool_calls_are_made_as_the_configuration_says(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[DurableOptions] = []
    build = function.DurableFunction.__init__

    def note(self: Any, handler: Any, options: DurableOptions, *others: Any) -> None:
        made.append(options)
        build(self, handler, options, *others)

    monkeypatch.setattr(function.DurableFunction, "__init__", note)
    env = environment(tool__call_parallelism="4", tool__call_timeout="30 s")
    process(env, name="configured")
    process(env, name="told", options=DurableOptions(tool_calls=ToolCallOptions(timeout=5)))
    assert [options.tool_calls for options in made] == [
        ToolCallOptions(parallelism=4, timeout=30),
        ToolCallOptions(parallelism=4, timeout=5),
    ]
    with pytest.raises(ConfigurationError, match=r"tool-call\.threads is no option"):
        process(environment(tool__call_threads="4"))


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, (True, 0, 0)),
        ({"key_ttl": 86_400.5, "state_ttl": 0.0001}, (True, 86_400_500, 1)),
        ({"invocation_id": str, "state_ttl": 60}, (False, 0, 60_000)),
    ],
    ids=str,
)
def test_the_operator_is_told_what_is_kept(
    env: StreamExecutionEnvironment, options: dict[str, Any], kept: tuple[bool, int, int]
) -> None:
    results = process(env, options=DurableOptions(**options))
    operator = results._j_data_stream.getTransformation().getOperatorFactory().getOperator()
    retention = field_of(field_of(operator, "settings"), "retention")
    names = ("numbersInputs", "keyTtl", "stateTtl")
    assert tuple(field_of(retention, name) for name in names) == kept


def field_of(j_object: Any, name: str) -> Any:
    field = j_object.getClass().getDeclaredField(name)
    field.setAccessible(True)
    return field.get(j_object)


def test_the_jar_is_shipped_once(env: StreamExecutionEnvironment) -> None:
    for uid in ("first", "second"):
        process(env, uid=uid)
    jars = env._j_stream_execution_environment.getConfiguration().toMap().get("pipeline.jars")
    assert jars.count(jar.bridge_jar().name) == 1


def plain(env: StreamExecutionEnvironment) -> DataStream:
    return env.from_collection([1], Types.INT())


@pytest.mark.parametrize(
    ("stream", "kind"), [(plain, "DataStream"), (lambda env: [1, 2], "list")], ids=str
)
def test_a_stream_that_is_not_keyed(
    env: StreamExecutionEnvironment, stream: Callable[..., Any], kind: str
) -> None:
    with pytest.raises(ConfigurationError, match=rf"stream\.key_by\(.*\), not {kind}$"):
        process(env, stream=stream(env))


@pytest.mark.parametrize("output_type", [None, int, "INT", Types.INT])
def test_a_wrong_output_type(env: StreamExecutionEnvironment, output_type: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"such as Types\.STRING\(\)"):
        process(env, output_type=output_type)


def test_a_missing_output_type(env: StreamExecutionEnvironment) -> None:
    with pytest.raises(TypeError, match="output_type"):
        durable_process(keyed(env), handler)  # type: ignore[call-arg]


@pytest.mark.parametrize("options", [{"max_pending": 5}, 5, DurableOptions])
def test_options_of_another_type(env: StreamExecutionEnvironment, options: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"must be a DurableOptions\(\.\.\.\), not"):
        process(env, options=options)


def test_a_bad_handler(env: StreamExecutionEnvironment) -> None:
    with pytest.raises(ConfigurationError, match="exactly two arguments"):
        process(env, handler=lambda value: None)


@pytest.mark.parametrize("mode", [RuntimeExecutionMode.BATCH, RuntimeExecutionMode.AUTOMATIC])
def test_a_mode_other_than_streaming(
    env: StreamExecutionEnvironment, mode: RuntimeExecutionMode
) -> None:
    env.set_runtime_mode(mode)
    with pytest.raises(ConfigurationError, match=rf"is {mode.name}: .*STREAMING"):
        process(env)
    env.set_runtime_mode(RuntimeExecutionMode.STREAMING)
    process(env)


@pytest.mark.parametrize("argument", ["name", "uid"])
@pytest.mark.parametrize("given", ["orders\n2026-01-01 ERROR", "or\x1bders", "", 7], ids=repr)
def test_a_name_that_is_no_line(env: StreamExecutionEnvironment, argument: str, given: Any) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{argument} must be a str of printable"):
        process(env, **{argument: given})


def test_the_same_uid_twice(env: StreamExecutionEnvironment) -> None:
    process(env, uid="orders")
    with pytest.raises(ConfigurationError, match=r"uid 'orders' is already the uid of another"):
        process(env, uid="orders")
    process(env, uid="others")
    process(environment(), uid="orders")  # another job


def test_the_uid_of_an_operator_that_is_not_ours(env: StreamExecutionEnvironment) -> None:
    stream = plain(env).map(lambda value: value, Types.INT()).uid("taken")
    stream.print()
    with pytest.raises(ConfigurationError, match="uid 'taken'"):
        process(env, stream=stream.key_by(lambda value: value, Types.INT()), uid="taken")


@pytest.mark.parametrize(
    "second", [{}, {"name": "durable"}, {"uid": "durable"}], ids=["neither", "name", "uid"]
)
def test_two_operators_that_would_make_the_same_idempotency_keys(
    env: StreamExecutionEnvironment, second: dict[str, str]
) -> None:
    process(env)
    with pytest.raises(ConfigurationError, match=r"goes by 'durable', too: .* a uid=\.\.\. of its"):
        process(env, **second)
    process(env, name="others")
    process(env, uid="more")
    process(environment())  # another job


def test_a_name_that_another_operator_has_is_no_clash(env: StreamExecutionEnvironment) -> None:
    process(env, name="durable", uid="orders")
    stream = plain(env).map(lambda value: value, Types.INT()).name("durable")
    process(env, stream=stream.key_by(lambda value: value, Types.INT()))


def test_a_refused_operator_leaves_the_graph_as_it_was(env: StreamExecutionEnvironment) -> None:
    stream = keyed(env)
    process(env, stream=stream, uid="orders")
    before = transformations(env)
    for bad in ({"uid": "orders"}, {"handler": 7}, {"output_type": int}, {"options": 5}):
        with pytest.raises(ConfigurationError):
            process(env, **{"stream": stream, **bad})
    assert transformations(env) == before


def test_a_source_without_uid_is_named_once(
    env: StreamExecutionEnvironment, caplog: pytest.LogCaptureFixture
) -> None:
    nameless = numbers(env).name("orders file").union(numbers(env).uid("others"))
    stream = nameless.key_by(lambda value: value, Types.INT())
    for name in ("first", "second"):
        process(env, stream=stream, name=name, uid=name)
    [message] = [record.getMessage() for record in caplog.records]
    assert "sources=['orders file'] have no uid" in message
    assert "Call .uid(...) on what env.from_source gives, and on what sink_to gives" in message


def test_checkpointing_off_warns(caplog: pytest.LogCaptureFixture) -> None:
    env = StreamExecutionEnvironment.get_execution_environment(Configuration())
    with caplog.at_level(logging.WARNING, "pyflink_durable"):
        process(env, name="orders")
    [message] = [record.getMessage() for record in caplog.records]
    assert "operator=orders checkpointing is off" in message
    assert "env.enable_checkpointing(" in message


def test_checkpointing_on_warns_of_nothing(
    env: StreamExecutionEnvironment, caplog: pytest.LogCaptureFixture
) -> None:
    process(env)
    assert caplog.records == []


def test_a_package_without_its_jar(
    env: StreamExecutionEnvironment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(jar, "__file__", str(tmp_path / "client" / "jars.py"))
    with pytest.raises(ConfigurationError, match=r"no jar in .*make jar"):
        process(env)


@pytest.mark.parametrize(
    ("key_type", "told"),
    [
        (Types.DOUBLE(), "a Double: a float is seldom"),
        (Types.FLOAT(), "a Float: a float is seldom"),
        (Types.TUPLE([Types.STRING(), Types.DOUBLE()]), "a Double: a float is seldom"),
        (Types.ROW([Types.ROW([Types.FLOAT()])]), "a Float: a float is seldom"),
        (Types.MAP(Types.STRING(), Types.INT()), "it can be changed"),
        (Types.LIST(Types.INT()), "it can be changed"),
        (Types.ROW([Types.LIST(Types.DOUBLE())]), "it can be changed"),
        (Types.TUPLE([Types.PICKLED_BYTE_ARRAY()]), "equal pickles in tuples"),
    ],
    ids=str,
)
def test_keys_that_cannot_tell_elements_apart(
    env: StreamExecutionEnvironment, key_type: Any, told: str
) -> None:
    inputs = env.from_collection([1, 2], Types.INT())
    with pytest.raises(ConfigurationError) as error:
        process(env, stream=inputs.key_by(lambda value: value, key_type))
    assert told in str(error.value)
    assert "key_type=Types.STRING()" in str(error.value)


@pytest.mark.parametrize(
    "key_type", [Types.TUPLE([Types.STRING(), Types.LONG()]), Types.PICKLED_BYTE_ARRAY()], ids=str
)
def test_keys_that_can(env: StreamExecutionEnvironment, key_type: Any) -> None:
    inputs = env.from_collection([1, 2], Types.INT())
    process(env, stream=inputs.key_by(lambda value: value, key_type))


@pytest.mark.parametrize("output_type", [OfJava(), Types.LIST(OfJava())], ids=["top", "in a list"])
def test_an_output_type_of_java_alone(env: StreamExecutionEnvironment, output_type: Any) -> None:
    with pytest.raises(ConfigurationError) as error:
        process(env, output_type=output_type)
    assert "output_type: Values of type GenericType<java.lang.StringBuilder>" in str(error.value)
    assert "Types.ROW_NAMED(...), with a map before" in str(error.value)


def rows_behind_a_handler(between: Callable[[DataStream], DataStream], **settings: str) -> None:
    env = environment(python_execution__mode="thread", **settings)
    lines = Types.LIST(Types.ROW([Types.STRING()]))
    orders = process(env, output_type=lines, uid="orders").map(lambda lines: lines, lines)
    keyed_orders = between(orders).key_by(lambda lines: 1, Types.INT())
    process(env, stream=keyed_orders, name="next", uid="next")


def test_rows_in_arrays_behind_a_handler() -> None:
    """They stay in Python, or cross by our own converters: thread mode does them no harm."""
    rows_behind_a_handler(lambda orders: orders)


@pytest.mark.parametrize(
    ("between", "settings"),
    [
        (lambda orders: orders, {"python_operator__chaining_enabled": "false"}),
        (lambda orders: orders.disable_chaining(), {}),
        (lambda orders: orders.start_new_chain(), {}),
        (lambda orders: orders.set_parallelism(3), {}),
        (lambda orders: orders.rebalance(), {}),
    ],
    ids=["no chaining", "not chained", "a new chain", "another parallelism", "rebalanced"],
)
def test_rows_in_arrays_behind_another_operator(between: Any, settings: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=r"Use python\.execution-mode: process"):
        rows_behind_a_handler(between, **settings)
