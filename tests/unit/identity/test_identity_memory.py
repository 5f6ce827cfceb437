"""Digests of large arguments: the values that they have always had, and what they take."""

from __future__ import annotations

import array
import ctypes
import sys
import tracemalloc
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sample_values import VALUES

from pyflink_durable.errors import ArgumentNotEncodable
from pyflink_durable.identity import compute_args_digest
from pyflink_durable.identity.canonical_pieces import PIECE
from pyflink_durable.identity.digest import RULE, digest_of
from pyflink_durable.identity.digest_rule_1 import RULE_1

SIZE = 10_000_000
GOLDEN: list[tuple[str, Any, float]] = [
    ("2:b954ee84bdb9cb95", bytes(SIZE), 0.1),
    ("2:397b9fff90b8d4e7", bytearray(SIZE), 0.1),
    ("2:5ebde265896f602c", memoryview(bytes(SIZE)), 0.1),
    ("2:0e2a7f675004ac08", [bytes(SIZE)], 0.1),
    ("2:0e50295fe8a609cf", "a" * SIZE, 0.1),
    ("2:c5cfccc6bf0b56b0", ["a" * 100] * (SIZE // 100), 0.1),
]
"""What the release before gave, and how many times its size a digest may take beside a value."""


@pytest.mark.parametrize(("digest", "value", "most"), GOLDEN, ids=lambda one: type(one).__name__)
def test_a_large_argument(digest: str, value: Any, most: float) -> None:
    tracemalloc.start()
    try:
        assert compute_args_digest((value,), {}) == digest
        assert tracemalloc.get_traced_memory()[1] < most * SIZE
    finally:
        tracemalloc.stop()


LONG = (
    st.text(st.sampled_from("ab'\"\\\n\u20ac\ud800\U0001f600"), min_size=1, max_size=50).map(
        lambda text: text * (2 * PIECE // len(text))
    )
    | st.lists(VALUES, min_size=1, max_size=4).map(lambda items: items * 300)
    | st.text(st.sampled_from("'\"")).map(lambda text: "a" * PIECE + text)
)


@pytest.mark.parametrize("rule", [RULE, RULE_1])
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(LONG | VALUES, max_size=3), st.dictionaries(st.text(), LONG | VALUES, max_size=2))
def test_pieces_give_the_digest_of_the_whole(rule: Any, args: list[Any], kwargs: Any) -> None:
    whole = rule.prefix + digest_of(rule.text(tuple(args), kwargs))
    assert rule.args_digest(tuple(args), kwargs) == whole


def test_a_long_list_that_contains_itself_is_refused() -> None:
    value: list[Any] = [1] * 300
    value.append({"again": value})
    with pytest.raises(ArgumentNotEncodable, match="contains itself"):
        compute_args_digest((value,), {})


class Pair(ctypes.Structure):
    _fields_ = (("a", ctypes.c_int), ("b", ctypes.c_double))


# the format of a structure is part of the digest; it tells of padding since Python 3.12
PAIR = "2:736d7445bf4d752f" if sys.version_info < (3, 12) else "2:e11a02afe44a870e"
VIEWS: list[tuple[str, memoryview]] = [
    ("2:1ccff842008bd828", memoryview(b"")),
    ("2:1f867bc48d89be85", memoryview(bytes(range(10)))),
    ("2:0f7167dee6a1c9d7", memoryview(bytes(range(10)))[::2]),
    ("2:ab7915ecc11c17b5", memoryview(bytes(range(10)))[::-1]),
    ("2:6a38bd9800d24d78", memoryview(array.array("i", [1, 2, 3]))),
    ("2:66be415af0793791", memoryview(array.array("d", [0.5]))),
    ("2:3a43091f77653010", memoryview(bytes(range(12))).cast("B", (3, 4))),
    ("2:6dbdf7aece95d05a", memoryview(bytes(range(12))).cast("B", (3, 4))[::2]),
    (PAIR, memoryview(Pair(1, 0.5))),
    ("2:ba93e519dbf3f350", memoryview(bytes(range(8))).cast("q", ())),
]


@pytest.mark.parametrize(("digest", "view"), VIEWS)
def test_views_of_all_forms_have_the_digests_they_had(digest: str, view: memoryview) -> None:
    assert compute_args_digest((view,), {}) == digest
