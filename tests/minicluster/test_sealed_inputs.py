"""Inputs in flight stand in checkpoints as payloads, and come back from them."""

from __future__ import annotations

from typing import Any

import pytest
from crashkit import (
    Stage,
    World,
    cancel,
    check,
    durable,
    environment,
    run,
    scripted,
    start,
    stop_with_savepoint,
    write_outputs,
)
from crashkit.calls import act_async, stuck_at_first_async
from crashkit.sealed import sealed
from pyflink.common import Types

from pyflink_durable import DurableOptions, JsonSerializer, RunnerContext
from pyflink_durable.snapshot import read_snapshot

pytestmark = pytest.mark.minicluster

SECRET = "ann@example.org"
CRASH = "crash"
NAMES = ["a/1", "a/2", "b/1"]
"""The second input of a key waits behind the first."""


def texts() -> list[Any]:
    return [f"{name}/{SECRET}" for name in NAMES]


def dicts() -> list[Any]:
    return [{"name": name, "mail": SECRET} for name in NAMES]


def parts_of(value: Any) -> tuple[str, str]:
    """The name and the secret of an input, in either form."""
    if isinstance(value, dict):
        return value["name"], value["mail"]
    name, _, secret = value.rpartition("/")
    return name, secret


def name_of(value: Any) -> str:
    return CRASH if value == CRASH else parts_of(value)[0].split("/")[0]


def handler_of(world: World) -> Any:
    async def handle(value: Any, ctx: RunnerContext) -> str | None:
        if value == CRASH:
            await world.crash_when_async(lambda world: is_in_a_checkpoint(world))
            return None
        name, secret = parts_of(value)
        function = act_async if name == "a/2" else stuck_at_first_async
        await ctx.durable_execute_async(function, world, name)
        return f"{name} of {secret}"

    return handle


def is_in_a_checkpoint(world: World) -> bool:
    """Whether all that can start by now has, and is in a checkpoint, in which it is looked for."""
    if not world.has_all("run", ["a/1", "b/1"]):
        return False
    if not world.is_covered(max(one["checkpoint"] for one in world.events("run"))):
        return False
    try:
        [folder] = world.checkpoints.glob(f"*/chk-{world.newest_checkpoint()}")
        held = b"".join(file.read_bytes() for file in folder.iterdir())
    except (FileNotFoundError, ValueError):  # a newer one has taken its place
        return False
    world.note("held", held.hex())
    return True


FORMS = {
    "typed": (texts, Types.STRING(), b"flink|zstd|aes-gcm"),
    "pickled": (dicts, Types.PICKLED_BYTE_ARRAY(), b"json|zstd|aes-gcm"),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_failover_opens_what_a_checkpoint_holds_encrypted(world: World, form: str) -> None:
    make, type_info, mark = FORMS[form]
    env = environment(world, restarts=1, state__backend__type="hashmap")  # compresses nothing
    inputs = scripted(env, world, [Stage([*make(), CRASH])], type_info=type_info)
    options = DurableOptions(**sealed())
    write_outputs(durable(inputs, handler_of(world), key=name_of, options=options), world)

    run(env)

    assert sorted(world.outputs()) == [f"{name} of {SECRET}" for name in NAMES]
    held = bytes.fromhex(world.events("held")[0]["subject"])
    assert held.count(mark) >= len(NAMES)
    assert SECRET.encode() not in held


def start_job(world: World, options: DurableOptions, savepoint: str | None = None) -> Any:
    settings = {} if savepoint is None else {"execution__savepoint__path": savepoint}
    env = environment(world, **settings)
    inputs = scripted(
        env, world, [Stage(dicts())], type_info=Types.PICKLED_BYTE_ARRAY(), bounded=False
    )
    write_outputs(durable(inputs, handler_of(world), key=name_of, options=options), world)
    return start(env)


def test_they_can_be_read_and_other_settings_go_on(world: World) -> None:
    job = start_job(world, DurableOptions(serializer=JsonSerializer()))
    world.wait(lambda world: world.has_all("run", ["a/1", "b/1"]), "the calls")
    savepoint = stop_with_savepoint(job, world)

    with read_snapshot(savepoint, payloads=True) as snapshot:
        found = [one.input for one in snapshot.invocations()]
    values = [payload.value for payload in found if payload is not None]
    assert sorted(values, key=parts_of) == dicts()

    job = start_job(world, DurableOptions(**sealed()), savepoint)
    world.wait(lambda world: check(job) or len(world.outputs()) == len(NAMES), "all outputs")
    cancel(job)
    assert sorted(world.outputs()) == [f"{name} of {SECRET}" for name in NAMES]
