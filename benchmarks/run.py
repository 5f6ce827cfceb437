"""Measures the operator against PyFlink's own in the same run: ``make bench``.

Prints a table and writes JSON lines to ``benchmarks/results.jsonl``. The time of a case is the
difference of a long and a short run of the same job, so that starting a job does not count.
A shared machine is faster in one minute than in the next: the stock operator is measured before
and after each case, and what a case is compared with is the mean of these two.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from cases import CASES, STOCK, Case, Run, run_job
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
RESULTS = HERE / "results.jsonl"
SHORT_RUN = 0.1


def measure(case: Case, backend: str, size: int, scale: float) -> tuple[float, Run]:
    """Microseconds per element, and the longer run."""
    long = max(100, int(case.elements * scale))
    short = max(10, int(long * SHORT_RUN))
    run_job(case, backend, size, short)  # warms the JVM's compiler up
    baseline = run_job(case, backend, size, short)
    run = run_job(case, backend, size, long)
    return (run.seconds - baseline.seconds) / (long - short) * 1e6, run


def main() -> int:
    arguments = parse_arguments()
    # the interpreter inside the JVM unpickles the handlers of cases.py by reference
    paths = (str(HERE.resolve()), os.environ.get("PYTHONPATH"))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    # a file has no width; in the 80 columns that rich takes it to have no number can be read
    console = Console(width=None if sys.stdout.isatty() else 130)
    cases = [case for case in CASES if case.name in arguments.cases]
    table = Table(
        *("case", "backend", "payload", "us/element", "us/call", "stock", "ratio", "limit"),
        *("calls/s", "p50 ms", "p99 ms"),
    )
    missed = False
    lines = []
    for backend in arguments.backends:
        for size in arguments.sizes:
            console.log(f"{STOCK.name} on {backend}, {size} B")
            before, _ = measure(STOCK, backend, size, arguments.scale)
            for case in cases:
                console.log(f"{case.name} on {backend}, {size} B")
                per_element, run = measure(case, backend, size, arguments.scale)
                after, _ = measure(STOCK, backend, size, arguments.scale)
                stock, before = (before + after) / 2, after
                ratio = per_element / case.calls / stock
                per_second = case.calls / per_element * 1e6
                over = case.limit is not None and backend == "hashmap" and ratio > case.limit
                over |= per_second < case.least
                p50, p99 = run.percentile(50), run.percentile(99)
                missed |= over
                lines.append(
                    {
                        "case": case.name,
                        "backend": backend,
                        "payload_bytes": size,
                        "us_per_element": round(per_element, 1),
                        "us_per_call": round(per_element / case.calls, 1),
                        "us_per_element_of_stock": round(stock, 1),
                        "ratio_to_stock": round(ratio, 2),
                        "calls_per_second": round(per_second),
                        "latency_p50_ms": p50,
                        "latency_p99_ms": p99,
                    }
                )
                table.add_row(
                    case.name,
                    backend,
                    f"{size:,} B",
                    f"{per_element:,.1f}",
                    f"{per_element / case.calls:,.1f}",
                    f"{stock:,.1f}",
                    f"[{'red' if over else 'default'}]{ratio:.2f}[/]",
                    f"{case.least:,}/s" if case.least else f"{case.limit or ''}",
                    f"{per_second:,.0f}",
                    "" if p50 is None else f"{p50:,.0f}",
                    "" if p99 is None else f"{p99:,.0f}",
                )
    if arguments.idle:
        lines += measure_idle(console)
    if arguments.state:
        lines += measure_state(console)
    if arguments.converters:
        lines += measure_values(console)
    if arguments.fidelity:
        lines += measure_kinds(console)
        lines += measure_settings(console)
    console.print(table)
    RESULTS.write_text("".join(json.dumps(line) + "\n" for line in lines))
    console.print(f"written to {RESULTS.name}")
    return 1 if missed and arguments.strict else 0


def measure_idle(console: Console) -> list[dict[str, object]]:
    """Heap that finished invocations leave behind, CPU that waiting ones use."""
    from memory import FINISHED, WAITING, heap_per_finished_invocation, idle_cpu

    with tempfile.TemporaryDirectory() as folder:
        console.log(f"heap after {FINISHED:,} finished invocations")
        heap = heap_per_finished_invocation(Path(folder))
        console.log(f"CPU with {WAITING:,} calls waiting")
        cpu = idle_cpu(Path(folder))
    for name, size in heap.items():
        console.print(f"{name}: {size:,.0f} B of heap per finished invocation")
    for name, seconds in cpu.items():
        console.print(f"{name}: {seconds:.3f} CPU seconds per second while idle")
    lines: list[dict[str, object]] = [
        {
            "case": f"heap-{name}",
            "backend": "hashmap",
            "heap_bytes_per_finished_invocation": round(size),
        }
        for name, size in heap.items()
    ]
    return lines + [
        {
            "case": f"idle-{name}",
            "backend": "hashmap",
            "cpu_seconds_per_second": round(seconds, 4),
        }
        for name, seconds in cpu.items()
    ]


def measure_state(console: Console) -> list[dict[str, object]]:
    """Bytes that checkpoints write while batches of different sizes are under way."""
    from state import BATCHES, KEYS, bytes_written

    table = Table("backend", "batch", "checkpoints", "bytes/checkpoint", "and call")
    lines: list[dict[str, object]] = []
    for backend in ("rocksdb", "hashmap"):
        for batch in BATCHES:
            console.log(f"state of batches of {batch} on {backend}")
            sizes = bytes_written(backend, batch)
            mean = sum(sizes) / len(sizes)
            per_call = round(mean / KEYS / batch, 1)
            table.add_row(backend, f"{batch}", f"{len(sizes)}", f"{mean:,.0f}", f"{per_call}")
            lines.append(
                {
                    "case": f"state-batch-{batch}",
                    "backend": backend,
                    "checkpoints": len(sizes),
                    "bytes_per_checkpoint": round(mean),
                    "bytes_per_checkpoint_and_call": per_call,
                }
            )
    console.print(table)
    return lines


def measure_values(console: Console) -> list[dict[str, object]]:
    """Microseconds that an element takes from Java to Python, and back."""
    from converters import measure_converters

    console.log("converters")
    table = Table("values", "direction", "converters", "us/element")
    lines = measure_converters()
    for line in lines:
        table.add_row(*map(str, line.values()))
    console.print(table)
    return lines


def measure_kinds(console: Console) -> list[dict[str, object]]:
    """Microseconds that each kind of value takes to be the same in every run."""
    from fidelity import measure_fidelity

    console.log("fidelity")
    lines = measure_fidelity()
    columns = ("case", "us_identity", "us_copy", "us_result")
    table = Table("value", "identity", "copy", "result")
    for line in lines:
        table.add_row(*(str(line.get(column, "")) for column in columns))
    console.print(table)
    return lines


def measure_settings(console: Console) -> list[dict[str, object]]:
    """What a result costs to write, by its size and the settings of the operator."""
    from payloads import measure_payloads

    console.log("payloads")
    lines = measure_payloads()
    table = Table("payload", "us write", "us read", "bytes", "ratio to pickle")
    for line in lines:
        table.add_row(*map(str, line.values()))
    console.print(table)
    return lines


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    names = [case.name for case in CASES]
    parser.add_argument("--cases", nargs="+", default=names, choices=names)
    parser.add_argument("--backends", nargs="+", default=["hashmap", "rocksdb"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[100, 10_000], help="bytes")
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the elements")
    parser.add_argument("--no-idle", dest="idle", action="store_false")
    parser.add_argument("--no-state", dest="state", action="store_false")
    parser.add_argument("--no-converters", dest="converters", action="store_false")
    parser.add_argument("--no-fidelity", dest="fidelity", action="store_false")
    parser.add_argument("--strict", action="store_true", help="exit 1 if a limit is missed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
