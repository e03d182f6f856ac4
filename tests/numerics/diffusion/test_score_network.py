"""The noise average of the true network by its series: closed forms, double quadrature, and drawn noise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from numerics.diffusion.score_matrices import Disorder, drawn
from numerics.diffusion.score_network import (
    feature_samples,
    hermite,
    noise_average,
    population_average,
    sample_average,
)
from theory.diffusion.constants import activation, gaussian_constants
from theory.diffusion.population import Population, population
from theory.errors import InvalidInput, NotConverged

T = 0.2


def small(p=7, d=30, n=5, law=None):
    return drawn(d, p, n, law or Population(), seed=5, sample=1)


def pair_average(act, sample, t, i, j, nodes=80):
    """``E act_i act_j`` over the noise by a product rule in two independent normal variables."""
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    w = w / w.sum()
    d, root = sample.d, math.sqrt(-math.expm1(-2 * t))
    C = sample.W[[i, j]] @ sample.W[[i, j]].T / d
    h = math.exp(-t) * sample.X @ sample.W[[i, j]].T / math.sqrt(d)
    L = np.linalg.cholesky(C + (1e-15 * np.eye(2) if i != j else 0.0)) if i != j else None
    if L is None:
        y = act(h[:, :1] + root * math.sqrt(C[0, 0]) * x)
        return float(((y * y) @ w).mean())
    first = act(h[:, :1] + root * L[0, 0] * x)  # (n, a)
    second = act(h[:, 1][:, None, None] + root * (L[1, 0] * x[:, None] + L[1, 1] * x))  # (n, a, b)
    return float(np.einsum("na,nab,a,b->n", first, second, w, w).mean())


@pytest.mark.parametrize("name", ["tanh", "erf", "sigmoid"])
@pytest.mark.parametrize("t", [0.01, 0.5])
def test_smooth_activations_by_double_quadrature(name, t):
    sample, act = small(), activation(name)
    found = noise_average(sample, act, t)
    expected = [[pair_average(act, sample, t, i, j) for j in range(7)] for i in range(7)]
    assert found.U == pytest.approx(np.array(expected), abs=3e-9 if t == 0.5 else 1e-12)
    assert found.error < 1e-9


def test_v_is_the_response():
    """``V_i = sqrt(Delta) (w_i/sqrt(d)) E act'`` (Stein), with the derivative of tanh by quadrature."""
    sample, act = small(), activation("tanh")
    x, w = np.polynomial.hermite_e.hermegauss(80)
    w = w / w.sum()
    Delta, d = -math.expm1(-2 * T), sample.d
    width = np.sqrt(Delta * (sample.W**2).sum(axis=1) / d)
    h = math.exp(-T) * sample.W @ sample.X.T / math.sqrt(d)
    response = (1.0 / np.cosh(h[..., None] + width[:, None, None] * x) ** 2 @ w).mean(axis=1)
    expected = math.sqrt(Delta / d) * sample.W * response[:, None]
    assert noise_average(sample, act, T).V == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("law", [Population(), population([0.3, 1.7])])
def test_population_averages_in_closed_form(law):
    sample = small(d=60, law=law)
    levels = math.exp(-2 * T) * sample.covariance - math.expm1(-2 * T)
    K = (sample.W * levels) @ sample.W.T / sample.d
    g = np.sqrt(np.diag(K))
    rho = np.clip(K / np.outer(g, g), -1, 1)
    relu = np.outer(g, g) / (2 * math.pi) * (np.sqrt(1 - rho**2) + rho * (math.pi - np.arccos(rho)))
    found = population_average(sample, activation("relu"), T)
    assert found.U == pytest.approx(relu, abs=max(1e-11, found.error))
    slope = math.sqrt(-math.expm1(-2 * T) / sample.d) / 2
    assert found.V == pytest.approx(slope * sample.W, abs=1e-12)
    erf = 2 / math.pi * np.arcsin(2 * K / np.sqrt(np.outer(1 + 2 * g**2, 1 + 2 * g**2)))
    assert population_average(sample, activation("erf"), T).U == pytest.approx(erf, abs=1e-10)


@pytest.mark.parametrize("name", ["tanh", "relu"])
def test_drawn_noise_has_these_averages(name):
    """49 + 7*30 averages over 20000 noises: none is seven standard errors off."""
    sample, act, m = small(), activation(name), 4000
    features, noise = feature_samples(sample, act, T, m)
    drawn_, exact = sample_average(features, noise), noise_average(sample, act, T)
    for ours, expected, left, right in (
        (drawn_.U, exact.U, features, features),
        (drawn_.V, exact.V, features, noise.T),
    ):
        spread = np.sqrt((left**2 @ (right**2).T) / noise.shape[0] / noise.shape[0])
        assert (np.abs(ours - expected) < 7 * spread).all()
    assert drawn_.noise_power == pytest.approx(1.0, abs=7 * math.sqrt(2 / noise.size))


def test_coefficients_are_those_of_the_gaussian_equivalent():
    """Averaged over h, the first two coefficients give mu0, a and b; with all of them E act^2."""
    c, act = gaussian_constants("tanh", t=T), activation("tanh")
    x, w = np.polynomial.hermite_e.hermegauss(100)
    w = w / w.sum()
    h, width = math.exp(-T) * x[None, :], np.array([math.sqrt(c.Delta)])
    found, power = hermite(act, h, width, range(40))
    assert found[1, 0] @ w == pytest.approx(c.b, abs=1e-12)
    assert (found[0, 0] * x) @ w == pytest.approx(c.a * math.exp(-T), abs=1e-12)
    assert power[0] @ w == pytest.approx(c.second_moment, abs=1e-12)
    assert (found[:, 0] ** 2).sum(axis=0) @ w == pytest.approx(c.second_moment, abs=1e-10)


def test_parallel_features_are_refused():
    sample = small()
    W = sample.W.copy()
    W[1] = W[0]
    with pytest.raises(NotConverged, match="give a larger d"):
        noise_average(Disorder(W, sample.X, sample.covariance, sample.name), activation("relu"), T)


def test_too_many_features_are_refused():
    with pytest.raises(InvalidInput, match="psi_p d <= 6000"):
        noise_average(drawn(4, 6001, 4, Population(), seed=0, sample=0), activation("tanh"), T)
