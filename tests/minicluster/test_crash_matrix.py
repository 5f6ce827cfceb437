"""The crash matrix: what becomes of one outside call when the job fails, as a specification.

A row says where the call is when the job fails. "Then a checkpoint" means that one completes while
the call is there; otherwise the last checkpoint before the failure is older than the input, or, for
a call at the gate, it is the one that let the call start.

A column says the level, and what the job may do with a call in doubt:

- ask: it has a reconciler, which knows the truth (and returns NOT_EXECUTED if it has not happened);
- again: it has none, and may run again (`in_doubt="execute"`, the default);
- raise: it has none, and must not run again (`in_doubt="raise"`).

A cell says how often the call has happened outside when all is over. "asked": the reconciler was
asked, once. "unknown": the handler was told so by `OutcomeUnknown`. A dash: no call can be there.
Every cell's output appears once, always.

A cell holds for every form of a call: on the thread pool, as a coroutine function, in a `def`
handler, and sync in an `async def` handler. The last one never waits: where the call has to, it is
refused. It holds the task while it runs, so no checkpoint comes meanwhile. Nor does it wait for
the log to take its outcome, see SYNC_AT_WRITE_AHEAD.
"""

from __future__ import annotations

from typing import Any

import pytest
from crash_matrix import play
from crashkit import Stage, Style, World, act, durable, environment, run, scripted, write_outputs
from crashkit.sealed import sealed
from matrix_cells import COLUMNS, Cell, Row

from pyflink_durable import (
    DurableExecutionError,
    DurableOptions,
    FileCallLog,
    Offload,
    RunnerContext,
)

pytestmark = pytest.mark.minicluster

MATRIX = """
                                | checkpoint                 | gated                      | write-ahead
crash                           | ask     | again| raise     | ask     | again| raise     | ask     | again| raise
--------------------------------+----------------------------+----------------------------+---------------------------
before PENDING                  | 1       | 1    | 1         | 1       | 1    | 1         | 1       | 1    | 1
PENDING                         | 1       | 1    | 1         | 1       | 1    | 1         | 1 asked | 1    | 0 unknown
in the gate                     | -       | -    | -         | 1 asked | -    | 0 unknown | -       | -    | -
call started                    | 1       | 1    | 1         | 1 asked | 1    | 0 unknown | 1 asked | 1    | 0 unknown
call started, then a checkpoint | 1 asked | 1    | 0 unknown | 1 asked | 1    | 0 unknown | 1 asked | 1    | 0 unknown
call finished                   | 2       | 2    | 2         | 1 asked | 2    | 1 unknown | 1 asked | 2    | 1 unknown
call finished, then a checkpoint| 1 asked | 2    | 1 unknown | 1 asked | 2    | 1 unknown | 1 asked | 2    | 1 unknown
finalized                       | 2       | 2    | 2         | 1 asked | 2    | 1 unknown | 1       | 1    | 1
finalized, then a checkpoint    | 1       | 1    | 1         | 1       | 1    | 1         | 1       | 1    | 1
handler ended                   | 2       | 2    | 2         | 1 asked | 2    | 1 unknown | 1       | 1    | 1
output emitted                  | 2       | 2    | 2         | 1 asked | 2    | 1 unknown | 1       | 1    | 1
checkpoint completed            | 1       | 1    | 1         | 1       | 1    | 1         | 1       | 1    | 1
"""  # noqa: E501

SYNC_AT_WRITE_AHEAD = {"handler ended": "2", "output emitted": "2"}
"""The call and its handler ended in one step of the operator, which left nothing to log."""

SEALED = ("call finished", "finalized, then a checkpoint")
"""Rows that are played with JSON, encryption and a store, too: one asks, and one replays."""


def rows() -> list[tuple[str, list[str]]]:
    lines = MATRIX.strip("\n").splitlines()[3:]
    fields = [[field.strip() for field in line.split("|")] for line in lines]
    return [(row, cells) for row, *cells in fields]


@pytest.mark.parametrize(("text", "cells"), rows(), ids=[row for row, _ in rows()])
def test_what_becomes_of_a_call(world: World, text: str, cells: list[str]) -> None:
    assert_becomes(world, text, cells, {})


@pytest.mark.parametrize(("text", "cells"), [row for row in rows() if row[0] in SEALED])
def test_the_same_in_json_encrypted_and_in_a_store(
    world: World, text: str, cells: list[str]
) -> None:
    store = world.folder_of("store")
    offload = Offload(store.as_uri())
    offload.threshold = 0  # all that can be there is
    assert_becomes(world, text, cells, sealed(allow_pickle=False, offload=offload))
    objects = [path for path in store.rglob("*") if len(path.name) == 64]
    assert len(objects) > len(cells)  # and one of the look before a call


def assert_becomes(world: World, text: str, cells: list[str], payloads: dict[str, Any]) -> None:
    row = Row.parse(text)
    expected = {
        Cell(*column, style): cell
        for column, cell in zip(COLUMNS, cells, strict=True)
        for style in Style
        if row.has(Cell(*column, style))
    }

    if text in SYNC_AT_WRITE_AHEAD:
        expected[Cell("write-ahead", "again", Style.SYNC)] = SYNC_AT_WRITE_AHEAD[text]

    became = play(world, row, payloads)

    differ = {
        str(cell): (became[cell], expected[cell])
        for cell in expected
        if became[cell] != expected[cell]
    }
    assert not differ, "cell: (what became of it, what the matrix says)"
    assert "-" not in expected.values()


@pytest.mark.parametrize("level", ["gated", "write-ahead"])
def test_a_sync_call_that_would_have_to_wait_is_refused(world: World, level: str) -> None:
    """The cells that the matrix leaves out."""

    async def handle(name: str, ctx: RunnerContext) -> str:
        options = {"reconciler": str} if name == "ask" else {"in_doubt": "raise"}
        try:
            return ctx.durable_execute(act, world, name, **options)
        except DurableExecutionError as error:
            return f"{name}: {error}"

    log = FileCallLog(directory=world.folder_of("log")) if level == "write-ahead" else None
    options = DurableOptions(durability=level, call_log=log)
    env = environment(world)
    write_outputs(
        durable(scripted(env, world, [Stage(["ask", "raise"])]), handle, options=options), world
    )

    run(env)

    assert len(world.outputs()) == 2
    for output in world.outputs():
        assert "crashkit.calls.act waits" in output
        assert "`await ctx.durable_execute_async(...)`" in output
    assert world.count("run") == 0
