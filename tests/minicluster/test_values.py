"""Values on their way through jobs: what handlers see and emit is what stock operators do."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from uuid import UUID

import pytest
from crashkit import JobFailed, Stage, World, durable, environment, run, scripted, write_outputs
from pyflink.common import Row, TypeInformation, Types
from pyflink.datastream import KeyedProcessFunction, OutputTag, ProcessFunction
from pyflink.datastream.state import ValueStateDescriptor
from pyflink.table import StreamTableEnvironment
from type_cases import LEAVES, nested, spell

from pyflink_durable import DEAD_LETTER, DeadLetter, DurableOptions, RunnerContext, durable_process

pytestmark = pytest.mark.minicluster

NESTED = {name: nested(leaf) for name, leaf in LEAVES.items()}
ROWS = max(len(rows) for _, rows in NESTED.values())
ALL = Types.ROW_NAMED(
    ["emitted by", "case", *LEAVES, *(f"{name} in others" for name in LEAVES)],
    [
        Types.STRING(),
        Types.INT(),
        *(leaf.type_info for leaf in LEAVES.values()),
        *(type_info for type_info, _ in NESTED.values()),
    ],
)


def all_types(by: str, case: int) -> Row:
    """A row with a value of each type, and of each type in each other."""
    alone = [leaf.values[case % len(leaf.values)] for leaf in LEAVES.values()]
    inside = [rows[case % len(rows)] for _, rows in NESTED.values()]
    return Row(by, case, *alone, *inside)


def describe(row: Row) -> str:
    """A line for each field."""
    spelled = [(name, spell(row[name])) for name in ALL.get_field_names()[2:]]
    return "\n".join(
        f"case {row[1]}, {name}: {text[:200]!a} {hashlib.sha256(text.encode()).hexdigest()}"
        for name, text in spelled
    )


async def see(row: Row, ctx: RunnerContext) -> str:
    return describe(row)


async def emit(case: int, ctx: RunnerContext) -> Row:
    return all_types("ours", case)


KEY_LEAVES = [n for n in LEAVES if n not in ("FLOAT", "DOUBLE", "BYTES", "PICKLED")]
KEY = Types.ROW(
    [
        *(LEAVES[name].type_info for name in KEY_LEAVES),
        Types.TUPLE([Types.STRING(), Types.LONG()]),
    ]
)
"""All that a key may be made of, but pickles."""


def key_of(row: Row) -> Row:
    return Row(*(row[name] for name in KEY_LEAVES), (row["STRING"], row["LONG"]))


def remembered(key: Any, row: Row) -> str:
    digest = hashlib.sha256(spell(key).encode()).hexdigest()
    return f"key: {digest}\n{describe(row)}"


async def remember(row: Row, ctx: RunnerContext) -> str | None:
    seen = ctx.state.get("row")
    ctx.state["row"] = row
    return None if seen is None else remembered(ctx.key, seen)


class Remember(KeyedProcessFunction):  # type: ignore[misc]
    def open(self, context: Any) -> None:
        descriptor = ValueStateDescriptor("row", Types.PICKLED_BYTE_ARRAY())
        self.row = context.get_state(descriptor)

    def process_element(self, row: Row, ctx: Any) -> Any:
        seen = self.row.value()
        self.row.update(row)
        if seen is not None:
            yield remembered(ctx.get_current_key(), seen)


class ByEmitter(ProcessFunction):  # type: ignore[misc]
    def process_element(self, row: Row, ctx: Any) -> Any:
        yield OutputTag(row[0], Types.STRING()), describe(row)


def test_all_types_in_each_other_beside_a_stock_operator(world: World) -> None:
    """In process mode. A handler sees, and emits, what a stock operator does."""
    env = environment(world, python__execution_mode="process")
    cases = env.from_collection(list(range(ROWS)), Types.INT())
    stock = cases.map(lambda case: all_types("stock", case), ALL)
    ours = durable_process(
        cases.key_by(lambda case: case, Types.INT()), emit, output_type=ALL, name="emit", uid="emit"
    )
    seen = durable(stock, see, key=lambda row: row[1], key_type=Types.INT(), name="see")
    write_outputs(seen, world, "seen")
    twice = stock.union(stock).key_by(key_of, KEY)
    write_outputs(twice.process(Remember(), Types.STRING()), world, "remembered by stock")
    write_outputs(
        durable_process(twice, remember, output_type=Types.STRING(), name="key", uid="key"),
        world,
        "remembered",
    )
    # not in one operator with the handler, where its rows would stay in Python
    emitted = stock.union(ours).rebalance().process(ByEmitter())
    for by in ("stock", "ours"):
        write_outputs(emitted.get_side_output(OutputTag(by, Types.STRING())), world, by)

    run(env, seconds=180)

    expected = sorted(world.outputs("stock"))
    assert len(expected) == ROWS * 2 * len(LEAVES)
    assert sorted(world.outputs("seen")) == expected
    assert sorted(world.outputs("ours")) == expected
    of_keys = sorted(world.outputs("remembered by stock"))
    assert len(of_keys) == ROWS * (1 + 2 * len(LEAVES))
    assert sorted(world.outputs("remembered")) == of_keys


async def list_lines(order: Row, ctx: RunnerContext) -> Row:
    lines = [line.set_field_names(["sku", "price"]) or line for line in reversed(order.lines)]
    return Row(id=order.id, lines=lines, tags=order.tags, total=order.total, at=order.at)


def test_rows_in_arrays_of_tables_at_both_ends(world: World) -> None:
    """What Flink calls an external type; it reads and writes JSON."""
    lines = [{"sku": "book", "price": 12.5}, {"sku": "lamp", "price": 30.0}]
    order = {"id": 7, "lines": lines, "tags": {"a": [1, 2], "b": []}, "total": 42.5}
    order["at"] = "2024-02-29 12:00:00.001"
    source = world.folder_of("orders")
    source.mkdir()
    (source / "orders.json").write_text(json.dumps(order))
    columns = (
        "id INT, lines ARRAY<ROW<sku STRING, price DOUBLE>>, tags MAP<STRING, ARRAY<INT>>, "
        "total DOUBLE, `at` TIMESTAMP(3)"
    )

    env = environment(world, python__execution_mode="process")
    tables = StreamTableEnvironment.create(env)
    for name in ("orders", "seen"):
        tables.execute_sql(
            f"CREATE TABLE {name} ({columns}) WITH ('connector' = 'filesystem', "
            f"'format' = 'json', 'path' = '{world.folder_of(name).as_uri()}')"
        )
    orders = tables.to_data_stream(tables.from_path("orders"))
    results = durable_process(
        orders.key_by(lambda order: order["id"], Types.INT()),
        list_lines,
        output_type=orders.get_type(),
        name="list",
        uid="list",
    )
    tables.from_data_stream(results).execute_insert("seen").wait(180_000)

    (file,) = world.folder_of("seen").glob("part-*")
    assert json.loads(file.read_text()) == order | {"lines": lines[::-1]}


LINE = Types.ROW_NAMED(["sku", "price"], [Types.STRING(), Types.DOUBLE()])
LINES = Types.OBJECT_ARRAY(LINE)


async def order(name: str, ctx: RunnerContext) -> list[Row]:
    return [Row(price=12.5, sku="book"), Row("lamp", 30), Row(sku=name, price=None)]


ITEMS = OutputTag("items", LINE)


class Itemize(ProcessFunction):  # type: ignore[misc]
    """A Python function behind a handler, with a side output."""

    def process_element(self, told: str, ctx: Any) -> Any:
        for item in told.split(", "):
            sku, price = item.split()
            yield ITEMS, Row(price=None if price == "None" else float(price), sku=sku)
        yield told


def test_a_book_and_a_lamp_are_not_two_lamps(world: World) -> None:
    """From a handler to the next one, in thread mode."""

    async def tell(lines: list[Row], ctx: RunnerContext) -> str:
        return ", ".join(f"{line.sku} {line.price}" for line in lines)

    env = environment(world)
    orders = durable(scripted(env, world, [Stage(["pen"])]), order, output_type=LINES, name="order")
    told = durable(orders, tell, key=lambda lines: lines[2].sku, name="tell")
    aside = told.process(Itemize(), Types.STRING())  # in one operator with the handler
    write_outputs(aside, world)
    write_outputs(aside.get_side_output(ITEMS).map(spell, Types.STRING()), world, "items")

    run(env)

    assert world.outputs() == ["book 12.5, lamp 30.0, pen None"]
    items = [Row(sku="book", price=12.5), Row(sku="lamp", price=30.0), Row(sku="pen", price=None)]
    assert world.outputs("items") == list(map(spell, items))


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "def"])
def test_an_output_that_does_not_fit_is_a_dead_letter(world: World, is_async: bool) -> None:
    async def charge(name: str, ctx: RunnerContext) -> int:
        return 2**40 if name == "a2" else 5

    def charge_on_thread(name: str, ctx: RunnerContext) -> int:
        ctx.collect(2**40 if name == "a2" else 5)
        return 6

    env = environment(world)
    results = durable(
        scripted(env, world, [Stage(["a1", "a2", "a3"])]),
        charge if is_async else charge_on_thread,
        key=lambda name: name[0],
        output_type=Types.INT(),
        options=DurableOptions(on_error="dead-letter"),
    )
    write_outputs(results.map(str, Types.STRING()), world)
    letters = results.get_side_output(DEAD_LETTER).map(describe_letter, Types.STRING())
    write_outputs(letters, world, "letters")

    run(env)

    assert world.outputs() == (["5"] * 2 if is_async else ["5", "6"] * 2)
    [letter] = world.outputs("letters")
    assert letter.startswith("a2 OverflowError operator 'durable' key='a' invocation=1: a value")
    assert "1099511627776, a int, is no INT" in letter


def describe_letter(letter: DeadLetter) -> str:
    return f"{letter.value} {letter.error_type} {letter.message}"


@pytest.mark.parametrize(
    ("key", "told"),
    [
        (None, "an input whose key is None"),
        ({"id": 1}, "the key {'id': 1}: a dict can be changed"),
    ],
    ids=str,
)
def test_a_key_that_tells_no_inputs_apart(world: World, key: Any, told: str) -> None:
    env = environment(world)
    inputs = scripted(env, world, [Stage(["good", "bad"])])
    key_type = Types.STRING() if key is None else Types.PICKLED_BYTE_ARRAY()
    keys = {"good": "a", "bad": key}
    write_outputs(durable(inputs, echo, key=keys.__getitem__, key_type=key_type), world)

    with pytest.raises(JobFailed) as failure:
        run(env)

    assert told in str(failure.value)
    assert "'durable'" in str(failure.value) or "Operator durable" in str(failure.value)


@pytest.mark.parametrize(
    ("key_type", "of_parts"),
    [
        (Types.PICKLED_BYTE_ARRAY(), lambda *parts: parts),
        (Types.ROW([Types.PICKLED_BYTE_ARRAY(), Types.STRING()]), Row),
    ],
    ids=["pickled", "row"],
)
def test_a_key_of_pickled_parts(world: World, key_type: TypeInformation, of_parts: Any) -> None:
    """Java looks at plain ones by itself, and asks Python about the others."""
    env = environment(world)
    results = durable(
        scripted(env, world, [Stage(["a", "b", "a"])]),
        count_of_key,
        key=lambda name: of_parts(UUID(int=ord(name)), name),
        key_type=key_type,
    )
    write_outputs(results, world)

    run(env)

    a, b = (str(UUID(int=ord(name))) for name in "ab")
    assert sorted(world.outputs()) == [f"{a} a 1", f"{a} a 2", f"{b} b 1"]


async def echo(name: str, ctx: RunnerContext) -> str:
    return name


async def count_of_key(name: str, ctx: RunnerContext) -> str:
    seen = ctx.state["seen"] = ctx.state.get("seen", 0) + 1
    return f"{ctx.key[0]} {ctx.key[1]} {seen}"
