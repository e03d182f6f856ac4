"""The weakest pattern of a hidden manifold: linear patterns exactly, limits, differences, and a sampled tilt."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit

from numerics.diffusion.manifold import weak_pattern
from theory.diffusion.hidden_manifold import HiddenManifold, hidden_manifold
from theory.diffusion.latent_channel import normalised
from theory.diffusion.rem import capacity
from theory.diffusion.weak_patterns import WeakPatterns
from theory.saddle import solve


def linear_exponent(s, lam, gamma):
    """Lambda of linear patterns, ``-(gamma/2) E log(1 + 2 s lam a - s lam^2 a^2)`` over the spectrum of ``F^T F/D``."""
    x, w = np.polynomial.legendre.leggauss(300)
    theta, w = 0.5 * math.pi * (x + 1), 0.5 * math.pi * w
    low, high = (1 - math.sqrt(gamma)) ** 2, (1 + math.sqrt(gamma)) ** 2
    b = 0.5 * (low + high) - 0.5 * (high - low) * np.cos(theta)
    w = w * (0.5 * (high - low) * np.sin(theta)) ** 2 / (2 * math.pi * gamma * b)
    a = b / gamma
    return -0.5 * gamma * float(w @ np.log1p(2 * s * lam * a - s * lam**2 * a * a))


@pytest.mark.parametrize("gamma", [0.003, 0.25, 1.3, 8.0])
@pytest.mark.parametrize("share", [0.4, 7.0])
def test_linear_patterns(gamma, share):
    """Given F, z_1 is Gaussian in ``exp(s N zeta)``: a determinant over the Marchenko-Pastur law."""
    sat = gamma / (1 + gamma)
    lam = share * sat
    found = capacity(hidden_manifold(gamma, "linear"), lam)
    best = minimize_scalar(
        lambda log_s: linear_exponent(math.exp(log_s), min(lam, sat), gamma) / (1 + math.exp(log_s)),
        bracket=(0.0, 1.0),
        tol=1e-9,
    )
    assert found.alpha_c == pytest.approx(-best.fun, rel=1e-11)
    weakest = found.details["weakest_pattern"]
    assert weakest["tilt"] == pytest.approx(math.exp(best.x), rel=1e-4)
    assert weakest["rs_stable"]
    assert found.alpha_c_remark == ""
    if share > 1:  # nor does the weakest pattern gain beyond the lambda at which a typical one saturates
        assert weakest["lambda"] == pytest.approx(sat, rel=1e-9)
        nearby = linear_exponent(math.exp(best.x), 1.01 * sat, gamma) / (1 + math.exp(best.x))
        assert nearby > best.fun


def test_many_linear_directions_are_gaussian_patterns():
    loads = [capacity(hidden_manifold(g, "linear"), 3.0).alpha_c for g in (2000.0, 4000.0)]
    assert 2 * loads[1] - loads[0] == pytest.approx(1 / (2 * math.e), abs=1e-7)


def test_many_directions_are_independent_components():
    """gamma -> infinity: Lambda = log E_{u_1} exp(s [log E_u exp(lam act act) - lam act^2])."""
    lam = 0.6
    act = HiddenManifold(1.0, "tanh").act.function
    x = np.linspace(-10, 10, 801)
    w = np.exp(-x * x / 2)
    w /= w.sum()
    y = act(x)
    phi = np.log(np.exp(lam * np.outer(y, y)) @ w) - lam * y * y
    best = minimize_scalar(lambda s: math.log(w @ np.exp(s * phi)) / (1 + s), bracket=(1.0, 2.0), tol=1e-10)
    one, two = (capacity(hidden_manifold(g, "tanh"), lam).alpha_c + best.fun for g in (500.0, 1000.0))
    assert one == pytest.approx(2 * two, rel=1e-2)
    assert abs(2 * two - one) < 1e-6


def test_a_small_tilt_is_the_typical_pattern():
    law, lam = HiddenManifold(0.5, "tanh"), 0.4
    weak, at = WeakPatterns(0.5, law.act), law.at(0.4)
    slopes = []
    for s in (0.002, 0.001):
        x = solve(weak.problem(4, 2), [*at.x, 1.0], [s, lam]).x[0]
        slopes.append(-weak._exponent(np.array([*x, s, lam]), 4) / s)
    assert 2 * slopes[1] - slopes[0] == pytest.approx(lam - at.cumulant.value, abs=1e-6)
    assert abs(slopes[1] - slopes[0]) > 1e-6


@pytest.mark.parametrize(("act", "level"), [("tanh", 3), (np.sign, 1)])
def test_equations_are_the_gradient_and_their_derivatives_differences(act, level):
    weak = WeakPatterns(0.5, HiddenManifold(0.5, act).act)
    x, h = np.array([0.3, 0.1, 0.8, 0.9, 1.3, 0.6]), 1e-4
    f, d = weak._equations(x, level)
    steps = np.eye(6) * h
    exponent = np.array([weak._exponent(x + e, level) - weak._exponent(x - e, level) for e in steps]) / (2 * h)
    _, r, V, R, s, _ = x
    g, W = 0.5, V + s * r
    assert exponent[0] == pytest.approx(-g * s * R * f[0], abs=1e-8)
    assert exponent[1] == pytest.approx(-0.5 * g * s * (f[2] / (V - f[2]) / V + s * f[1] / (V * W)), abs=1e-8)
    assert exponent[3] == pytest.approx(-0.5 * g * f[3] / R, abs=1e-8)
    assert exponent[5] == pytest.approx(s * f[5], abs=1e-8)
    assert f[4] == pytest.approx(((1 + s) * exponent[4] - weak._exponent(x, level)) * (1 + g) / g, abs=1e-7)
    differences = [weak._equations(x + e, level)[0] - weak._equations(x - e, level)[0] for e in steps]
    assert d == pytest.approx(np.array(differences).T / (2 * h), abs=1e-6)


def test_the_weakest_pattern_is_lost_first_and_saturates_earlier():
    found = [capacity(hidden_manifold(g, "tanh"), 5.0) for g in (0.05, 0.25, 2.0)]
    for one in found:
        weakest = one.details["weakest_pattern"]
        assert 0 < one.alpha_c < one.alpha_1
        assert weakest["lambda"] < one.lambda_sat
        assert weakest["norm"] < 1
        assert one.alpha_c_error < 1e-11
        assert weakest["rs_stable"]
    assert [f.alpha_c for f in found] == sorted(f.alpha_c for f in found)
    assert found[1].alpha_c == pytest.approx(capacity(hidden_manifold(0.25), 0.5).alpha_c, rel=1e-12)


def test_activations_that_are_not_odd_are_refused():
    found = HiddenManifold(1.0, "relu").all_patterns(0.3)
    assert found.load is None
    assert "odd activations" in found.remark


def test_odd_to_rounding_is_odd():
    """The logistic function less a half is tanh(x/2)/2, but for the last digit."""
    one, two = (
        capacity(hidden_manifold(1.0, act), 0.5) for act in (lambda x: expit(x) - 0.5, lambda x: 0.5 * np.tanh(0.5 * x))
    )
    assert abs(one.alpha_c - two.alpha_c) <= one.alpha_c_error + two.alpha_c_error
    assert not normalised(lambda x: np.tanh(x) + 1e-9).odd


@pytest.mark.slow
def test_patterns_of_one_norm_differ_by_the_others_alone():
    """Signs: the norm is 1 and R with it; weak patterns of one F overlap, so that alpha_c is a bound, and says so."""
    found = capacity(hidden_manifold(1.0, np.sign), 0.5)
    assert found.details["weakest_pattern"]["norm"] == pytest.approx(1.0, abs=1e-9)
    assert 0.8 * found.alpha_1 > found.alpha_c > 0.5 * found.alpha_1
    assert "lower bound" in found.alpha_c_remark


@pytest.mark.slow
@pytest.mark.parametrize(
    ("act", "gamma", "lam", "tilt"), [("linear", 0.5, 0.3, 1), ("tanh", 0.5, 0.5, 1), ("tanh", 1.0, 0.8, 2)]
)
def test_the_tilt_by_sampling(act, gamma, lam, tilt):
    """Order parameters at a whole number of replicas, sampled given F, 1/N extrapolated; 5 errors (6e-7 each)."""
    from numerics.finite_size import extrapolate

    law = HiddenManifold(gamma, act)
    weak, at = WeakPatterns(gamma, law.act), law.at(lam)
    x = np.array([*at.x, 1.0])
    for s in np.linspace(0.1, tilt, 10):
        x = solve(weak.problem(4, 3), x, [s, lam]).x[0]
    c, _, _, R = x
    gap = weak._equations(np.array([*x, tilt, lam]), 4)[0][5]
    sizes = (24, 48, 96)
    found = [weak_pattern(N, gamma=gamma, lam=lam, tilt=tilt, act=act, samples=300, steps=2500, seed=4) for N in sizes]
    for name, theory in (("norm", R), ("overlap", c * R), ("gap", gap)):
        values = [getattr(f, name) for f in found]
        limit = extrapolate(sizes, [v.value for v in values], [v.error for v in values])
        assert abs(limit.value - theory) < 5 * limit.error
        assert limit.error < 0.05 * abs(theory) + 0.01
