"""The vector-spin random-features model against closed forms, limits and its explicit T = 0 theory."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import gamma, hyp1f1

from theory.errors import InvalidInput
from theory.models.random_features import RandomFeatures
from theory.models.vector_hopfield import VectorHopfield
from theory.models.vector_random_features import VectorRandomFeatures
from theory.phase import threshold
from theory.states import solve


def effective(**values):
    return VectorRandomFeatures(**values, effective=True)


def known(solution):
    return {k: v for k, v in solution.order_parameters.items() if v is not None}


# --- the explicit T = 0 theory, written down on its own -----------------------------------------------------------


def kappa(d):
    return math.sqrt(2.0 / d) * gamma(0.5 * (d + 1)) / gamma(0.5 * d)


def aligned(b, d):
    """Mean of n.h/|h| for h = b sqrt(d) n + z."""
    return kappa(d) * b * hyp1f1(0.5, 0.5 * d + 1.0, -0.5 * d * b * b)


def spread(b, d):
    """Mean of z.h/|h| over sqrt(d)."""
    return kappa(d) * hyp1f1(-0.5, 0.5 * d, -0.5 * d * b * b) - b * aligned(b, d)


def alpha_d_of(ratio, field, amplified, C, d, L=1):
    """The load of features for alpha_T = ratio, the amplified overlap and its field in units of the noise."""
    rho = 1.0 / kappa(d) ** 2 - 1.0
    a = 1.0 / (1.0 - C) ** 2
    e = a * C * C / ratio
    top = ratio / field**2 - L * (rho + a) / (1.0 - e)
    return amplified**2 * top / ((rho + a) ** 2 / (1.0 - e) + a * ratio)


def pair_length(phi):
    """Average of phi(R) over the sum of two unit vectors in the plane."""
    return quad(lambda angle: phi(2.0 * math.cos(angle)), 0.0, 0.5 * math.pi, epsabs=1e-13)[0] * 2.0 / math.pi


def explicit_features(y, d, L):
    if L == 1:
        m, g = aligned(y, d), spread(y, d)
    else:
        m, g = pair_length(lambda R: R * aligned(y * R, d)) / 2.0, pair_length(lambda R: spread(y * R, d))
    return m, g * y / m


def explicit_example(y, tau, d):
    """alpha_T and alpha_d of the example with m/s = y and t_hat/s = tau."""
    norm = 2.0 ** (1.0 - 0.5 * d) / gamma(0.5 * d)

    def mean(phi):
        law = lambda r: norm * r ** (d - 1) * math.exp(-0.5 * r * r) * phi(r / math.sqrt(d))
        return quad(law, 0.0, 12.0, epsabs=1e-14, epsrel=1e-13)[0]

    m = mean(lambda rho: aligned(y + tau * rho, d))
    t = mean(lambda rho: rho * aligned(y + tau * rho, d))
    g = mean(lambda rho: spread(y + tau * rho, d))
    k, C, response = kappa(d) ** 2, g * tau / t, g * y / m
    K = k / (1.0 - C) + 1.0 - k
    ratio = tau * m / (y * t) * (1.0 - response * K) / k
    return ratio, alpha_d_of(ratio, tau, t, C, d)


@pytest.mark.parametrize(("d", "L"), [(1, 1), (2, 1), (3, 1), (7, 1), (2, 2)])
@pytest.mark.parametrize("ratio", [150.0, 3000.0])
def test_learning_is_the_maximum_of_the_explicit_load(d, L, ratio):
    ratio *= 1.0 if d < 7 else 10.0
    ratio *= 1.0 if L == 1 else 50.0

    def load(y):
        m, C = explicit_features(y, d, L)
        return -alpha_d_of(ratio, y, m, C, d, L)

    bracket = (0.6, 0.9, 1.2) if L > 1 else (1.2, 1.7 if d > 1 else 2.2, 3.0)
    best = minimize_scalar(load, bracket=bracket, options={"xtol": 1e-9})
    alpha_d = -best.fun
    state = "feature" if L == 1 else "mixture"
    found = threshold(effective(alpha=ratio * alpha_d, d=d), state, vary="alpha_d", L=L if L > 1 else None)
    assert found.value == pytest.approx(alpha_d, rel=1e-11)
    field = found.order_parameters["m_hat"] / math.sqrt(ratio * alpha_d * found.order_parameters["q_hat"])
    assert field == pytest.approx(best.x, rel=1e-5)


@pytest.mark.parametrize(("d", "alpha_d"), [(1, 0.5), (2, 1.0), (3, 0.05), (8, 0.3)])
def test_storage_is_a_fold_of_the_explicit_map(d, alpha_d):
    found = threshold(effective(alpha_d=alpha_d, d=d))
    at = found.order_parameters
    noise = math.sqrt(found.value * at["q_hat"])
    y, tau = at["m"] / noise, at["t_hat"] / noise
    assert explicit_example(y, tau, d) == pytest.approx((found.value / alpha_d, alpha_d), rel=1e-10)
    h = 2e-3

    def slope(a, b):
        """Fourth-order difference of logarithms along (a, b) in the logarithms of y and tau."""
        moved = lambda k: np.log(explicit_example(y * math.exp(k * a), tau * math.exp(k * b), d))
        near, far = (moved(k) - moved(-k) for k in (h, 2 * h))
        return (8 * near - far) / (12 * h)

    slopes = np.array([slope(1, 0), slope(0, 1)])
    assert abs(np.linalg.det(slopes)) < 1e-6 * np.abs(slopes[0] * slopes[1, ::-1]).sum()


# --- numbers derived elsewhere ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("d", "value"), [(1, 0.10488231), (2, 0.02486938), (3, 0.01039354)])
def test_storage_at_equal_effective_loads(d, value):
    assert threshold(effective(alpha_d=1.0, d=d)).value == pytest.approx(value, abs=5e-9)


@pytest.mark.parametrize(("d", "value"), [(1, 0.13790557), (2, 0.03770013), (3, 0.01693815), (4, 0.00951972)])
def test_capacities_of_many_features_and_of_many_examples(d, value):
    assert threshold(effective(alpha_d=1e9, d=d)).value == pytest.approx(value, abs=5e-9)
    assert threshold(effective(alpha=1e9, d=d), "feature", vary="alpha_d").value == pytest.approx(value, abs=5e-9)


@pytest.mark.parametrize(("d", "value"), [(2, 1.04092494), (3, 1.00450526)])
def test_learning_at_half_the_asymptote(d, value):
    half = threshold(VectorHopfield(d=d)).value / (2 * d)
    assert threshold(effective(alpha_d=half, d=d), "feature").value == pytest.approx(value, abs=5e-9)


def test_capacity_of_phasors_is_that_of_cook():
    found = threshold(VectorRandomFeatures(alpha_d=1e9, d=2, variant="phasor"))
    assert round(found.value, 3) == 0.038


# --- limits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.0, 0.3])
@pytest.mark.parametrize("line", ["spinodal", "thermodynamic"])
def test_one_component_is_the_ising_model(temperature, line):
    for loads, state, vary in (
        ({"alpha_d": 0.5}, "example", "alpha"),
        ({"alpha_d": 0.02}, "feature", "alpha"),
        ({"alpha": 1.0}, "mixture", "alpha_d"),
    ):
        if line == "thermodynamic" and state == "mixture":
            continue
        here = threshold(VectorRandomFeatures(**loads, d=1, temperature=temperature), state, line=line, vary=vary)
        there = threshold(RandomFeatures(**loads, temperature=temperature), state, line=line, vary=vary)
        assert here.value == pytest.approx(there.value, rel=1e-12)


@pytest.mark.parametrize("state", ["spin_glass", "example", "mixture", "feature"])
def test_one_component_has_the_numbers_of_ising_spins(state):
    loads = {"alpha": 0.07, "alpha_d": 0.5} if state in ("spin_glass", "example") else {"alpha": 1.0, "alpha_d": 0.01}
    here = solve(VectorRandomFeatures(**loads, d=1, temperature=0.2), state)
    there = solve(RandomFeatures(**loads, temperature=0.2), state)
    for name in ("free_energy", "entropy", "replicon", "transverse"):
        a, b = getattr(here, name), getattr(there, name)
        assert a == b or a == pytest.approx(b, rel=1e-11)
    assert here.order_parameters == pytest.approx(there.order_parameters, rel=1e-11)


def test_many_features_are_the_vector_hopfield_model():
    here = threshold(VectorRandomFeatures(alpha=0.05 / 3, alpha_d=1e9, d=3), vary="temperature")
    assert here.value == pytest.approx(0.58702038, abs=5e-9)
    at = replace(VectorRandomFeatures(alpha=0.05 / 3, alpha_d=1e9, d=3), temperature=0.3)
    mine, its = solve(at), solve(VectorHopfield(0.05 / 3, 3, 0.3))
    assert mine.replicon == pytest.approx(its.replicon, rel=1e-7)
    assert mine.entropy == pytest.approx(its.entropy, rel=1e-7)
    cold = [solve(m).replicon for m in (replace(at, temperature=0.0), VectorHopfield(0.05 / 3, 3))]
    assert cold[0] == pytest.approx(cold[1], rel=1e-7)


@pytest.mark.parametrize("d", [50, 200])
def test_many_components_follow_the_expansion_in_one_over_d(d):
    """``d^2 alpha = 4/27 + 2/(81 d)``, on either side."""
    law = 4 / 27 + 2 / (81 * d)
    assert d * d * threshold(effective(alpha_d=1e9, d=d)).value == pytest.approx(law, abs=1.0 / d**2)
    learnt = threshold(effective(alpha=1e9, d=d), "feature", vary="alpha_d")
    assert d * d * learnt.value == pytest.approx(law, abs=1.0 / d**2)


@pytest.mark.parametrize("variant", ["scalar", "phasor"])
def test_variants_differ_in_the_loads_alone(variant):
    d, channels = 2, {"scalar": 4, "phasor": 2}[variant]
    reference = solve(VectorRandomFeatures(0.02, 1.0, d))
    here = solve(VectorRandomFeatures(0.02 / channels, 1.0 / channels, d, variant))
    assert known(here) == pytest.approx(known(reference), rel=1e-12)
    assert here.derived["alpha_effective"] == pytest.approx(reference.derived["alpha_effective"])
    given = solve(VectorRandomFeatures(0.01, 0.5, d, variant, effective=True))
    assert known(given) == pytest.approx(known(reference), rel=1e-12)
    assert given.derived["alpha_per_site"] == pytest.approx(0.02 / channels)


def test_the_spin_glass_begins_where_the_replicon_of_the_paramagnet_vanishes():
    """At q -> 0 the replicon is the linearised equation of q, derived independently of it."""
    model = VectorRandomFeatures(alpha=0.3, alpha_d=0.8, d=3)
    begins = threshold(model, "spin_glass", line="continuous", vary="temperature").value
    q = [solve(replace(model, temperature=begins * (1 - e)), "spin_glass").order_parameters["q"] for e in (2e-4, 1e-4)]
    assert q[0] == pytest.approx(2 * q[1], rel=1e-2)
    assert 0.0 < q[1] < 1e-3


# --- misuse -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"d": 0}, "1 <= d <= 200"),
        ({"d": 2.5}, "whole number"),
        ({"d": 201}, "1 <= d <= 200"),
        ({"d": 1, "variant": "phasor"}, "have d = 2"),
        ({"d": 3, "variant": "phasor"}, "have d = 2"),
        ({"variant": "tensr"}, "did you mean 'tensor'"),
        ({"temperature": -0.1}, "temperature = -0.1"),
        ({"effective": "yes"}, "True or False"),
    ],
)
def test_bad_models_are_refused_in_one_sentence(values, said):
    with pytest.raises(InvalidInput, match=said) as caught:
        VectorRandomFeatures(**values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("use_effective", "said"),
    [(False, "in effective loads .* alpha = 0.025"), (True, "as P/N and D/N .* alpha = 0.1,")],
)
def test_a_load_in_the_other_convention_is_told_with_the_conversion(use_effective, said):
    found = solve(VectorRandomFeatures(0.05, 1.0, 2, effective=use_effective), throw=False)
    assert found.free_energy is None
    assert pytest.approx(found.derived["alpha_per_site"]) == (0.1 if use_effective else 0.05)
    assert re.search(said, found.message)
