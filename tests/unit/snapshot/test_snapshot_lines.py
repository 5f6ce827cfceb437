"""The lines of the reader's JVM become invocations and slots."""

from __future__ import annotations

import pickle
from base64 import b64encode
from datetime import datetime, timezone
from typing import Any

import pytest

from pyflink_durable.snapshot import Invocation, OperatorInfo, Slot, UnclaimedSlot
from pyflink_durable.snapshot.lines import content_of, operators_of
from pyflink_durable.snapshot.operator_id import operator_id

OPERATOR = OperatorInfo("0a", "orders", None, 1, 128, 9)
NONE = [-1, None]


def text(value: Any) -> str:
    return b64encode(pickle.dumps(value)).decode()


def slot(number: int, name: str, status: str, kind: str = "CALL", **other: Any) -> list[Any]:
    fields = {"attempt": 1, "completion": -1, "due": -1, "ended": -1, "began": -1} | other
    return [number, name, "00", status, *list(fields.values())[:5], False, *NONE, *NONE, kind]


def read(**line: Any) -> list[Any]:
    head = {"line": "key", "key": text("ann"), "group": 3, "state": {}, "parked": False}
    return list(content_of(head | line, OPERATOR))


def slots_of(*slots: list[Any]) -> tuple[Slot, ...]:
    (invocation,) = read(inputs=[[0, None, None, 5, None]], slots=list(slots))
    assert isinstance(invocation, Invocation)
    return invocation.slots


def test_the_journal_is_that_of_the_first_input_of_a_key() -> None:
    first = slot(0, "charge", "SUCCEEDED", completion=0, ended=9, began=1_000_000)
    running, waiting = read(
        inputs=[[4, 17, "2", 5, None], [5, None, None, -1, None]], slots=[first]
    )

    assert (running.key, running.id, running.timestamp, running.place) == ("ann", 4, 17, 0)
    assert (running.condition, waiting.condition) == ("running", "in line")
    assert (len(running.slots), len(waiting.slots)) == (1, 0)
    assert (running.began, waiting.began) == (1_000_000, None)
    assert waiting.input is None
    assert (running.version, waiting.version) == ("2", None)


def test_it_is_told_whether_a_key_is_parked_and_since_when_it_waits() -> None:
    first = slot(0, "charge", "SUCCEEDED", completion=0, ended=9_000_000, began=1_000_000)
    inputs = [[4, None, None, 5, None], [5, None, None, 5, None]]
    waiting, behind = read(inputs=inputs, slots=[first], parked=True)

    assert (waiting.parked, behind.parked) == (True, True)
    assert waiting.waits_since == datetime.fromtimestamp(9, tz=timezone.utc)
    assert behind.waits_since is None
    running, _ = read(inputs=inputs, slots=[slot(0, "f", "PENDING", began=1_000_000)])
    assert running.parked is False
    assert running.waits_since == datetime.fromtimestamp(1, tz=timezone.utc)


@pytest.mark.parametrize(
    ("fields", "condition", "of_the_invocation"),
    [
        (slot(0, "f", "PENDING"), "in doubt", "in doubt"),
        (slot(0, "f", "PENDING", attempt=2), "in doubt", "in doubt"),
        (slot(0, "f", "PENDING", attempt=2, due=99), "retry", "retrying"),
        (slot(0, "f", "PENDING", due=0), "in line", "running"),
        (slot(0, "", "PENDING", "TIMER", due=99), "waiting", "waiting"),
        (slot(0, "", "PENDING", "BATCH_TIMER", due=99), "waiting", "waiting"),
        (slot(0, "yes", "PENDING", "SIGNAL"), "waiting", "waiting"),
        (slot(0, "yes", "PENDING", "SIGNAL", due=99), "waiting", "waiting"),
        (slot(0, "", "SUCCEEDED", "MOMENT", completion=0), "ended", "running"),
    ],
)
def test_how_a_slot_stands(fields: list[Any], condition: str, of_the_invocation: str) -> None:
    (invocation,) = read(inputs=[[0, None, None, 5, None]], slots=[fields])

    assert invocation.slots[0].condition == condition
    assert invocation.condition == of_the_invocation


def test_a_call_in_doubt_is_more_serious_than_a_retry() -> None:
    retry, doubt = slot(0, "f", "PENDING", attempt=2, due=9), slot(1, "g", "PENDING")
    (invocation,) = read(inputs=[[0, None, None, 5, None]], slots=[retry, doubt])

    assert invocation.condition == "in doubt"


def test_numbers_that_only_order_inputs_are_no_ids() -> None:
    (invocation,) = read(inputs=[[2**62, None, None, 5, None]], slots=[])

    assert invocation.id is None


def test_what_only_the_log_knew() -> None:
    line = {"line": "unclaimed", "invocation": "7", "sequence": 7, "slot": slot(2, "f", "PENDING")}
    (held,) = read(**line)
    (dropped,) = read(**line | {"slot": [2]})

    assert isinstance(held, UnclaimedSlot)
    assert held.slot is not None
    assert (held.key, held.number, held.slot.in_doubt) == ("ann", 2, True)
    assert (dropped.number, dropped.slot) == (2, None)


def test_a_uid_that_flink_has_not_kept_is_the_one_that_was_asked_for() -> None:
    id = operator_id("orders")
    line = {"operators": [[id, None, None, 1, 128, 5], ["ff", None, None, 1, 128, 5]]}

    found = operators_of(line, {id: "orders"})

    assert [operator.shown for operator in found] == ["orders", "ff"]


@pytest.mark.parametrize(
    ("uid", "id"),
    [  # as Flink has them in the savepoints of this repository and by guava's murmur3_128
        ("in-state", "0712c2df1ec41bf4bc4e615eb113fd80"),
        ("in-log", "dab8d5fd3f7baaa629d74f70ee9d6e1f"),
        ("", "00000000000000000000000000000000"),
    ],
)
def test_flinks_id_of_an_operator(uid: str, id: str) -> None:
    assert operator_id(uid) == id
