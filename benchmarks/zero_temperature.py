"""Zero-temperature kernel against a numba port of the per-spin dot product, and against the machine's own floor.

    OPENBLAS_NUM_THREADS=1 python benchmarks/zero_temperature.py [--write]

Both start from the same random configuration, visit spins in the same order and must end in the same state; only the
way of knowing a local field differs: `h = J[i] @ s` at every proposal (double precision, as in the usual scripts), or
fields that are maintained.  The kernel's time includes its initial fields.  The floor is what a proposal and a flip
cost at least: 0.65 ns to look at a spin, and reading one row of N J at the rate at which the same matrix is read from
end to end in the same run; it is compared with the kernel's time without initial fields.  Systems of N = 1000 are done
20 times in one timed call, as they would be.
"""

from __future__ import annotations

from collections.abc import Iterator

import harness
import numba
import numpy as np

from numerics import rng
from numerics.couplings import hebbian
from numerics.disorder import draw
from numerics.dynamics import Quenches, quench_many
from numerics.interactions import interactions
from numerics.kernels.philox import permutation
from theory.ensembles import IidPatterns

HEAD = """# Zero-temperature dynamics: maintained fields against the per-spin dot product, and against the floor

Hopfield model from random configurations to local minima, one thread; medians of alternating runs. Floor: 0.65 ns per
proposal and the bytes of a row per flip at the read bandwidth of the same run. Ratios are comparable between machines,
times are not. Made by `python benchmarks/zero_temperature.py --write`.

| date | processor | N | alpha | engine | runs | proposals | flips | dot (ms) | here (ms) | ratio | read GB/s | floor |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
"""
SCAN = 0.65e-9  # seconds to look at a spin


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


def row(N: int, alpha: float, engine: str, repeats: int) -> str:
    """One row of the table."""
    sample = draw(IidPatterns(), N=N, P=round(alpha * N))
    system = interactions(sample, engine=engine)  # the couplings are there before the clock starts, for both
    assert system.matrix is not None
    runs = 20 if N < 2000 else 1
    starts = rng.signs(rng.stream("benchmark"), rows=runs, columns=N)
    keys = np.stack([rng.stream("benchmark", "order", r) for r in range(runs)])
    J = hebbian(sample).astype(np.float64)  # integers: its dot products are exact, so both must take the same path

    def literal() -> np.ndarray:
        states = starts.astype(np.float64)
        for state, key in zip(states, keys, strict=True):
            dot_product_quench(J, state, key, 10_000)
        return states

    def ours() -> Quenches:
        return quench_many(system, starts, keys=keys)

    read, amount = harness.read_bandwidth(system.matrix)
    functions = {"ours": ours, "fields": lambda: [system.fields(s) for s in starts], "read": read}
    if N <= 4000:
        functions["literal"] = literal
    end = ours()
    if N <= 4000 and not np.array_equal(literal(), end.spins):
        raise SystemExit("the two dynamics end in different states; the comparison is void")
    seconds = harness.alternate(functions, repeats=repeats)
    proposals, flips = int(end.sweeps.sum()) * N, int(end.flips.sum())
    stream = amount / seconds["read"]
    floor = proposals * SCAN + flips * N * system.matrix.itemsize / stream
    slow = seconds.get("literal")
    told = f"{1e3 * slow:.3g} | {1e3 * seconds['ours']:.3g} | {slow / seconds['ours']:.0f}" if slow else (
        f"- | {1e3 * seconds['ours']:.3g} | -"
    )  # fmt: skip
    return (
        f"| {harness.processor()} | {N} | {alpha:g} | {engine} | {runs} | {proposals} | {flips} | {told} "
        f"| {stream / 1e9:.3g} | {100 * floor / (seconds['ours'] - seconds['fields']):.0f} % |"
    )


def rows(repeats: int) -> Iterator[str]:
    """Rows of the table."""
    for N, alpha in ((1000, 0.1), (1000, 1.0), (4000, 0.1), (4000, 1.0), (10_000, 0.1)):
        # A sum of P <= 2000 signs has its N values within 8 bits of one parity.
        for engine in ("dense-int16",) if alpha * N > 2000 else ("dense-int16", "dense-int8"):
            yield row(N, alpha, engine, repeats)


if __name__ == "__main__":
    harness.run("zero_temperature", HEAD, rows, repeats=7, about=__doc__)
