"""Wall time of whole commands in fresh processes, against what they promise.

    python benchmarks/cold_start.py [--write] [--repeats 3]

Interpreter start, imports, derivation and compilation of the equations are included; numba's kernels are cached after
the first `simulate`.  Medians; `--write` appends rows to benchmarks/results/cold_start.md.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import harness

HEAD = """# Cold starts of the command line

Fresh processes, medians. Made by `python benchmarks/cold_start.py --write`.

| date | command | seconds | promised below |
|---|---|---|---|
"""
COMMANDS = (
    ("--help", 0.5),
    ("threshold hopfield", 2.0),
    ("threshold random-features --alpha-d 1 --state example", 2.0),
    ("simulate random-features --N 1000 --alpha 0.07 --alpha-d 0.5 --start example", 20.0),
    ("diagram random-features --out lines.nc", 10.0),
)


def seconds(command: str, repeats: int) -> float:
    """Median wall time of a command that must succeed."""
    times = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeats):
            began = time.perf_counter()
            run = [sys.executable, "-m", "spinodal", *command.split()]
            subprocess.run(run, cwd=folder, check=True, capture_output=True)
            times.append(time.perf_counter() - began)
    return statistics.median(times)


def rows(repeats: int) -> Iterator[str]:
    """Rows of the table."""
    for command, promised in COMMANDS:
        yield f"| `spinodal {command}` | {seconds(command, repeats):.2f} | {promised:g} |"


if __name__ == "__main__":
    harness.run("cold_start", HEAD, rows, repeats=3, about=__doc__)
