"""Hidden manifold: reference numbers, the linear closed form, small lambda, differences, another quadrature."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_ndtr

from theory.diffusion.constants import gaussian_constants
from theory.diffusion.hidden_manifold import HiddenManifold, hidden_manifold
from theory.diffusion.latent_channel import channel_averages, normal_rule, normalised
from theory.diffusion.rem import capacity, condensation, smallest_overlap
from theory.errors import InvalidInput


@pytest.mark.parametrize(("gamma", "value"), [(0.25, 0.189988), (1.0, 0.428300)])
def test_reference_numbers_of_saturation(gamma, value):
    found = capacity(hidden_manifold(gamma, "tanh"), 10.0)
    assert found.condensed
    assert found.alpha_sat == found.alpha_1
    assert found.alpha_1 == pytest.approx(value, abs=5.1e-7)
    assert found.error < 1e-11


@pytest.mark.parametrize("gamma", [0.005, 0.7, 40.0])
def test_linear_activation_in_closed_form(gamma):
    law = HiddenManifold(gamma, "linear")
    for lam in (min(0.01 * gamma, 0.05), min(0.2 * gamma, 0.3), min(gamma, 0.8)):
        at = law.at(lam)
        assert at.cumulant.value == pytest.approx(0.5 * lam**2 * (1 + 1 / gamma), rel=1e-11)
        assert at.cumulant.slope == pytest.approx(lam * (1 + 1 / gamma), rel=1e-10)
        # saddle point: g = lambda y omega + (lambda y)^2 V/2, so V = 1, gamma m = lambda and gamma r = lambda^2
        assert at.x == pytest.approx([lam / gamma, lam**2 / gamma, 1.0], rel=1e-9)
    found = capacity(hidden_manifold(gamma, "linear"), 3.0)
    assert found.alpha_1 == pytest.approx(gamma / (2 * (1 + gamma)), abs=1e-12)
    assert found.lambda_sat == pytest.approx(gamma / (1 + gamma), abs=1e-11)


@pytest.mark.parametrize("act", ["tanh", "erf"])
def test_small_lambda_sees_the_first_hermite_constant_alone(act):
    gamma = 0.5
    law = HiddenManifold(gamma, act)
    kappa = law.act.kappa_1
    rest = [law.at(lam).cumulant.value / (lam**2 / 2) - 1 - kappa**4 / gamma for lam in (0.004, 0.002, 0.001)]
    # what is left is of order lambda^2: it falls by four, and Richardson's combination vanishes faster
    assert rest[0] / rest[1] == pytest.approx(4.0, rel=1e-2)
    assert abs(rest[2] - (rest[1] - rest[2]) / 3) < 1e-8


def test_many_latent_directions_are_independent_components():
    """gamma -> infinity: zeta = E log E exp(lambda act(u_1) act(u)), the i.i.d. pattern law."""
    act = normalised("tanh").function
    x = np.linspace(-9, 9, 601)
    w = np.exp(-x * x / 2)
    w /= w.sum()
    lam = 0.7
    iid = float(w @ np.log(np.exp(lam * np.outer(act(x), act(x))) @ w))
    one, two = (HiddenManifold(g, "tanh").at(lam).cumulant.value - iid for g in (500.0, 1000.0))
    assert one == pytest.approx(2 * two, rel=1e-2)
    assert abs(2 * two - one) < 1e-6


def test_zeta_is_an_extremum_of_the_expression_written_down_again():
    """The expression in (m, q_0, q_d) on Gauss-Hermite nodes: its value, and that its gradient vanishes."""
    gamma, lam = 0.5, 0.6
    law = HiddenManifold(gamma, "tanh")
    at = law.at(lam)
    scale = math.sqrt(gaussian_constants("tanh", t=0.5).second_moment)
    x, w = np.polynomial.hermite_e.hermegauss(60)
    w = w / w.sum()

    def action(m, q0, qd):
        omega = m * x[:, None] + math.sqrt(q0 - m * m) * x[None, :]
        inner = np.tanh(omega[:, :, None] + math.sqrt(qd - q0) * x) / scale
        g = np.log(np.exp(lam * (np.tanh(x) / scale)[:, None, None] * inner) @ w)
        entropy = 1 - qd + math.log(qd - q0) + (q0 - m * m) / (qd - q0)
        return 0.5 * gamma * entropy + w @ g @ w

    m, r, V = at.x
    q0, qd = r + m * m, r + m * m + V
    assert action(m, q0, qd) == pytest.approx(at.cumulant.value, abs=1e-7)
    h = 1e-4
    for step in np.eye(3) * h:
        slope = (action(*(np.array([m, q0, qd]) + step)) - action(*(np.array([m, q0, qd]) - step))) / (2 * h)
        assert abs(slope) < 1e-6


@pytest.mark.parametrize(("act", "level"), [("tanh", 2), ("relu", 3)])
def test_derivatives_of_the_averages(act, level):
    made, at = normalised(act), {"m": 0.3, "r": 0.1, "V": 0.8, "lam": 0.7}
    averages = lambda p: channel_averages(made.function, **p, level=level, kinks=made.kinks)
    here = averages(at)
    for k, name in enumerate(at):
        h = 1e-4
        up, down = averages(at | {name: at[name] + h}), averages(at | {name: at[name] - h})
        for value, derivative in (("A", "dA"), ("B", "dB"), ("C", "dC"), ("slope", "d_slope")):
            difference = (getattr(up, value) - getattr(down, value)) / (2 * h)
            assert getattr(here, derivative)[k] == pytest.approx(difference, abs=1e-7)


def test_slope_and_condensation_are_consistent():
    ensemble, law = hidden_manifold(0.25), HiddenManifold(0.25)
    h = 1e-3
    difference = (law.at(0.3 + h).cumulant.value - law.at(0.3 - h).cumulant.value) / (2 * h)
    assert law.at(0.3).cumulant.slope == pytest.approx(difference, rel=1e-5)
    found = condensation(ensemble, 0.08)
    c = law.at(found.lambda_star).cumulant
    assert found.lambda_star * c.slope - c.value == pytest.approx(0.08, abs=1e-11)
    assert found.lambda_star_error < 1e-11


def test_more_latent_directions_more_capacity_and_less_than_the_sphere():
    loads = [capacity(hidden_manifold(g), 0.3).alpha_1 for g in (0.2, 1.0, 10.0)]
    assert loads == sorted(loads)


@pytest.mark.parametrize("gamma", [1.0, 5.0])
def test_signs_tend_to_the_version_space_of_a_perceptron(gamma):
    """lambda -> infinity: a sign pattern repeats itself with the volume of the latent vectors that give it.

    That is the entropy of a perceptron taught N examples by one of D weights, Bayes-optimal:
    ``max_q (gamma/2)(log(1 - q) + q) + 2 E H log H`` with ``H = H(x sqrt(q/(1-q)))``.
    """
    x, w = np.polynomial.hermite_e.hermegauss(200)
    w = w / w.sum()

    def loss(q):
        log_h = log_ndtr(-math.sqrt(q / (1 - q)) * x)
        return -0.5 * gamma * (math.log1p(-q) + q) - 2 * float(w @ (np.exp(log_h) * log_h))

    best = minimize_scalar(loss, bounds=(1e-6, 1 - 1e-6), method="bounded", options={"xatol": 1e-9})
    law = HiddenManifold(gamma, np.sign)
    at = law.at(16.0)
    assert 16.0 - at.cumulant.value == pytest.approx(best.fun, abs=1e-11)
    assert at.x[0] == pytest.approx(best.x, abs=1e-6)
    assert at.replicon > 0
    assert law.largest_slope() == 1.0


@pytest.mark.slow
def test_a_disturbed_query_tends_to_the_clean_one():
    clean = capacity(hidden_manifold(0.25), 5.0)
    near = capacity(hidden_manifold(0.25), 5.0, overlap=0.9999)
    assert near.alpha_1 == pytest.approx(clean.alpha_1, abs=5e-5)
    assert capacity(hidden_manifold(0.25), 5.0, overlap=0.5).alpha_1 < 0.5 * clean.alpha_1


def test_a_disturbed_query_of_linear_patterns():
    """Linear: zeta of y = m x + sqrt(1 - m^2) noise is (lambda^2/2)(1 + m^2/gamma)."""
    gamma, m, lam = 0.5, 0.6, 0.4
    found = HiddenManifold(gamma, "linear", overlap=m).at(lam).cumulant
    assert found.value == pytest.approx(0.5 * lam**2 * (1 + m * m / gamma), rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("alpha", "lam"), [(0.05, 0.25), (0.14, 2.0), (0.2, 1.0)])
def test_smallest_overlap_of_linear_patterns(alpha, lam):
    """alpha = lambda m - (lambda^2/2)(1 + m^2/gamma), which saturates where lambda = m/(1 + m^2/gamma)."""
    gamma = 0.5
    roots = np.roots([lam**2 / (2 * gamma), -lam, lam**2 / 2 + alpha])
    m = math.sqrt(2 * alpha / (1 - 2 * alpha / gamma))
    if m / (1 + m * m / gamma) > lam:
        m = float(roots.real.min())
    found = smallest_overlap(hidden_manifold(gamma, "linear"), lam, alpha)
    if m <= 1:
        assert found.value == pytest.approx(m, rel=1e-9)
        assert abs(found.value - m) <= 3 * found.error + 1e-12
    else:
        assert found.value is None


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: hidden_manifold(0.0), "gamma = 0"),
        (lambda: hidden_manifold(math.nan), "gamma = nan"),
        (lambda: hidden_manifold(1.0, "tanhh"), "did you mean 'tanh'"),
        (lambda: hidden_manifold(1.0, lambda x: x**3), "grows like"),
        (lambda: smallest_overlap(hidden_manifold(1.0), 1.0, -0.1), "alpha = -0.1"),
        (lambda: capacity(hidden_manifold(1.0), -1.0), "lambda = -1"),
    ],
)
def test_misuse_is_told_in_one_sentence(call, words):
    with pytest.raises(InvalidInput, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("act", [lambda x: np.sin(3.0 * x), lambda x: np.exp(-50.0 * (x - 0.5) ** 2)])
def test_the_largest_overlap_is_with_the_sharpest_of_all_patterns(act):
    """``E max_x [y act(x)]``, for activations that are largest between whole numbers."""
    law = HiddenManifold(1.0, act)
    x = np.linspace(-8.0, 8.0, 200_001)
    y, w = law.act.function(x), np.exp(-0.5 * x * x) * (x[1] - x[0]) / math.sqrt(2.0 * math.pi)
    assert law.largest_slope() == pytest.approx(float(w @ np.maximum(y * y.max(), y * y.min())), rel=1e-5)


def test_kinks_of_derivatives_and_steep_functions_are_resolved():
    """Even steps are not enough there; the rule in use has the second moment to rounding."""
    for function in (lambda x: x / (1.0 + np.abs(x)), lambda x: np.tanh(20.0 * x)):
        act = normalised(function)
        assert act.kinks
        rule = normal_rule(0.25, 9.0, act.kinks)
        assert float(rule.w @ act.function(rule.x) ** 2) == pytest.approx(1.0, abs=1e-12)
    assert normalised(lambda x: x / (1.0 + np.abs(x))).kinks == (0.0,)
    assert normalised("tanh").kinks == normalised("sigmoid").kinks == normalised("gelu").kinks == ()
