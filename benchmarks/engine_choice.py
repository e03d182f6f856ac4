"""The engine that is chosen automatically against the best one, at every load.

    OPENBLAS_NUM_THREADS=1 python benchmarks/engine_choice.py [--write]

Zero-temperature runs of the Hopfield model from random configurations, everything counted that a sample costs after it
is drawn: building N J (where it is built), initial fields or overlaps, and the runs. Once for a sample that is used for
one start, and once for 20. The goal is chosen / best <= 1.25 everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

try:
    from benchmarks import harness
except ModuleNotFoundError:  # run as a script
    import harness

from numerics import rng
from numerics.disorder import draw
from numerics.dynamics import quench_many
from numerics.interactions import interactions
from theory.ensembles import IidPatterns

HEAD = """# Automatic choice of the engine against the best

Seconds per sample of building couplings and running zero-temperature dynamics, one thread, medians of alternating
runs. Made by `python benchmarks/engine_choice.py --write`.

| date | processor | N | alpha | starts | overlap (ms) | dense (ms) | chosen | chosen / best |
|---|---|---|---|---|---|---|---|---|
"""
LOADS = (0.002, 0.01, 0.03, 0.1, 0.3, 1.0)


def rows(repeats: int, sizes: tuple[int, ...] = (1000, 4000, 10000)) -> Iterator[str]:
    """Rows of the table."""
    for N in sizes:
        for alpha in LOADS:
            sample = draw(IidPatterns(), N=N, P=round(alpha * N))
            for starts in (1, 20):
                yield row(sample, alpha, starts, 1 if N > 5000 else repeats)


def row(sample, alpha: float, starts: int, repeats: int) -> str:
    """One row: both engines, and which of them is chosen."""
    N = sample.N
    spins = rng.signs(rng.stream("benchmark"), rows=starts, columns=N)
    ends: dict[str, np.ndarray] = {}

    def runner(engine: str):
        def run() -> None:
            ends[engine] = quench_many(interactions(sample, engine=engine, starts=starts), spins).spins

        return run

    dense = interactions(sample, engine="auto", starts=10**6).engine
    dense = dense if dense.startswith("dense") else "dense-int16"
    seconds = harness.alternate({engine: runner(engine) for engine in ("overlap-bits", dense)}, repeats=repeats)
    if not np.array_equal(ends["overlap-bits"], ends[dense]):
        raise SystemExit("the two engines end in different states; the comparison is void")
    chosen = interactions(sample, starts=starts).engine
    taken = seconds["overlap-bits"] if chosen == "overlap-bits" else seconds[dense]
    return (
        f"| {harness.processor()} | {N} | {alpha:g} | {starts} | {1e3 * seconds['overlap-bits']:.3g} "
        f"| {1e3 * seconds[dense]:.3g} | {chosen} | {taken / min(seconds.values()):.2f} |"
    )


if __name__ == "__main__":
    harness.run("engine_choice", HEAD, rows, repeats=5, about=__doc__.partition("\n")[0])
