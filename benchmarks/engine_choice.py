"""The engine that is chosen automatically against the best one, at every load.

    OPENBLAS_NUM_THREADS=1 python benchmarks/engine_choice.py [--write]

Zero-temperature runs of the Hopfield model from random configurations, everything counted that a sample costs after it
is drawn: building N J (where it is built), initial fields or overlaps, and the runs. Once for a sample that is used for
one start, and once for 20. Sampling: 1000 Metropolis sweeps of 4 replicas at a temperature, of which some are run and
the rest is extrapolated, engines being chosen for the acceptance. The goal is chosen / best <= 1.25 everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import harness
import numpy as np

from numerics import rng
from numerics.disorder import Sample, draw
from numerics.dynamics import quench_many
from numerics.interactions import interactions
from numerics.montecarlo import sample as sample_at
from theory.ensembles import IidPatterns

HEAD = """# Automatic choice of the engine against the best

Seconds per sample of building couplings and running (T = 0: quenches of some starts; T > 0: 1000 sweeps of some
replicas), one thread, medians of alternating runs. Made by `python benchmarks/engine_choice.py --write`.

| date | processor | T | N | alpha | starts | overlap (ms) | dense (ms) | chosen | chosen / best |
|---|---|---|---|---|---|---|---|---|---|
"""
LOADS = (0.002, 0.01, 0.03, 0.1, 0.3, 1.0)


def rows(repeats: int, sizes: tuple[int, ...] = (1000, 4000, 10000)) -> Iterator[str]:
    """Rows of the table."""
    for N in sizes:
        for alpha in LOADS:
            sample = draw(IidPatterns(), N=N, P=round(alpha * N))
            for starts in (1, 20):
                yield quenches(sample, alpha, starts, 1 if N > 5000 else repeats)
            for T in (0.3, 1.0):
                yield sampling(sample, alpha, T, 1 if N > 5000 else repeats)


def quenches(sample: Sample, alpha: float, starts: int, repeats: int) -> str:
    """One row: both engines, and which of them is chosen."""
    spins = rng.signs(rng.stream("benchmark"), rows=starts, columns=sample.N)
    ends: dict[str, np.ndarray] = {}

    def runner(engine: str) -> Callable[[], None]:
        def run() -> None:
            ends[engine] = quench_many(interactions(sample, engine=engine, starts=starts), spins).spins

        return run

    kinds = ("overlap-bits", dense_engine(sample))
    seconds = harness.alternate({engine: runner(engine) for engine in kinds}, repeats=repeats)
    if not np.array_equal(ends[kinds[0]], ends[kinds[1]]):
        raise SystemExit("the two engines end in different states; the comparison is void")
    return told(sample.N, alpha, 0.0, starts, seconds, interactions(sample, starts=starts).engine)


def sampling(sample: Sample, alpha: float, T: float, repeats: int, *, replicas: int = 4) -> str:
    """One row: both engines at a temperature."""
    kinds = ("overlap-bits", dense_engine(sample))
    systems = {engine: interactions(sample, engine=engine) for engine in kinds}
    spins = rng.signs(rng.stream("benchmark"), rows=replicas, columns=sample.N)
    warm = sample_at(systems["overlap-bits"], spins, temperature=T, sweeps=40, every=40)
    long = max(40, 300_000 // sample.N)  # long enough for the clock
    ways = {engine: lambda e=engine: interactions(sample, engine=e) for engine in kinds} | {
        f"{engine}, {n}": lambda e=engine, n=n: sample_at(systems[e], warm.spins, temperature=T, sweeps=n, every=n)
        for engine in kinds
        for n in (1, long)
    }
    times = harness.alternate(ways, repeats=repeats)
    seconds = {e: times[e] + 1000 * (times[f"{e}, {long}"] - times[f"{e}, 1"]) / (long - 1) for e in kinds}
    later = sample_at(systems["overlap-bits"], warm.spins, temperature=T, sweeps=8, every=8)
    chosen = interactions(
        sample, work="sampling", starts=replicas, sweeps=1000, acceptance=float(later.acceptance.mean())
    ).engine
    return told(sample.N, alpha, T, replicas, seconds, chosen)


def dense_engine(sample: Sample) -> str:
    """The better one of the dense engines that can hold these couplings."""
    found = interactions(sample, starts=10**6).engine
    return found if found.startswith("dense") else "dense-int16"


def told(N: int, alpha: float, T: float, starts: int, seconds: dict[str, float], chosen: str) -> str:
    """The row in words."""
    overlap, dense = seconds.values()
    taken = overlap if chosen == "overlap-bits" else dense
    return (
        f"| {harness.processor()} | {T:g} | {N} | {alpha:g} | {starts} | {1e3 * overlap:.3g} | {1e3 * dense:.3g} "
        f"| {chosen} | {taken / min(overlap, dense):.2f} |"
    )


if __name__ == "__main__":
    harness.run("engine_choice", HEAD, rows, repeats=5, about=__doc__)
