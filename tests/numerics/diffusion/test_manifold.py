"""The sampler of hidden manifolds: exact tilted averages of given features, and the replica-symmetric theory."""

from __future__ import annotations

import math

import numpy as np
import pytest

from numerics.diffusion.levels import random
from numerics.diffusion.manifold import _tilted, tilted_overlap
from numerics.finite_size import extrapolate
from theory.diffusion.hidden_manifold import HiddenManifold
from theory.errors import InvalidInput


def drawn(N, D, samples, seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(samples, N, D)) / math.sqrt(D), rng.normal(size=(samples, D))


def test_linear_patterns_given_their_features():
    """exp(lambda y.Fz) tilts z to a Gaussian of mean lambda F^T y: the overlap is lambda |F^T y|^2/N."""
    N, D, lam, samples = 20, 10, 0.3, 200
    F, z1 = drawn(N, D, samples, 1)
    y = np.einsum("snd,sd->sn", F, z1)
    exact = lam * (np.einsum("snd,sn->sd", F, y) ** 2).sum(axis=1) / N
    found = _tilted(F, lambda h: h, y, z1.copy(), lam, 1500, random("linear"))
    difference = found - exact
    assert abs(difference.mean()) < 5 * difference.std() / math.sqrt(samples)
    assert difference.std() < 0.2 * exact.std()


def test_curved_patterns_given_their_features():
    """Two latent directions: the tilted average by quadrature."""
    N, D, lam, samples = 6, 2, 0.8, 300
    F, z1 = drawn(N, D, samples, 2)
    y = np.tanh(np.einsum("snd,sd->sn", F, z1))
    x = np.linspace(-7, 7, 141)
    z = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)
    exact = np.empty(samples)
    for k in range(samples):
        overlap = np.tanh(z @ F[k].T) @ y[k]
        weight = np.exp(lam * overlap - 0.5 * (z**2).sum(axis=1))
        exact[k] = weight @ overlap / weight.sum() / N
    difference = _tilted(F, np.tanh, y, z1[::-1].copy(), lam, 1500, random("curved")) - exact
    assert abs(difference.mean()) < 5 * difference.std() / math.sqrt(samples)
    assert difference.std() < 0.2 * exact.std()


def test_both_starts_reach_the_same_overlap():
    one, two = (
        tilted_overlap(40, gamma=0.25, lam=0.5, samples=32, steps=1200, planted=planted) for planted in (False, True)
    )
    # the same features and planted patterns, so that samples do not differ
    assert one.value == pytest.approx(two.value, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("act", "gamma", "lam"), [("linear", 0.5, 0.3), ("tanh", 0.25, 0.5), ("tanh", 1.0, 1.2)])
def test_the_slope_of_the_cumulant_function(act, gamma, lam):
    """zeta'(lambda) by sampling, 1/N extrapolated, against the replica-symmetric saddle point."""
    sizes = (24, 48, 96)
    found = [tilted_overlap(N, gamma=gamma, lam=lam, act=act, samples=400, steps=2000, seed=3) for N in sizes]
    limit = extrapolate(sizes, [f.value for f in found], [f.error for f in found])
    theory = HiddenManifold(gamma, act).at(lam).cumulant.slope
    assert abs(limit.value - theory) < 5 * limit.error
    assert limit.error < 0.04 * theory


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"N": 1}, "N = 1"),
        ({"gamma": 0.0}, "gamma = 0"),
        ({"lam": -1.0}, "lambda = -1"),
        ({"samples": 1}, "samples = 1"),
        ({"steps": 2}, "steps = 2"),
        ({"act": "tanhh"}, "did you mean 'tanh'"),
    ],
)
def test_misuse_is_told_in_one_sentence(arguments, words):
    with pytest.raises(InvalidInput, match=words):
        tilted_overlap(**({"N": 20, "gamma": 1.0, "lam": 0.3} | arguments))
