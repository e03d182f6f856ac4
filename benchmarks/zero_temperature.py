"""Zero-temperature kernel against a numba port of the per-spin dot product, in one run.

    OPENBLAS_NUM_THREADS=1 python benchmarks/zero_temperature.py [--write]

Both start from the same random configuration, visit spins in the same order and must end in the same state; only
the way of knowing a local field differs: `h = J[i] @ s` at every proposal (double precision, as in the usual
scripts), or fields that are maintained. Timed runs alternate A, B, A, B, ...; the ratio is that of medians. The
kernel's time includes its initial fields. `--write` appends rows to benchmarks/results/zero_temperature.md.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numba
import numpy as np

from numerics import rng
from numerics.couplings import hebbian
from numerics.disorder import draw
from numerics.dynamics import Quench, quench
from numerics.interactions import interactions
from numerics.kernels.philox import permutation
from theory.ensembles import IidPatterns

TABLE = Path(__file__).parent / "results" / "zero_temperature.md"
HEAD = """# Zero-temperature dynamics: maintained fields against the per-spin dot product

Hopfield model from a random configuration to a local minimum, one thread; medians of alternating runs. Ratios are
comparable between machines, times are not. Made by `python benchmarks/zero_temperature.py --write`.

| date | processor | N | alpha | proposals | flips | dot product (ms) | kernel (ms) | ratio |
|---|---|---|---|---|---|---|---|---|
"""


@numba.njit
def dot_product_quench(J, s, key, max_sweeps):
    """Port of the script loop: the field of a spin is computed when the spin is visited."""
    order = np.empty(s.size, dtype=np.int32)
    for sweep in range(max_sweeps):
        permutation(key, sweep, order)
        changed = False
        for i in order:
            h = J[i] @ s
            if h * s[i] < 0.0:
                s[i] = -s[i]
                changed = True
        if not changed:
            return sweep + 1
    return -1


def alternate(first: Callable[[], object], second: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median seconds of two functions, run in turn."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for run, into in ((first, times[0]), (second, times[1])):
            began = time.perf_counter()
            run()
            into.append(time.perf_counter() - began)
    return statistics.median(times[0]), statistics.median(times[1])


def row(N: int, alpha: float, repeats: int) -> str:
    """One row of the table."""
    sample = draw(IidPatterns(), N=N, P=round(alpha * N))
    system = interactions(sample, starts=1000)  # the couplings are there before the clock starts, for both
    J = hebbian(sample).astype(np.float64)  # integers: its dot products are exact, so both must take the same path
    start = rng.signs(rng.stream("benchmark"), rows=1, columns=N)[0]
    key = rng.stream("benchmark", "order")
    # Small systems are finished before a clock has settled: repeat within one timed call.
    inner = max(1, 4_000_000 // N**2)

    def literal() -> np.ndarray:
        for _ in range(inner):
            state = start.astype(np.float64)
            dot_product_quench(J, state, key, 10_000)
        return state

    def ours() -> Quench:
        for _ in range(inner):
            end = quench(system, start, key=key)
        return end

    end = ours()
    if not np.array_equal(literal(), end.spins):
        raise SystemExit("the two dynamics end in different states; the comparison is void")
    slow, fast = (seconds / inner for seconds in alternate(literal, ours, repeats))
    return (
        f"| {datetime.date.today()} | {processor()} | {N} | {alpha:g} | {end.sweeps * N} | {end.flips} "
        f"| {1e3 * slow:.3g} | {1e3 * fast:.3g} | {slow / fast:.0f} |"
    )


def processor() -> str:
    """Name of the processor, as far as the system tells."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def main() -> None:
    """Print the table; with --write, append it to the committed one."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--write", action="store_true", help=f"append to {TABLE.name}")
    options = parser.parse_args()
    rows = []
    for N, alpha in ((1000, 0.1), (1000, 1.0), (4000, 0.1), (4000, 1.0)):
        rows.append(row(N, alpha, options.repeats))
        print(rows[-1], flush=True)
    if options.write:
        TABLE.parent.mkdir(exist_ok=True)
        text = TABLE.read_text() if TABLE.exists() else HEAD
        TABLE.write_text(text + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
