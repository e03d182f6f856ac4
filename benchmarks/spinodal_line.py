"""The L = 3 mixture spinodal line, 93 loads, against the literal scan it replaces, in one run.

    python benchmarks/spinodal_line.py [--write] [--repeats 3]

The literal way, as published studies do it: at every load raise alpha_D in steps of 1e-6, iterate the T = 0
equations with damping 0.7 until no variable moves by more than 1e-5, and call the step where the overlap jumps the
spinodal.  It is compiled (numba) and warm-started from step to step.  Ours is `phase_line` with its two engines.
Errors are against 40-digit spinodals.  Runs alternate A, B, A, B; the ratio is that of medians.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import harness
import mpmath
import numba
import numpy as np

from theory.lines import ENGINES, Boundary, phase_line
from theory.models.random_features import RandomFeatures

HEAD = """# Spinodal line of L = 3 mixtures: fold Newton against the literal damped scan

93 loads alpha = 30 ... 0.001, T = 0, one thread, medians of alternating runs, after one warm-up of each (the compiled
engine takes 5 s once on a machine, 0.5 s once per process after that; the scan compiles in 1 s). Made by
`python benchmarks/spinodal_line.py --write`; the error of either way is against 40-digit spinodals.

| date | processor | scan (s) | sweeps | scan error | engine | phase_line (ms) | error | ratio |
|---|---|---|---|---|---|---|---|---|
"""
K1, KS = 2.0 / math.pi, 1.0 - 2.0 / math.pi


def loads() -> np.ndarray:
    """30 to 10 by 1, then half steps of every decade down to 0.001: 93 values."""
    decades = [np.arange(19, 1, -1) * 0.5 * 10.0**k for k in (0, -1, -2, -3)]
    return np.concatenate([np.arange(30, 9, -1.0), *decades])


@numba.njit(error_model="numpy")
def sweep(v, alpha, alpha_d, damping):
    """One damped Gauss-Seidel pass over (chi, q_hat, dp, dp_hat, p_d, X, m, m_hat); returns the largest move."""
    ratio = alpha / alpha_d
    largest = 0.0
    for k in range(8):
        chi, q_hat, dp, dph, p_d, X, m, m_hat = v
        d1, d2 = 1.0 - K1 * dp - KS * chi, 1.0 - ratio * chi * dph
        s = math.sqrt(alpha * q_hat)
        y = m_hat / s
        if k == 0:
            new = (1.5 * math.exp(-0.5 * y * y) + 0.5 * math.exp(-4.5 * y * y)) / math.sqrt(2 * math.pi) / s
        elif k == 1:
            new = KS * (K1 * p_d + KS) / d1**2 + (X + ratio * dph**2) / d2**2
        elif k == 2:
            new = chi / d2
        elif k == 3:
            new = K1 / d1
        elif k == 4:
            new = 3.0 * m * m / alpha_d + (1.0 + ratio * chi**2 * X) / d2**2
        elif k == 5:
            new = K1 * (K1 * p_d + KS) / d1**2
        elif k == 6:
            new = (0.75 * math.erf(y / math.sqrt(2)) + 0.75 * math.erf(3 * y / math.sqrt(2))) / 3.0
        else:
            new = ratio * dph * m
        move = abs(new - v[k])
        size = 0.5 * (abs(new) + abs(v[k]))
        largest = max(largest, min(move, move / size if size > 0 else move))
        v[k] = (1.0 - damping) * new + damping * v[k]
    return largest


@numba.njit(error_model="numpy")
def literal_scan(alphas, first, step, damping, stop):
    """Spinodals by scanning alpha_D upwards; returns them and the number of sweeps."""
    out, sweeps = np.empty(alphas.size), 0
    for i in range(alphas.size):
        alpha, alpha_d = alphas[i], first
        v = np.array([1e-9, 1.0, 1e-9, K1, 1.0, 1.0, 0.5, 1.0])
        v[4] = 0.75 / alpha_d + 1.0
        v[5] = K1 * (K1 * v[4] + KS)
        v[1] = KS * (K1 * v[4] + KS) + v[5] + alpha / alpha_d * K1**2
        v[7] = alpha / alpha_d * K1 * v[6]
        previous = 0.5
        while True:
            for _ in range(100000):
                sweeps += 1
                if not sweep(v, alpha, alpha_d, damping) > stop:
                    break
            if not abs(v[6] - previous) < 0.15:
                break
            previous = v[6]
            alpha_d += step
        out[i] = alpha_d
    return out, sweeps


def exact(alphas: np.ndarray, starts: np.ndarray) -> list[mpmath.mpf]:
    """40-digit spinodals: the maximum over y of the explicit solution alpha_D(y; alpha/alpha_D)."""
    mpmath.mp.dps = 40
    k1, ks = 2 / mpmath.pi, 1 - 2 / mpmath.pi
    phi = lambda u: mpmath.exp(-u * u / 2) / mpmath.sqrt(2 * mpmath.pi)

    def load(y, ratio):
        m = (mpmath.erf(y / mpmath.sqrt(2)) + mpmath.erf(3 * y / mpmath.sqrt(2))) / 4
        c = (mpmath.mpf(3) / 2 * phi(y) + mpmath.mpf(1) / 2 * phi(3 * y)) * y / m
        a, rho = 1 / (1 - c) ** 2, ks / k1
        e = a * c * c / ratio
        return m**2 * (ratio / y**2 - 3 * (rho + a) / (1 - e)) / ((rho + a) ** 2 / (1 - e) + a * ratio)

    found = []
    for alpha, start in zip(map(mpmath.mpf, alphas.tolist()), starts, strict=True):
        guess = alpha / mpmath.mpf(float(start))
        grid = np.linspace(1.0, 6.0, 400)
        values = [load(mpmath.mpf(float(y)), guess) for y in grid]
        top = max(k for k in range(1, 399) if values[k - 1] < values[k] > values[k + 1])
        equations = lambda y, d, alpha=alpha: [
            mpmath.diff(lambda u: load(u, alpha / d), y), load(y, alpha / d) - d
        ]  # fmt: skip
        root = mpmath.findroot(equations, (mpmath.mpf(float(grid[top])), mpmath.mpf(float(start))), tol=1e-50)
        found.append(root[1])
    return found


def rows(repeats: int) -> Iterator[str]:
    """Rows of the table."""
    alphas = loads()
    times: dict[str, list[float]] = {}

    def ours(engine: str) -> Boundary:
        return phase_line(RandomFeatures(), "mixture", L=3, vary="alpha_d", along="alpha", values=alphas, engine=engine)

    def timed(name: str, run: Callable[[], Any], repeats: int) -> Any:
        for _ in range(repeats):
            began = time.perf_counter()
            result = run()
            times.setdefault(name, []).append(time.perf_counter() - began)
        return result

    literal_scan(alphas[-2:], 1e-5, 1e-6, 0.7, 1e-5)
    lines = {engine: ours(engine) for engine in ENGINES}
    for _ in range(repeats):
        published, sweeps = timed("scan", lambda: literal_scan(alphas, 1e-6, 1e-6, 0.7, 1e-5), 1)
        for engine in ENGINES:  # a scan takes as long as a thousand lines: five lines for each
            lines[engine] = timed(engine, lambda engine=engine: ours(engine), 5)
    true = exact(alphas, lines["numpy"].values)
    scan_error = max(abs(mpmath.mpf(float(v)) - t) for v, t in zip(published, true, strict=True))
    scan = statistics.median(times["scan"])
    for engine in ENGINES:
        error = max(abs(mpmath.mpf(float(v)) - t) for v, t in zip(lines[engine].values, true, strict=True))
        own = statistics.median(times[engine])
        yield (
            f"| {harness.processor()} | {scan:.2f} | {sweeps:.2g} | {float(scan_error):.1e} "
            f"| {engine} | {1e3 * own:.2f} | {float(error):.1e} | {scan / own:.0f} |"
        )


if __name__ == "__main__":
    harness.run("spinodal_line", HEAD, rows, repeats=3, about=__doc__)
