"""Values of a snapshot are shown without the code that wrote them, and run nothing."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import cloudpickle
import pytest
from pyflink.common import Row

from pyflink_durable.payload.frame import pack
from pyflink_durable.payload.picklers import dumps
from pyflink_durable.snapshot import Opaque
from pyflink_durable.snapshot.plain import plain_value

PLAIN = [
    None,
    "é",
    -(2**70),
    1.5,
    b"\x00",
    [1, (2, {"three": {4}})],
    frozenset({1}),
    Decimal("1.10"),
    datetime(2025, 1, 2, tzinfo=timezone(timedelta(hours=2))),
    UUID(int=7),
    OrderedDict(a=1),
]


class Size(Enum):
    SMALL = 1


@dataclass
class Receipt:
    order: str
    size: Size


class Refused(Exception):
    """What a call fails with."""


class Evil:
    def __init__(self, place: Path) -> None:
        self._place = place

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self._place),)


@pytest.mark.parametrize("value", PLAIN, ids=repr)
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_plain_values_are_themselves(value: Any, protocol: int) -> None:
    assert plain_value(pickle.dumps(value, protocol)) == value


def test_rows_are_themselves() -> None:
    row = Row(name="pear", count=2)

    assert plain_value(pickle.dumps(row)) == row


def test_other_objects_are_named_with_what_is_in_them() -> None:
    shown = plain_value(pickle.dumps({"paid": Receipt("o-1", Size.SMALL)}))

    assert isinstance(shown["paid"], Opaque)
    assert repr(shown).count("Receipt(") == 1
    assert "'order': 'o-1'" in repr(shown)
    assert "Size(1)" in repr(shown)


def test_a_journaled_exception_is_named_with_its_message() -> None:
    try:
        raise Refused("the card is refused")
    except Refused as error:
        payload = dumps(error, None)

    assert "Refused('the card is refused'" in repr(plain_value(payload))


def test_functions_and_lambdas_are_not_made() -> None:
    assert isinstance(plain_value(cloudpickle.dumps(lambda: 1)), Opaque)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_nothing_in_a_pickle_is_run(tmp_path: Path, protocol: int) -> None:
    place = tmp_path / "made"
    nested = pickle.dumps((pickle.loads, pickle.dumps(Evil(place), protocol)))

    plain_value(pickle.dumps(Evil(place), protocol))
    plain_value(nested)

    assert not place.exists()


def test_json_is_itself() -> None:
    assert plain_value(pack(("json",), b'{"id": [1, null]}', b"place")) == {"id": [1, None]}


def test_what_is_encrypted_is_named_as_it_was_encoded() -> None:
    shown = plain_value(pack(("json", "zstd", "aes-gcm"), b"secret", b"place"))

    assert repr(shown) == "encoded('json|zstd|aes-gcm', 6)"


@pytest.mark.parametrize("data", [b"", b"no pickle", pickle.dumps("cut off")[:-3]])
def test_what_is_no_pickle_is_unreadable(data: bytes) -> None:
    assert plain_value(data).type_name == "unreadable"
