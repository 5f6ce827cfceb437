"""Values of a snapshot are shown without the code that wrote them, and run nothing."""

from __future__ import annotations

import json
import os
import pickle
import sys
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

from pyflink_durable import (
    Codec,
    JsonSerializer,
    MsgspecSerializer,
    Offload,
    PickleSerializer,
    Zstd,
)
from pyflink_durable.payload.frame import pack
from pyflink_durable.payload.picklers import dumps
from pyflink_durable.payload.seals import Seals
from pyflink_durable.snapshot import Invocation, Opaque, Payload, Slot
from pyflink_durable.snapshot.objects import with_objects
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


@pytest.mark.parametrize("serializer", [JsonSerializer(), MsgspecSerializer(), PickleSerializer()])
@pytest.mark.parametrize("codecs", [[], [Zstd()]])
def test_what_every_serializer_writes_is_read(serializer: Any, codecs: list[Codec]) -> None:
    value = {"id": [1, None], "text": "x" * 1000}
    data = serializer.dumps(value, None)
    for codec in codecs:
        data = codec.encode(data, b"context")
    names = (serializer.name, *(codec.name for codec in codecs))

    assert plain_value(pack(names, data, b"place")) == value


def test_msgpack_is_not_read_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    data = pack(("msgspec",), MsgspecSerializer().dumps(1, int), b"place")
    monkeypatch.setitem(sys.modules, "msgspec", None)

    assert "not installed" in repr(plain_value(data))


def test_what_nobody_knows_is_named() -> None:
    assert repr(plain_value(pack(("mine",), b"data", b"place"))) == "encoded('mine', 4)"


class TestInAStore:
    @pytest.fixture
    def store(self, tmp_path: Path) -> Offload:
        return Offload(tmp_path.as_uri(), threshold=1024)

    def invocation(self, data: bytes | None) -> Invocation:
        payload = None if data is None else Payload(len(data), data)
        fields = dict.fromkeys(Slot.__dataclass_fields__)
        slot = Slot(**{**fields, "result": payload, "exception": payload})  # type: ignore[arg-type]
        fields = dict.fromkeys(Invocation.__dataclass_fields__)
        return Invocation(**{**fields, "slots": (slot,)})  # type: ignore[arg-type]

    def payload(self, store: Offload, upload: bool = True) -> bytes:
        seals = Seals("json", [Zstd()], bare=False, allow_pickle=True, offload=store)
        text = json.dumps([str(number) for number in range(5_000)]).encode()
        payload = seals.seal(text, b"place", is_outcome=True)
        if upload:
            payload.upload()  # type: ignore[attr-defined]
        return bytes(payload)

    def test_it_is_told_where(self, store: Offload) -> None:
        shown = plain_value(self.payload(store))
        assert shown.type_name == "offloaded"
        assert len(shown.parts[0]) == 64 and shown.parts[1] > 1024

    def test_it_is_read_if_the_store_is_there(self, store: Offload) -> None:
        shown = with_objects(self.invocation(self.payload(store)), store)
        [slot] = shown.slots
        for payload in (slot.result, slot.exception):
            assert payload is not None and payload.value[-1] == "4999"
            assert payload.size > 1024

    def test_an_object_that_is_gone_keeps_its_address(self, store: Offload) -> None:
        invocation = self.invocation(self.payload(store, upload=False))
        assert with_objects(invocation, store) is invocation

    @pytest.mark.parametrize("data", [None, pickle.dumps(1), b"", pack(("json",), b"1", b"place")])
    def test_other_payloads_are_as_they_are(self, store: Offload, data: bytes | None) -> None:
        invocation = self.invocation(data)
        assert with_objects(invocation, store) is invocation


def test_what_is_encrypted_is_named_as_it_was_encoded() -> None:
    shown = plain_value(pack(("json", "zstd", "aes-gcm"), b"secret", b"place"))

    assert repr(shown) == "encoded('json|zstd|aes-gcm', 6)"


@pytest.mark.parametrize("data", [b"", b"no pickle", pickle.dumps("cut off")[:-3]])
def test_what_is_no_pickle_is_unreadable(data: bytes) -> None:
    assert plain_value(data).type_name == "unreadable"
