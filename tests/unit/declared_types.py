"""Outputs of declared types, as Java describes them."""

from __future__ import annotations

import pickle
from typing import Any

from pyflink_durable.runtime.telemetry.telemetry import LocalTelemetry
from pyflink_durable.runtime.values import Outputs, read_description

LINE = ("ROW", ("sku", "price"), "STRING", "DOUBLE")


def outputs(main: Any, **sides: Any) -> Outputs:
    described = pickle.dumps((main, list(sides), list(sides.values())))
    return Outputs(read_description(described), "orders", LocalTelemetry())


def plain(described: Any, value: Any) -> Any:
    return outputs(described).main(value, lambda: "key='c7' invocation=3")[1]
