"""What a result costs to write and to read back, by its size and the operator's settings.

As a ratio to pickle, of the CPU time of one thread. The values are lists of orders in a declared
type; the outcome of a call is written, and read back for the handler, once in the first run, and
read once in each replay.
"""

from __future__ import annotations

from typing import Any

from fidelity import Order, cost_of

from pyflink_durable import AesGcm, DurableOptions, JsonSerializer, Zstd
from pyflink_durable.payload.payloads import Payloads
from pyflink_durable.runtime.journal.bridge import Identity
from pyflink_durable.runtime.journal.call import Call
from pyflink_durable.runtime.journal.call_options import ResolvedOptions
from pyflink_durable.runtime.journal.invocation_identity import InvocationIdentity

SIZES = {"100 B": 100, "10 KB": 10_000, "1 MB": 1_000_000}
OWNER = InvocationIdentity(lambda _: "ann", "orders", 3)


def key_of(key_id: str) -> bytes:
    return b"k" * 32


SETTINGS: dict[str, dict[str, Any]] = {
    "pickle": {},
    "json": {"serializer": JsonSerializer()},
    "json+aes": {"serializer": JsonSerializer(), "codecs": [AesGcm(key_of, "1")]},
    "json+zstd+aes": {"serializer": JsonSerializer(), "codecs": [Zstd(), AesGcm(key_of, "1")]},
}


def orders(size: int) -> list[Order]:
    """So many bytes of JSON, more or less."""
    return [Order(f"o-{n:08}", n / 4, ["book", "lamp"]) for n in range(max(1, size // 60))]


def charge() -> list[Order]: ...  # type: ignore[empty-body]


def measure_payloads() -> list[dict[str, object]]:
    """A line for each size and setting: microseconds, bytes, and the ratio to pickle."""
    call = Call(Identity("charge", "0"), charge, (), {}, None, None, ResolvedOptions())
    lines: list[dict[str, object]] = []
    for shown, size in SIZES.items():
        value, pickled = orders(size), 0.0
        for setting, options in SETTINGS.items():
            payloads = Payloads(DurableOptions(**options))
            _, payload = payloads.pass_result(value, call, OWNER, 0)
            write = cost_of(payloads.pass_result, value, call, OWNER, 0)
            read = cost_of(payloads.load_result, payload, call, OWNER, 0)
            pickled = pickled or write
            lines.append(
                {
                    "case": f"payload-{shown}-{setting}",
                    "us_write": round(write, 1),
                    "us_read": round(read, 1),
                    "bytes": len(payload),
                    "ratio": round(write / pickled, 2),
                }
            )
    return lines


if __name__ == "__main__":
    for line in measure_payloads():
        print(*line.values(), sep="\t")
