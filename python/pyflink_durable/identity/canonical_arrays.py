"""Canonical text of arrays and frames: of their values, not of how they lie in memory.

numpy, pandas and pyarrow are not imported: where there is a value of theirs, they are there.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from pyflink_durable.identity.canonical_leaves import SKIPPED, class_name

if TYPE_CHECKING:
    from pyflink_durable.identity.canonical import Encoder

_Writer = Callable[["Encoder", Any], str]

_EXACT_FLOAT_BYTES = 8
"""Longer floats have bytes that mean nothing, and are written one by one."""


def array_writer_of(kind: type) -> _Writer | None:
    """The writer of a type of numpy, pandas or pyarrow; None for all others."""
    numpy, pandas = sys.modules.get("numpy"), sys.modules.get("pandas")
    if numpy is not None:
        if issubclass(kind, numpy.ma.MaskedArray):
            return _masked
        if issubclass(kind, numpy.ndarray):
            return _array
        if issubclass(kind, numpy.generic):
            return _scalar
        if issubclass(kind, numpy.dtype):
            return _dtype
    if pandas is not None:
        for families, writer in (
            (pandas.DataFrame, _frame),
            (pandas.Series, _series),
            (pandas.Index, _index),
            (pandas.Timestamp, _timestamp),
        ):
            if issubclass(kind, families):
                return writer
    return _arrow_writer_of(kind)


# ------------------------------------------------------------------------------ numpy


def _array(encoder: Encoder, value: Any) -> str:
    if not encoder.mutable:
        return SKIPPED
    form = f"{_name(value, 'numpy')} {_dtype_text(value.dtype)} {value.shape}"
    return f"<array {form} {_content(encoder, value)}>"


def _masked(encoder: Encoder, value: Any) -> str:
    """What lies under the mask does not count, nor what would be filled in."""
    if not encoder.mutable:
        return SKIPPED
    import numpy

    masked: Any = numpy.ma
    names = value.dtype.names
    if names is not None:
        fields = ", ".join(f"({name!a}, {_masked(encoder, value[name])})" for name in names)
        return f"<masked fields {value.shape} {fields}>"
    mask = masked.getmaskarray(value)
    shown = numpy.array(masked.getdata(value), subok=False)
    shown[mask] = None if shown.dtype.hasobject else numpy.zeros((), shown.dtype)
    contents = f"{_content(encoder, mask)} {_content(encoder, shown)}"
    return f"<masked {_dtype_text(value.dtype)} {value.shape} {contents}>"


def _scalar(encoder: Encoder, value: Any) -> str:
    import numpy

    array = numpy.asarray(value)
    return f"<scalar {_dtype_text(array.dtype)} {_content(encoder, array)}>"


def _dtype(_: Encoder, value: Any) -> str:
    return f"<dtype {_dtype_text(value)}>"


def _name(value: Any, package: str) -> str:
    """The class of a value; the package's own have other modules in other releases of it."""
    kind = type(value)
    own = kind.__module__.partition(".")[0] == package
    return ascii(kind.__name__ if own else class_name(kind))


def _dtype_text(dtype: Any) -> str:
    if dtype.names is not None:
        fields = [(name, _dtype_text(dtype.fields[name][0])) for name in dtype.names]
        return ascii(fields)
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        return ascii((_dtype_text(base), shape))
    return ascii(dtype.str[1:])  # without the order of the bytes


def _content(encoder: Encoder, value: Any) -> str:
    """The values in C order, which is the order in which they are told."""
    import numpy

    dtype = value.dtype
    if dtype.names is not None:
        return ", ".join(f"({name!a}, {_content(encoder, value[name])})" for name in dtype.names)
    if dtype.kind not in "biufcmMSUV" or dtype.hasobject:
        return f"[{encoder.join(value.ravel().tolist())}]"
    if dtype.kind in "fc":
        parts = 1 if dtype.kind == "f" else 2
        if dtype.itemsize > _EXACT_FLOAT_BYTES * parts:
            return f"[{', '.join(ascii(str(one)) for one in value.ravel())}]"
    flat = numpy.ascontiguousarray(value.ravel(), dtype.newbyteorder("<"))
    if dtype.kind in "fc":
        flat = flat.view(f"<f{dtype.itemsize // parts}") + 0.0  # minus zero equals zero
        flat[numpy.isnan(flat)] = numpy.nan  # one for all: they differ in their bits
    return blake2b(flat.tobytes(), digest_size=16).hexdigest()


# ------------------------------------------------------------------------------ pandas


def _frame(encoder: Encoder, value: Any) -> str:
    if not encoder.mutable:
        return SKIPPED
    columns = [_column(encoder, value.iloc[:, place]) for place in range(value.shape[1])]
    labels = f"{_index(encoder, value.columns)} {_index(encoder, value.index)}"
    return f"<frame {_name(value, 'pandas')} {labels} {', '.join(columns)}>"


def _series(encoder: Encoder, value: Any) -> str:
    if not encoder.mutable:
        return SKIPPED
    name, column = encoder.encode(value.name), _column(encoder, value)
    return f"<series {_name(value, 'pandas')} {name} {_index(encoder, value.index)} {column}>"


def _index(encoder: Encoder, value: Any) -> str:
    names = encoder.encode(list(value.names))
    if value.nlevels > 1:
        return f"<index {names} {encoder.encode([tuple(labels) for labels in value])}>"
    return f"<index {names} {_column(encoder, value)}>"


def _column(encoder: Encoder, value: Any) -> str:
    """The values of a series or an index, by its type."""
    import numpy

    dtype = value.dtype
    if isinstance(dtype, numpy.dtype):
        array = value.to_numpy()
        return f"{_dtype_text(dtype)} {_content(encoder, array)}"
    text = ascii(str(dtype))
    categories = getattr(dtype, "categories", None)
    if categories is not None:
        text += f" {dtype.ordered} {_index(encoder, categories)}"
    return f"{text} [{encoder.join(value.astype(object).tolist())}]"


def _timestamp(encoder: Encoder, value: Any) -> str:
    # to the nanosecond, whatever unit it is kept in
    moment = encoder.encode(value.to_pydatetime(warn=False))
    return f"<timestamp {moment} {value.nanosecond}>"


# ------------------------------------------------------------------------------ pyarrow


def _arrow_writer_of(kind: type) -> _Writer | None:
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is None or not issubclass(
        kind, (pyarrow.Table, pyarrow.RecordBatch, pyarrow.Array, pyarrow.ChunkedArray)
    ):
        return None
    return _table if issubclass(kind, (pyarrow.Table, pyarrow.RecordBatch)) else _arrow_array


def _table(encoder: Encoder, value: Any) -> str:
    columns = zip(value.schema.names, value.columns, strict=True)
    texts = [f"({name!a}, {_arrow_array(encoder, column)})" for name, column in columns]
    return f"<table {', '.join(texts)}>"


def _arrow_array(encoder: Encoder, value: Any) -> str:
    return f"<arrow {str(value.type)!a} {encoder.encode(value.to_pylist())}>"
