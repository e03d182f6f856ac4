"""Heat-bath sweeps of unit vectors against a literal loop, in one run.

    python benchmarks/vector_montecarlo.py [--write]

The literal loop keeps spins as an array of vectors, sums the field component by component over all neighbours and draws
from the von Mises-Fisher law with NumPy's generator in compiled code, by inversion (d = 3) or by the method of Best and
Fisher (d = 2).  Both have single-precision scalar couplings of 1000 spins and one thread; one walker, and four that
share the couplings.  Mean energies per spin must agree within 3 standard errors of their difference. `--write` appends
to benchmarks/results/vector_montecarlo.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numba
import numpy as np
from harness import alternate, processor, run

from numerics.backends import vector_cpu
from numerics.rng import stream
from numerics.vector_disorder import draw
from numerics.vector_interactions import vector_interactions
from theory.ensembles import IsotropicPatterns

HEAD = """# Heat-bath sweeps of unit vectors, against a literal loop

Scalar couplings, N = 1000, alpha = 0.1, one thread, medians of alternating runs; spins drawn per second. Ratios are
comparable between machines, rates are not. Made by `python benchmarks/vector_montecarlo.py --write`.

| date | processor | d | temperature | walkers | here | literal loop | ratio | energies per spin |
|---|---|---|---|---|---|---|---|---|
"""


@numba.njit(error_model="numpy")
def literal(J: Any, s: Any, beta: float, sweeps: int, generator: Any) -> None:
    """Heat-bath sweeps as one would write them down; s (N, d) changes in place."""
    N, d = s.shape
    h = np.empty(d, dtype=np.float32)
    for _ in range(sweeps):
        for i in range(N):
            for a in range(d):
                h[a] = 0
            for j in range(N):
                for a in range(d):
                    h[a] += J[i, j] * s[j, a]
            size = 0.0
            for a in range(d):
                size += h[a] * h[a]
            size = math.sqrt(size)
            kappa = beta * size
            if d == 2:
                tau = 1.0 + math.sqrt(1.0 + 4.0 * kappa * kappa)
                rho = (tau - math.sqrt(2.0 * tau)) / (2.0 * kappa)
                r = (1.0 + rho * rho) / (2.0 * rho)
                while True:
                    z = math.cos(math.pi * generator.random())
                    f = (1.0 + r * z) / (r + z)
                    c = kappa * (r - f)
                    u = generator.random()
                    if c * (2.0 - c) > u or math.log(c / u) + 1.0 >= c:
                        break
                across = math.sqrt(1.0 - f * f) * (1.0 if generator.random() < 0.5 else -1.0)
                x, y = h[0] / size, h[1] / size
                s[i, 0] = f * x - across * y
                s[i, 1] = f * y + across * x
            else:
                u = generator.random()
                f = 1.0 + math.log(u + (1.0 - u) * math.exp(-2.0 * kappa)) / kappa
                angle = 2.0 * math.pi * generator.random()
                across = math.sqrt(max(0.0, 1.0 - f * f))
                x, y, z = h[0] / size, h[1] / size, h[2] / size
                sign = 1.0 if z >= 0.0 else -1.0
                p, q = -1.0 / (sign + z), -x * y / (sign + z)
                c, e = across * math.cos(angle), across * math.sin(angle)
                s[i, 0] = f * x + c * (1.0 + sign * x * x * p) + e * q
                s[i, 1] = f * y + c * sign * q + e * (sign + y * y * p)
                s[i, 2] = f * z - c * sign * x - e * y


def row(d: int, temperature: float, walkers: int, repeats: int) -> str:
    """One row of the table."""
    sample = draw(IsotropicPatterns(d), N=1000, P=100)
    J = vector_interactions(sample.patterns, kind="scalar", engine="dense")
    assert J.couplings is not None
    generator = np.random.default_rng(0)
    start = generator.standard_normal((walkers, J.N, d))
    start /= np.linalg.norm(start, axis=-1, keepdims=True)
    here = vector_cpu.vector_walkers(J, start)
    there = start[0].astype(np.float32)
    matrix = (J.couplings * np.float32(J.scale)).astype(np.float32)
    keys = np.stack([stream("benchmark", r) for r in range(walkers)])
    beta, done, sweeps = np.full(walkers, 1.0 / temperature), [0], 100
    energies: dict[str, list[float]] = {"here": [], "there": []}

    def ours() -> None:
        vector_cpu.vector_advance(
            here, beta=beta, keys=keys, first_sweep=done[0], sweeps=sweeps, over_relaxations=0, threads=1
        )
        done[0] += sweeps

    def theirs() -> None:
        literal(matrix, there, 1.0 / temperature, sweeps // 4, generator)

    times = alternate({"here": ours, "there": theirs}, repeats=repeats)
    for _ in range(100):
        vector_cpu.vector_advance(
            here, beta=beta, keys=keys, first_sweep=done[0], sweeps=5, over_relaxations=0, threads=1
        )
        done[0] += 5
        energies["here"].append(float(J.energy(here.spins()[0])))
        literal(matrix, there, 1.0 / temperature, 5, generator)
        energies["there"].append(float(J.energy(there)))
    means = {name: float(np.mean(found)) for name, found in energies.items()}
    # Measurements five sweeps apart, in blocks of ten.
    blocks = [np.reshape(found, (10, 10)).mean(axis=1) for found in energies.values()]
    error = math.sqrt(sum(float(block.var(ddof=1)) / 10 for block in blocks))
    verdict = "agree" if abs(means["here"] - means["there"]) < 3 * error else "DIFFER"
    rates = walkers * sweeps * J.N / times["here"], sweeps // 4 * J.N / times["there"]
    return (
        f"| {processor()} | {d} | {temperature:g} | {walkers} | {rates[0]:.3g} /s | {rates[1]:.3g} /s "
        f"| {rates[0] / rates[1]:.3g} | {means['here']:.5f}, {means['there']:.5f} +- {error:.5f}: {verdict} |"
    )


def rows(repeats: int) -> Iterable[str]:
    """All rows of the table."""
    for d in (2, 3):
        for walkers in (1, 4):
            yield row(d, 0.5, walkers, repeats)


if __name__ == "__main__":
    run("vector_montecarlo", HEAD, rows, repeats=7, about=__doc__)
