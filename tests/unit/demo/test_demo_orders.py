"""A file of orders is checked before anything starts, and the error says where it is wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pyflink_durable.demo.orders import (
    OrdersError,
    load_orders,
    make_sample_orders,
    parse_order,
    sample_orders,
    write_orders,
)

GOOD = '{"id": "a-1", "customer": "c-1", "amount": 9.5}'
SHIPPED = Path(__file__).parents[3] / "examples" / "orders.ndjson"


def write(path: Path, *lines: str) -> Path:
    file = path / "orders.ndjson"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def test_the_shipped_file_is_the_sample() -> None:
    orders = load_orders(SHIPPED)
    assert orders == make_sample_orders() == sample_orders()
    assert len(orders) == 400
    assert len({order["customer"] for order in orders}) == 60


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    orders = make_sample_orders(10, customers=3)
    write_orders(orders, tmp_path / "orders.ndjson")
    assert load_orders(tmp_path / "orders.ndjson") == orders


def test_numbers_as_ids_are_taken_as_text() -> None:
    order = parse_order('{"id": 17, "customer": 3, "amount": 2}')
    assert order == {"id": "17", "customer": "3", "amount": 2.0}


def test_empty_lines_windows_ends_and_a_byte_order_mark_do_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "orders.ndjson"
    file.write_bytes(b"\xef\xbb\xbf" + GOOD.encode() + b"\r\n\r\n\n")
    assert [order["id"] for order in load_orders(file)] == ["a-1"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "not JSON"),
        ("id,customer,amount", "not JSON"),
        ("[]", "expected an object like"),
        ('{"customer": "c", "amount": 1}', '"id" is missing'),
        ('{"id": "b", "amount": 1}', '"customer" is missing'),
        ('{"id": "b", "customer": "c"}', '"amount" is missing'),
        ('{"id": "", "customer": "c", "amount": 1}', '"id" must be a non-empty string, not ""'),
        ('{"id": null, "customer": "c", "amount": 1}', "not null"),
        ('{"id": true, "customer": "c", "amount": 1}', "not true"),
        ('{"id": "b", "customer": "c", "amount": "1"}', '"amount" must be a number, not "1"'),
        ('{"id": "b", "customer": "c", "amount": false}', '"amount" must be a number'),
        ('{"id": "b", "customer": "c", "amount": 0}', '"amount" must be above 0'),
        ('{"id": "b", "customer": "c", "amount": 1e999}', '"amount" must be above 0'),
        ('{"id": "b", "customer": "c", "amount": NaN}', "NaN is not a JSON number"),
        (GOOD, 'the id "a-1" is on line 1 too'),
    ],
)
def test_the_error_names_file_line_and_mistake(tmp_path: Path, line: str, says: str) -> None:
    file = write(tmp_path, GOOD, "", line)
    with pytest.raises(OrdersError) as problem:
        load_orders(file)
    assert str(problem.value).startswith(f"{file}, line 3: ")
    assert says in str(problem.value)


def test_a_line_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    file = tmp_path / "orders.ndjson"
    file.write_bytes(GOOD.encode() + b"\n\n" + b'{"id": "\xe9"}')
    with pytest.raises(OrdersError, match="line 3: not UTF-8"):
        load_orders(file)


def test_a_missing_file_a_directory_and_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(OrdersError, match="No such file"):
        load_orders(tmp_path / "none.ndjson")
    with pytest.raises(OrdersError, match="directory"):
        load_orders(tmp_path)
    with pytest.raises(OrdersError, match="no orders"):
        load_orders(write(tmp_path, "", ""))


def test_the_demo_refuses_a_bad_file_before_it_starts_anything(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD, "{}")
    demo = subprocess.run(
        [sys.executable, "-m", "pyflink_durable.demo", "--orders", str(file)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert demo.returncode == 2
    assert demo.stderr == f'error: {file}, line 2: "id" is missing\n'
    assert demo.stdout == ""


@pytest.mark.parametrize("option", ["--failures=-1", "--failures=x", "--rate=0", "--rate=x"])
def test_a_bad_option_is_refused(option: str) -> None:
    demo = subprocess.run(
        [sys.executable, "-m", "pyflink_durable.demo", option],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert demo.returncode == 2
    assert "expected a number" in demo.stderr
