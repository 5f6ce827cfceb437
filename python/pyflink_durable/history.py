"""What became of each invocation, once it has ended."""

from __future__ import annotations

from pyflink.common import Types
from pyflink.datastream import OutputTag

HISTORY = OutputTag("durable-history", Types.STRING())
"""The side output of ``DurableOptions(history=True)``: a line of JSON for each invocation that has
ended, which `pyflink-durable inspect` reads."""
