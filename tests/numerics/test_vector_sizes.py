"""Networks of vectors approach the theory as 1/N, from where a few patterns put them.

At N = 2000 planar spins with scalar couplings have 16 examples in the retrieval state, or 16 features in the learning
state: overlaps and energies are several standard errors from the limit.  Here the limit is taken.
"""

from __future__ import annotations

import numpy as np
import pytest

from numerics.finite_size import extrapolate
from numerics.simulate import simulate
from theory.models.vector_random_features import VectorRandomFeatures
from theory.states import solve

SAMPLES = {4: 200, 8: 120, 16: 60}  # by the number of patterns that could be condensed
LIMIT = 5.0  # standard errors; a false alarm in 10^6


def sizes(load: float) -> list[int]:
    return [round(patterns / load) for patterns in SAMPLES]


def simulated(model, start: str, load: float) -> list:
    """One record a size."""
    runs = zip(sizes(load), SAMPLES.values(), strict=True)
    return [simulate(model, N, start=start, samples=n, seed=7, retrieved_above=0.6) for N, n in runs]


def averages(records: list, name: str) -> tuple[list[float], list[float]]:
    """Means over samples that stay in the state, and their errors, by size."""
    means, errors = [], []
    for record in records:
        kept = np.array(record.values[name])[np.array(record.values["retrieved_fraction"]) == 1.0]
        assert len(kept) > 0.85 * record.samples
        means.append(float(kept.mean()))
        errors.append(float(kept.std(ddof=1) / np.sqrt(len(kept))))
    return means, errors


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["scalar", "phasor"])
def test_examples_of_planar_spins_reach_the_theory_as_one_over_n(variant):
    channels = {"scalar": 4, "phasor": 2}[variant]
    model = VectorRandomFeatures(alpha=0.032 / channels, alpha_d=2.0 / channels, d=2, variant=variant)
    expected = solve(model, "example")
    means, errors = averages(simulated(model, "example", model.alpha), "energy")
    limit = extrapolate(sizes(model.alpha), means, errors)
    assert abs(limit.value - expected.free_energy) < LIMIT * limit.error
    assert limit.error < 1.5e-3
    # The condensed example is no noise; where that is one of four it decides.
    assert abs(means[0] - expected.free_energy) > LIMIT * errors[0]
    others = VectorRandomFeatures(0.75 * model.alpha, model.alpha_d, 2, variant)
    assert abs(means[0] - solve(others, "example").free_energy) < LIMIT * errors[0]


@pytest.mark.slow
def test_features_of_planar_spins_reach_the_theory_as_one_over_n():
    model = VectorRandomFeatures(alpha=1.0, alpha_d=0.008, d=2, variant="scalar")
    expected = solve(model, "feature")
    records = simulated(model, "feature", model.alpha_d)
    means, errors = averages(records, "energy")
    limit = extrapolate(sizes(model.alpha_d), means, errors)
    assert abs(limit.value - expected.free_energy) < LIMIT * limit.error
    slower = extrapolate(sizes(model.alpha_d), means, errors, exponent=0.5)
    assert abs(slower.value - expected.free_energy) > LIMIT * slower.error
    means, errors = averages(records, "m")
    limit = extrapolate(sizes(model.alpha_d), means, errors)
    assert abs(limit.value - expected.order_parameters["m"]) < LIMIT * limit.error
