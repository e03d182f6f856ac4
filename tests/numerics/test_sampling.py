"""Sampling at a temperature: the right averages, against enumeration; honest verdicts; the same numbers however run.

Enumeration tests compare a record's per-sample averages with the exact ones of the same disorder samples.  The
differences of 16 samples have mean zero; a pull beyond 6.5 of their standard errors has probability 1e-5 (Student, 15
degrees of freedom), and about 40 pulls are taken: a false alarm in 4e-4 of all seeds.  Seeds are fixed.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from numerics import disorder, exact
from numerics.simulate import simulate, task
from theory.models.hopfield import Hopfield
from theory.models.random_features import RandomFeatures

N, SAMPLES = 12, 16
HOPFIELD = Hopfield(alpha=0.25, temperature=0.9)
FEATURES = RandomFeatures(alpha=0.5, alpha_d=0.25, temperature=2.0)
TANH = RandomFeatures(alpha=0.5, alpha_d=0.25, temperature=1.0, nonlinearity="tanh")


def enumerated(model: object, start: str, index: int) -> dict[str, float]:
    """Exact averages of one disorder sample over all 2^N configurations, written from the definitions."""
    plan = task(model, N, start=start)
    sample = disorder.draw(plan.law, N=N, P=plan.P, D=plan.D, index=index)
    xi = np.array([disorder.example(sample, mu) for mu in range(plan.P)], dtype=float)
    J = xi.T @ xi / N
    np.fill_diagonal(J, 0.0)
    s = exact.configurations(N).astype(float)
    E = exact.energies(J)
    w = np.exp(-(E - E.min()) / plan.temperature)
    w /= w.sum()
    overlaps = s @ xi.T / N
    correlations = np.einsum("c,ci,cj->ij", w, s, s)
    found = {"energy": w @ E / N, "q2": (correlations**2).sum() / N**2}
    if start == "random":
        found["m"] = w @ np.abs(overlaps[:, 0])
        found["u2"] = w @ (N * overlaps**2).mean(axis=1)
    else:
        found["m"] = w @ overlaps[:, 0]
        found["u2"] = w @ (N * overlaps[:, 1:] ** 2).mean(axis=1)
    if plan.D:
        found["p_d"] = w @ ((s @ sample.features.T) ** 2 / N).mean(axis=1)
        if start == "example":
            found["t"] = w @ (s @ disorder.latent(sample, 0) / N)
    return {name: float(value) for name, value in found.items()}


@pytest.mark.parametrize(
    ("model", "start", "options"),
    [
        (HOPFIELD, "random", {}),
        (HOPFIELD, "example", {"algorithm": "heat-bath"}),
        (FEATURES, "example", {"algorithm": "metropolis"}),
        (TANH, "random", {"algorithm": "heat-bath"}),
        (replace(HOPFIELD, temperature=0.4), "random", {"algorithm": "tempering"}),
    ],
)
def test_averages_are_those_of_enumeration(model, start, options):
    record = simulate(model, N, start=start, samples=SAMPLES, sweeps=1000, **options)
    right = [enumerated(model, start, index) for index in range(SAMPLES)]
    for name in right[0]:
        differences = np.array(record.values[name]) - [row[name] for row in right]
        error = differences.std(ddof=1) / math.sqrt(SAMPLES)
        assert error < 0.05 * max(1.0, abs(right[0][name])), name  # blunt runs prove nothing
        assert abs(differences.mean()) < 6.5 * error, name
