"""What every benchmark shares: timing in turn, what the machine itself can do, tables that are appended to."""

from __future__ import annotations

import argparse
import datetime
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numba
import numpy as np

from numerics.kernels.compile import ones

__all__ = ["alternate", "gemm_rate", "popcount_rate", "processor", "read_bandwidth", "run"]

RESULTS = Path(__file__).parent / "results"


def alternate(functions: Mapping[str, Callable[[], object]], *, repeats: int) -> dict[str, float]:
    """Median seconds of functions that run in turn, A, B, A, B, ..., after one warm-up of each."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        function()
    for _ in range(repeats):
        for name, function in functions.items():
            began = time.perf_counter()
            function()
            times[name].append(time.perf_counter() - began)
    return {name: statistics.median(measured) for name, measured in times.items()}


@numba.njit(error_model="numpy")
def _sum(words: Any) -> Any:
    total = np.int64(0)
    for k in range(words.size):
        total += words[k]
    return total


@numba.njit(error_model="numpy")
def _count(words: Any) -> Any:
    total = np.uint64(0)
    for k in range(words.size):
        total += ones(words[k])
    return total


def read_bandwidth(array: np.ndarray, *, least_bytes: float = 2e8) -> tuple[Callable[[], object], float]:
    """Return a function that reads `array` from end to end some times, and the bytes that it reads.

    Put it among the functions of :func:`alternate`, so that bandwidth is measured in the same run.
    """
    words = array.reshape(-1)[: array.size - array.size % 8].view(np.int64)
    times = max(1, int(least_bytes / words.nbytes))
    return lambda: [_sum(words) for _ in range(times)], float(times * words.nbytes)


def popcount_rate(words: np.ndarray, *, times: int = 2000) -> tuple[Callable[[], object], float]:
    """Return a function that counts the ones of a (n,) uint64 array some times, and the words that it counts."""
    return lambda: [_count(words) for _ in range(times)], float(times * words.size)


def gemm_rate(size: int, dtype: Any = np.float32) -> tuple[Callable[[], object], float]:
    """Return a function that multiplies two (size, size) matrices, and its number of operations."""
    generator = np.random.default_rng(0)
    a, b = (generator.standard_normal((size, size)).astype(dtype) for _ in range(2))
    out = np.empty_like(a)
    return lambda: np.matmul(a, b, out=out), 2.0 * size**3


def processor() -> str:
    """Name of the processor, as far as the system tells."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def run(name: str, head: str, rows: Callable[[int], Iterable[str]], *, repeats: int, about: str | None = None) -> None:
    """Command line of a benchmark: print its rows; with --write, append them to results/`name`.md.

    Parameters
    ----------
    name : str
    head : str
        What the table begins with, its column titles included.
    rows : callable
        ``rows(repeats)`` yields table rows without the first column, which is the date.
    repeats : int
        Default of ``--repeats``.
    about : str, optional
        Text of ``--help``.
    """
    table = RESULTS / f"{name}.md"
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--repeats", type=int, default=repeats)
    parser.add_argument("--write", action="store_true", help=f"append to {table.name}")
    options = parser.parse_args()
    print(head, end="", flush=True)
    made = []
    for row in rows(options.repeats):
        made.append(f"| {datetime.date.today()} {row}\n")
        print(made[-1], end="", flush=True)
    if options.write:
        table.parent.mkdir(exist_ok=True)
        text = table.read_text() if table.exists() else head
        table.write_text(text + "".join(made))
