"""``pyflink-durable offload gc``: an object goes only if it is old, and nobody names it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pyflink_durable import DurableOptions, Offload
from pyflink_durable.commands import offload as command
from pyflink_durable.commands.main import main
from pyflink_durable.payload.leftovers import named_by
from pyflink_durable.payload.offload import Address
from pyflink_durable.payload.seals import Seals
from pyflink_durable.snapshot import Invocation, Payload, Slot, SnapshotError, UnclaimedSlot

DAY = 86_400


@pytest.fixture
def store(tmp_path: Path) -> Offload:
    return Offload((tmp_path / "store").as_uri(), threshold=1024)


def put(store: Offload, text: str, days: float) -> bytes:
    """Writes an object some days ago; gives the payload that names it."""
    data = text.encode() * 2_000
    seals = Seals("json", (), bare=False, allow_pickle=True, offload=store)
    payload = seals.seal(data, b"place", is_outcome=True)
    payload.upload()  # type: ignore[attr-defined]
    at = time.time() - days * DAY
    os.utime(path_of(store, text), (at, at))
    return bytes(payload)


def path_of(store: Offload, text: str) -> Path:
    name = Address.of(text.encode() * 2_000).digest.hex()
    return Path(store.url.removeprefix("file://")) / name[:2] / name


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["offload", "gc", *arguments])


def test_age_alone(store: Offload) -> None:
    put(store, "old", 31)
    put(store, "new", 29)
    dry = run(store.url, "--older-than", "30d", "--dry-run")
    assert dry.output == "would delete 1 objects, 6000 bytes, older than 30d\n"
    assert path_of(store, "old").exists()
    assert run(store.url, "--older-than", "30d").output.startswith("deleted 1 objects")
    assert not path_of(store, "old").exists()
    assert path_of(store, "new").exists()


def test_what_is_written_again_is_young_again(store: Offload) -> None:
    put(store, "twice", 31)
    put(store, "twice", 0)
    assert "deleted 0 objects" in run(store.url, "--older-than", "30d").output


def test_what_is_no_object_stays(store: Offload) -> None:
    put(store, "old", 31)
    other = path_of(store, "old").with_name("README")
    other.write_text("not ours")
    os.utime(other, (0, 0))
    run(store.url, "--older-than", "30d")
    assert other.exists()


def slot(result: bytes | None = None, exception: bytes | None = None) -> Slot:
    payloads = [None if data is None else Payload(len(data), data) for data in (result, exception)]
    return Slot(0, "pay", "2:0", "SUCCEEDED", 1, 0, None, None, False, *payloads)


@pytest.fixture
def snapshots(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """What is in each checkpoint; the one that is not here cannot be read."""
    contents: dict[str, list[Any]] = {}

    @contextmanager
    def read(path: str, *, payloads: bool) -> Iterator[Any]:
        assert payloads
        if Path(path).name not in contents:
            raise SnapshotError(f"the snapshot {path} cannot be read")
        yield contents[Path(path).name]

    monkeypatch.setattr(command, "read_snapshot", read)
    return contents


def in_flight(*slots: Slot) -> Invocation:
    fields = dict.fromkeys(Invocation.__dataclass_fields__)
    return Invocation(**{**fields, "slots": slots})  # type: ignore[arg-type]


def test_what_a_checkpoint_names_stays(
    store: Offload, snapshots: dict[str, list[Any]], tmp_path: Path
) -> None:
    result, exception, unclaimed = (
        put(store, name, 300) for name in ("result", "exception", "log")
    )
    put(store, "nobody", 300)
    for name in ("chk-7", "savepoint-1"):
        (tmp_path / "kept" / name).mkdir(parents=True)
        (tmp_path / "kept" / name / "_metadata").touch()
    snapshots["chk-7"] = [
        in_flight(slot(result), slot(b"\x80pickle"), slot()),
        in_flight(slot(None, exception)),
    ]
    log = dict.fromkeys(UnclaimedSlot.__dataclass_fields__)
    snapshots["savepoint-1"] = [UnclaimedSlot(**{**log, "slot": slot(unclaimed)})]  # type: ignore[arg-type]

    done = run(store.url, "--older-than", "1h", "--checkpoints", str(tmp_path / "kept"))

    assert done.output.startswith("2 checkpoints name 3 objects; deleted 1 objects")
    assert not path_of(store, "nobody").exists()
    assert all(path_of(store, name).exists() for name in ("result", "exception", "log"))


@pytest.mark.parametrize("kept", ["chk-8", ""])
def test_nothing_is_deleted_if_a_checkpoint_cannot_be_read(
    kept: str, store: Offload, snapshots: dict[str, list[Any]], tmp_path: Path
) -> None:
    put(store, "nobody", 300)
    (tmp_path / "kept" / kept).mkdir(parents=True)
    if kept:
        (tmp_path / "kept" / kept / "_metadata").touch()
    done = run(store.url, "--older-than", "1h", "--checkpoints", str(tmp_path / "kept"))
    assert done.exit_code == 2
    assert "Nothing was deleted" in done.output
    assert path_of(store, "nobody").exists()


def test_too_young_is_refused(store: Offload) -> None:
    assert "an hour at least" in run(store.url, "--older-than", "59m").output
    assert run(store.url).exit_code == 2


def test_only_frames_name_objects() -> None:
    for payload in (None, b"", b"\x80\x05N.", b"\xd1\x04json12345678{}", b"other"):
        assert named_by(payload) is None


def test_options_take_a_store() -> None:
    assert DurableOptions(offload=Offload("memory://x")).writes_frames
    with pytest.raises(ValueError, match="offload"):
        DurableOptions(offload=SimpleNamespace())  # type: ignore[arg-type]
