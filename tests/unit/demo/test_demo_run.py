"""The demo as a user runs it: it fails on the way, tells what happened, and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pyflink_durable.demo.orders import make_sample_orders, write_orders
from pyflink_durable.demo.processes import _signals_wait

pytestmark = pytest.mark.minicluster


def start_demo(directory: Path, *options: str) -> subprocess.Popen[str]:
    orders = directory / "orders.ndjson"
    write_orders(make_sample_orders(20, customers=8), orders)
    temporary = directory / "tmp"
    temporary.mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "pyflink_durable.demo", "--orders", str(orders), *options],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def processes_of(directory: Path) -> list[str]:
    """The demo's processes: the service and the JVM have files of it on their command line."""
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in listing.stdout.splitlines() if str(directory) in line]


def rows(output: str) -> dict[str, str]:
    lines = [line.split("│") for line in output.splitlines() if line.startswith("│")]
    return {line[1].strip(): line[2].strip() for line in lines}


@pytest.mark.parametrize("options", [(), ("--level", "write-ahead"), ("--level", "checkpoint")])
def test_the_demo_fails_twice_and_answers_every_order_once(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    with start_demo(tmp_path, *options) as demo:
        output, _ = demo.communicate(timeout=300)
    assert demo.returncode == 0, output
    table = rows(output)
    if "checkpoint" not in options:
        assert table["charges"] == "20"
        assert table["orders charged twice"] == "0"
    assert table["orders answered"] == table["orders charged"] == "20"
    assert table["orders answered twice"] == "0"
    assert table["restarts"] == "2"
    assert int(table["calls reconciled"]) + int(table["calls replayed"]) > 0
    assert list((tmp_path / "tmp").iterdir()) == []
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize("line", ["20 orders of 8 customers", "the job failed; restart 1"])
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path, line: str) -> None:
    with start_demo(tmp_path) as demo:
        assert demo.stdout is not None
        assert any(told.startswith(line) for told in demo.stdout)  # it waits for each
        os.killpg(demo.pid, signal.SIGINT)  # as a terminal does
        output, _ = demo.communicate(timeout=60)
    assert demo.returncode == 130, output
    assert output.endswith("interrupted\n")
    assert "Traceback" not in output
    assert list((tmp_path / "tmp").iterdir()) == []
    assert processes_of(tmp_path) == []


def test_a_signal_waits_until_a_process_is_known() -> None:
    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    known = False
    try:
        with pytest.raises(KeyboardInterrupt), _signals_wait():
            signal.raise_signal(signal.SIGTERM)
            known = True
    finally:
        signal.signal(signal.SIGTERM, before)
    assert known
