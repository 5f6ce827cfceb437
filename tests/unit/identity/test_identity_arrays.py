"""Arrays and frames go by their values, and not by how they lie in memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyflink_durable.identity.digest import compute_args_digest, compute_function_id


def digest(*args: Any) -> str:
    return compute_args_digest(args, {})


GRID = np.arange(6).reshape(2, 3)
PAIRS = np.array([(1, 2.5), (3, -0.0)], dtype=[("a", "i2"), ("b", "f8")])
PADDED = PAIRS.astype(np.dtype([("a", "i2"), ("b", "f8")], align=True))
FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [0.5, float("nan")]})


def in_parts(frame: pd.DataFrame) -> pd.DataFrame:
    """The same frame, made of other blocks of memory."""
    parts = pd.DataFrame(index=frame.index.copy())
    for name in reversed(frame.columns):
        parts.insert(0, name, frame[name].copy())
    return parts


EQUAL: list[tuple[Any, Any]] = [
    (GRID, np.asfortranarray(GRID)),
    (GRID, np.arange(12).reshape(2, 6)[:, ::2] // 2 + [[0], [0]]),
    (GRID.T, np.ascontiguousarray(GRID.T)),
    (GRID, GRID.astype(">i8")),
    (np.array(["é", "b"]), np.array(["é", "b"], dtype=">U1")),
    (np.array([0.0, np.nan]), np.array([-0.0, -np.nan])),
    (np.array([0j, 1 - 0j]), np.array([-0.0 - 0j, 1 + 0j])),
    (np.float16([0.0]), np.float16([-0.0])),
    (np.longdouble([1, -0.0]), np.longdouble([1, -0.0])),
    (PAIRS, PADDED.astype(PAIRS.dtype)),
    (np.array([1, ["a"], None], dtype=object), np.array([1, ["a"], None], dtype=object)),
    (np.float64(1.5), np.array([1.5], dtype=">f8")[0]),
    (np.int64(1), np.array([1], dtype=">i8")[0]),
    (np.datetime64("2024-01-01", "s"), np.array(["2024-01-01"], dtype="M8[s]")[0]),
    (np.dtype("f8"), np.dtype(">f8")),
    (np.ma.masked_array([1, 2, 3], [0, 1, 0]), np.ma.masked_array([1, 9, 3], [0, 1, 0])),
    (np.ma.masked_array([1, 2], False), np.ma.masked_array([1, 2], [False, False])),
    (np.ma.masked_array([1, 2], [0, 1], fill_value=5), np.ma.masked_array([1, 2], [0, 1])),
    (np.ma.masked_array(["a", "b"], [0, 1]), np.ma.masked_array(["a", "c"], [0, 1])),
    (np.ma.masked_array([1, "b"], [0, 1], object), np.ma.masked_array([1, "c"], [0, 1], object)),
    (np.ma.masked_array(PAIRS, [(0, 1), (0, 0)]), np.ma.masked_array(PAIRS, [(0, 1), (0, 0)])),
    (FRAME, in_parts(FRAME)),
    (FRAME, pd.concat([FRAME.iloc[:1], FRAME.iloc[1:]])),
    (FRAME, FRAME.set_axis(pd.Index([0, 1]))),
    (FRAME["a"], in_parts(FRAME)["a"]),
    (pd.Series(["a", "b"], dtype="category"), pd.Series(["a", "b"]).astype("category")),
    (pd.Series([1, None], dtype="Int64"), pd.Series([1, pd.NA], dtype="Int64")),
    (pd.RangeIndex(3), pd.Index([0, 1, 2])),
    (pd.Timestamp("2024-01-01", tz="UTC"), pd.Timestamp("2024-01-01 01:00", tz="Europe/Paris")),
    (pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-01").as_unit("s")),
    (
        pa.table({"a": pa.chunked_array([[1], [2, 3]])}),
        pa.table({"a": pa.chunked_array([[1, 2, 3]])}),
    ),
    (pa.array([1, 2, 3])[1:], pa.array([2, 3])),
]


@pytest.mark.parametrize(("one", "two"), EQUAL)
def test_equal(one: Any, two: Any) -> None:
    assert digest(one) == digest(two)
    assert digest([{"k": one}]) == digest([{"k": two}])


class Volts(np.ndarray):  # type: ignore[type-arg]
    """An array that is more than one."""


DIFFERENT: list[Any] = [
    *(GRID, GRID.T, GRID + 1, GRID.ravel(), GRID.astype("i4"), GRID.astype("f8"), GRID.view(Volts)),
    *(GRID.tolist(), np.ma.masked_array(GRID), np.ma.masked_array(GRID, GRID == 1)),
    *(np.array([]), np.array([], dtype="i8"), np.zeros((0, 3)), np.array(1), np.int64(1), 1),
    *(np.int32(1), np.float64(1), 1.0, np.bool_(True), True, np.str_("1"), "1", np.array("1")),
    *(np.array([np.nan]), np.array([np.inf]), np.array([1.0]), np.array([1 + 0j])),
    *(PAIRS, PADDED[["a"]], np.array([1, ["b"]], dtype=object), np.array([1, ["c"]], dtype=object)),
    *(np.datetime64("2024-01-01", "s"), np.datetime64("2024-01-01", "D"), np.timedelta64(1, "s")),
    *(np.dtype("f8"), np.dtype("f4"), np.float64, np.longdouble([1]), np.longdouble([2])),
    *(np.ma.masked_array([1, 2], [0, 1]), np.ma.masked_array([1, 2], [1, 0]), np.ma.masked),
    *(FRAME, FRAME[["b", "a", "c"]], FRAME.rename(columns={"a": "A"}), FRAME.iloc[:1]),
    *(FRAME.set_axis([1, 2]), FRAME.astype({"a": "i4"}), FRAME.astype({"a": "Int64"}), FRAME["a"]),
    *(FRAME["a"].rename("z"), FRAME["b"], pd.Series(["a"]), pd.Series(["a"], dtype="category")),
    *(pd.Series(["a"], dtype=pd.CategoricalDtype(["a", "b"])), pd.Series(["a"], dtype="string")),
    *(pd.Index([0, 1]), pd.Index([0, 1], name="n"), pd.MultiIndex.from_tuples([(0, 1)])),
    *(pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-01 00:00:00.000000001")),
    *(pd.Timestamp("2024-01-01", tz="UTC"), pd.NaT, pd.NA),
    *(pa.array([1, 2]), pa.array([1, 3]), pa.array([1, 2], pa.int32()), pa.table({"a": [1, 2]})),
    *(pa.table({"b": [1, 2]}), pa.table({"a": [1, 3]})),
]


def test_different() -> None:
    digests: dict[str, Any] = {}
    for value in DIFFERENT:
        twin = digests.setdefault(digest(value), value)
        assert twin is value, (twin, value)


PINNED: list[tuple[str, Any]] = [
    # the same with numpy 1.26 and 2
    ("2:54901ba1ddc662c8", GRID),
    ("2:ac46a78cb649c0b1", np.array([0.5, np.nan])),
    ("2:b899a10087c85180", np.float64(1.5)),
    ("2:a6ca2d1742899f04", np.int64(7)),
    ("2:f4533f5358483b06", np.bool_(True)),
    ("2:456632f118f52aa4", np.str_("é")),
    ("2:63233560a5ccc42a", np.array([1, "a", None], dtype=object)),
    ("2:2c28402b483466a8", PAIRS),
    ("2:aa1248fc9dfccc41", np.ma.masked_array([1, 2], [0, 1])),
    ("2:1ce48d1f7aa1e2c8", np.datetime64("2024-01-01", "s")),
    ("2:80ed18bda59f9dcb", np.dtype("f8")),
    ("2:0509ae65eaf02ba9", pd.DataFrame({"a": [1, 2], "c": [0.5, float("nan")]})),
    ("2:6c54ff2aa4e75cf2", pd.Series([1, None], dtype="Int64")),
    ("2:bed8b61160e3d5b0", pd.Timestamp("2024-01-01", tz="UTC")),
    ("2:504e2d326e34f521", pa.table({"a": [1, 2]})),
]


@pytest.mark.parametrize(("expected", "value"), PINNED, ids=lambda value: type(value).__name__)
def test_the_digests_are_pinned(expected: str, value: Any) -> None:
    """A digest that changes with a release, of this package or of numpy, makes replays miss."""
    assert digest(value) == expected


@given(
    st.lists(st.lists(st.floats(), min_size=3, max_size=3), min_size=1, max_size=4),
    st.permutations([0, 1]),
)
def test_random_arrays(rows: list[list[float]], axes: list[int]) -> None:
    array = np.array(rows)
    laid_out = np.array(array.transpose(axes), order="C").transpose(axes)
    assert digest(array) == digest(laid_out) == digest(array + 0.0)
    frame = pd.DataFrame(array)
    assert digest(frame) == digest(in_parts(frame))


def test_what_a_closure_captures() -> None:
    def charging(amount: Any) -> Any:
        return lambda: amount

    ids = [compute_function_id(charging(amount)) for amount in (GRID, GRID + 1, FRAME)]
    assert len(set(ids)) == 1  # they may change
    assert compute_function_id(charging(np.float64(1))) != compute_function_id(
        charging(np.float64(2))
    )
