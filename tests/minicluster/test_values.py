"""Values on their way through jobs: what handlers see and emit is what stock operators do."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

import pytest
from crashkit import JobFailed, Stage, World, durable, environment, run, scripted, write_outputs
from pyflink.common import Row, TypeInformation, Types
from pyflink.datastream import OutputTag, ProcessFunction
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
    # not in one operator with the handler, where its rows would stay in Python
    emitted = stock.union(ours).rebalance().process(ByEmitter())
    for by in ("stock", "ours"):
        write_outputs(emitted.get_side_output(OutputTag(by, Types.STRING())), world, by)

    run(env)

    expected = sorted(world.outputs("stock"))
    assert len(expected) == ROWS * 2 * len(LEAVES)
    assert sorted(world.outputs("seen")) == expected
    assert sorted(world.outputs("ours")) == expected


LINES = Types.OBJECT_ARRAY(Types.ROW_NAMED(["sku", "price"], [Types.STRING(), Types.DOUBLE()]))


async def order(name: str, ctx: RunnerContext) -> list[Row]:
    return [Row(price=12.5, sku="book"), Row("lamp", 30), Row(sku=name, price=None)]


def test_a_book_and_a_lamp_are_not_two_lamps(world: World) -> None:
    """From a handler to the next one, in thread mode."""

    async def tell(lines: list[Row], ctx: RunnerContext) -> str:
        return ", ".join(f"{line.sku} {line.price}" for line in lines)

    env = environment(world)
    orders = durable(scripted(env, world, [Stage(["pen"])]), order, output_type=LINES, name="order")
    told = durable(orders, tell, key=lambda lines: lines[2].sku, name="tell")
    write_outputs(told, world)

    run(env)

    assert world.outputs() == ["book 12.5, lamp 30.0, pen None"]


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
