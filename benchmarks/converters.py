"""What it costs an element to cross between Java and Python: PyFlink's converters, and ours.

Java runs the Python that its TaskManagers run, hands 256 elements over in one call, and takes as
many back; `Converters.java` is that half. PyFlink's converters are those of its thread mode, with
the crossing as cheap for them as it is for ours.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from pyflink_durable.client.jars import bridge_jar
from pyflink_durable.runtime.telemetry.telemetry import LocalTelemetry
from pyflink_durable.runtime.values import Outputs, StepOutputs, read_description
from pyflink_durable.runtime.values.incoming import row_type

HERE = Path(__file__).resolve().parent
ELEMENTS = 256
FIELDS = [f"f{place}" for place in range(10)]


def measure_converters() -> list[dict[str, object]]:
    """Runs the Java half; a line for each type, direction, and whose converters they are."""
    import pyflink

    flink = Path(pyflink.__file__).parent
    jars = [*(flink / "lib").glob("*.jar"), *(flink / "opt").glob("flink-python*.jar")]
    class_path = os.pathsep.join(map(str, [*jars, bridge_jar()]))
    paths = [path for path in (os.environ.get("PYTHONPATH"), *sys.path) if path]
    done = subprocess.run(
        ["java", "-cp", class_path, str(HERE / "Converters.java"), sys.executable, str(HERE)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    measured = [line.split("\t")[1:] for line in done.stdout.splitlines() if "measured" in line]
    if done.returncode or not measured:
        raise RuntimeError(done.stdout + done.stderr)
    return [
        {"case": f"convert-{kind}", "direction": way, "of": whose, "us_per_element": float(cost)}
        for kind, way, whose, cost in measured
    ]


class Half:
    """The Python half, which Java calls."""

    def __init__(self) -> None:
        row = row_type(FIELDS)
        self._values = {
            "string": [f"order-{i}" for i in range(ELEMENTS)],
            "row of ten": [
                row([f"order-{i}", i, 3.5 * i, True, None, f"customer-{i}", 2**40, 1.25, "GB", "x"])
                for i in range(ELEMENTS)
            ],
            "pickled dict": [
                {"id": f"order-{i}", "amount": 12.5, "items": ["a", "b"], "n": i}
                for i in range(ELEMENTS)
            ],
        }
        self._outputs: dict[str, Outputs] = {}
        self._step = StepOutputs()

    def take_type(self, kind: str, described: bytes) -> None:
        self._outputs[kind] = Outputs(read_description(described), "bench", LocalTelemetry())

    def pickled(self, kind: str, place: int) -> bytes:
        return pickle.dumps(self._values[kind][place])

    def stock_in(self, kind: str, external: Sequence[Any]) -> int:
        convert = self._stock(kind).to_internal
        return len([convert(value) for value in external])

    def take(self, kind: str, pickles: Sequence[bytes]) -> int:
        return len(list(chain.from_iterable(map(pickle.loads, pickles))))

    def stock_out(self, kind: str, _: int) -> tuple[Any, ...]:
        convert = self._stock(kind).to_external
        return tuple([convert(value) for value in self._values[kind]])

    def out(self, kind: str, _: int) -> tuple[bytes, ...]:
        main, add = self._outputs[kind].main, self._step.add
        for value in self._values[kind]:
            add(main(value, str))
        return self._step.take()

    @staticmethod
    def _stock(kind: str) -> Any:
        from pyflink.fn_execution.embedded import converters

        plain = converters.IdentityDataConverter()
        if kind == "row of ten":
            return converters.RowDataConverter([plain] * len(FIELDS), FIELDS)
        return plain if kind == "string" else converters.PickleDataConverter()


half = Half()

if __name__ == "__main__":
    for line in measure_converters():
        print(*line.values(), sep="\t")
