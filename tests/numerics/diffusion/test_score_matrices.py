"""Gaussian-equivalent matrices of score models: low rank against dense, and every eigenvalue where theory says."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from numerics.diffusion.score_matrices import covariance, drawn, equivalent_eigenvalues, equivalent_modes, realised
from numerics.diffusion.score_network import Averages, network_modes
from numerics.diffusion.score_training import Setting, losses
from spinodal.score_validation import REACH, edge_units
from theory.diffusion.bulks import bulks
from theory.diffusion.constants import gaussian_constants
from theory.diffusion.population import Population, population
from theory.diffusion.resolvent import ScoreModel
from theory.errors import InvalidInput

LAWS = (Population(), population([0.4, 1.6]))


def dense(sample, c):
    """U, V and U' written out, p x p."""
    W, X, d, n, p = sample.W, sample.X, sample.d, sample.n, sample.p
    G = math.sqrt(c.A) * W @ X.T / math.sqrt(d)
    G = G + c.v * sample.gaussians("nonlinear part", rows=p, columns=n)
    B = c.b_squared * W @ W.T / d + c.s_squared * np.eye(p)
    fresh = c.A * (W * sample.covariance) @ W.T / d + c.v_squared * np.eye(p) + B
    return G @ G.T / n + B, c.b * W / math.sqrt(d), fresh


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(("p", "n"), [(60, 20), (40, 30), (20, 50), (42, 30)])
def test_low_rank_is_dense(p, n, law):
    c = gaussian_constants("tanh", t=0.05, sigma2=law.sigma2)
    sample = drawn(12, p, n, law, seed=1, sample=2)
    U, V, fresh = dense(sample, c)
    whole = np.linalg.eigvalsh(U)
    values, times = equivalent_eigenvalues(sample, c)
    assert times == max(0, p - n - 12)
    assert np.sort(np.concatenate([np.full(times, c.s_squared), values])) == pytest.approx(whole, abs=1e-12)
    modes = equivalent_modes(sample, c)
    assert modes.all == pytest.approx(whole, abs=1e-12)
    direct = network_modes(Averages(U, V, 0, 0.0), Averages(fresh, V, 0, 0.0))
    setting, tau = Setting(p / 12, c.Delta, 0.5), [0.0, 1.0, 30.0, 1e4, math.inf]
    for ours, expected in zip(losses(modes, setting, tau), losses(direct, setting, tau), strict=True):
        assert ours == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_samples_are_named_and_grow():
    one, same, other = (drawn(10, 30, 20, Population(), seed=s, sample=0) for s in (3, 3, 4))
    assert (one.W == same.W).all()
    assert (one.X == same.X).all()
    assert abs(np.corrcoef(one.W.ravel(), other.W.ravel())[0, 1]) < 0.3
    assert (drawn(10, 50, 20, Population(), seed=3, sample=0).W[:30] == one.W).all()


def test_covariance_has_the_law():
    assert covariance(population([0.4, 1.6]), 6).tolist() == [0.4] * 3 + [1.6] * 3
    law = Population.from_density(lambda x: np.sqrt((x - 1) * (3 - x)), 1.0, 3.0)
    assert covariance(law, 400).mean() == pytest.approx(2.0, abs=2e-3)
    d = 50
    X = drawn(d, 5, 4000, population([0.4, 1.6]), seed=0, sample=0).X
    # Of 50 variances with relative error sqrt(2/4000) none is six errors off.
    assert (X**2).mean(axis=0) == pytest.approx(covariance(population([0.4, 1.6]), d), rel=6 * math.sqrt(2 / 4000))


def farthest(model, d, c=None):
    """Distance of the extreme eigenvalues of every bulk from its edges, in Tracy-Widom units."""
    p, n = realised(d, model.psi_p, model.psi_n)
    values, times = equivalent_eigenvalues(drawn(d, p, n, model.population, seed=0, sample=0), c or model.constants)
    found, top = {}, values.size
    for bulk in reversed(bulks(model).bulks):
        bottom = top - round(bulk.weight * p)
        low, high = edge_units(model, bulk, p)
        inside = values[bottom:top]
        found[bulk.name] = max(abs(inside[0] - bulk.low) / low, abs(inside[-1] - bulk.high) / high)
        top = bottom
    assert top == 0
    assert times == round(model.atom * p)
    return found


@pytest.mark.parametrize(
    ("psi_p", "psi_n", "t", "activation", "sigma"),
    [
        (16, 4, 0.01, "tanh", 1.0),
        (8, 2, 0.1, "relu", 1.0),
        (2, 8, 0.01, "tanh", 1.0),
        (6, 3, 0.05, "tanh", [0.1, 4.0]),
        pytest.param(64, 8, 0.01, "tanh", 1.0, marks=pytest.mark.slow),
        pytest.param(64, 8, 0.3, "tanh", 1.0, marks=pytest.mark.slow),
        pytest.param(8, 64, 0.01, "tanh", 1.0, marks=pytest.mark.slow),
    ],
)
def test_every_eigenvalue_is_in_its_bulk(psi_p, psi_n, t, activation, sigma):
    """At d = 200 extreme eigenvalues are within 10 units (p C)^{-2/3} ~ d^{-2/3} of the edges (1e-9 per edge)."""
    model = ScoreModel(psi_p, psi_n, t, activation, sigma)
    parts = [bulk.name for bulk in bulks(model).bulks]
    found = farthest(model, 200)
    assert found.keys() == set(parts)
    assert max(found.values()) < REACH


def test_a_noise_term_smaller_by_d_is_noticed():
    """That slip removes the hidden bulk."""
    model = ScoreModel(16, 4, 0.01)
    wrong = replace(model.constants, b_squared=model.constants.b_squared / 200)
    assert farthest(model, 200, wrong)["3"] > 2 * REACH


@pytest.mark.parametrize(
    ("d", "psi_p", "psi_n"), [(2, 4, 2), (10.5, 4, 2), (True, 4, 2), (10, math.nan, 2), (10, 4, 0.01)]
)
def test_refusals(d, psi_p, psi_n):
    with pytest.raises(InvalidInput, match="give"):
        realised(d, psi_p, psi_n)
    with pytest.raises(InvalidInput, match="memory; give d <="):
        realised(10_000, 64, 8)
