"""The vector-spin random-features model against closed forms, limits, direct averages and its explicit T = 0 theory."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace

import numpy as np
import pytest
import sympy
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import gamma, hyp1f1, ive, roots_jacobi

from theory.equations import Compiled
from theory.errors import InvalidInput
from theory.exact import Multiprecision, Refused
from theory.models.random_features import RandomFeatures
from theory.models.vector_hopfield import VectorHopfield
from theory.models.vector_random_features import VectorRandomFeatures, kappa_1_squared
from theory.phase import threshold
from theory.states import solve
from theory.vector_examples import example_term, latent_rule, sum_across, sum_term
from theory.vector_sites import vector_site
from theory.walks import gauss_rule, walk

M, S, V = sympy.symbols("M S V")


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


def test_mixtures_of_two_vectors():
    found = threshold(effective(alpha=1e9, d=2), "mixture", vary="alpha_d", L=2)
    assert found.value == pytest.approx(0.00202745, abs=5e-9)


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


# --- averages -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [1, 2, 3, 4, 10])
def test_first_hermite_weight(d):
    assert float(kappa_1_squared(d)) == pytest.approx(kappa(d) ** 2, rel=1e-14)
    rho, weight = latent_rule(d)
    assert weight @ rho == pytest.approx(kappa(d), rel=1e-13)
    assert weight @ rho**4 == pytest.approx(1 + 2 / d, rel=1e-13)


@pytest.mark.parametrize("d", [2, 3, 8, 200])
@pytest.mark.parametrize("L", [2, 3, 10])
@pytest.mark.parametrize("nodes", [24, 96])
def test_moments_of_sums_of_unit_vectors(d, L, nodes):
    rule = walk(d, L, nodes)
    moments = [rule.weight @ rule.length**k for k in (0, 2, 4)]
    assert moments == pytest.approx([1.0, L, L * L + 2 * L * (L - 1) / d], rel=1e-12)
    along = walk(d, L, nodes, projected=True)
    assert along.weight.sum() == pytest.approx(1 + (L - 1) / d, rel=1e-12)


def test_mean_lengths_of_short_walks():
    """3 flights in space have the mean 13/8; 3 steps in the plane 1.5745972375..."""
    flights, steps = walk(3, 3, 384), walk(2, 3, 384)
    assert flights.weight @ flights.length == pytest.approx(13 / 8, abs=1e-8)
    assert steps.weight @ steps.length == pytest.approx(1.5745972375518937, abs=1e-7)


def test_gauss_rule_of_a_discrete_measure_is_exact_to_twice_its_degree():
    x, w = gauss_rule(np.linspace(-1, 1, 201), np.full(201, 1 / 201), 6)
    for k in range(12):
        assert w @ x**k == pytest.approx(np.mean(np.linspace(-1, 1, 201) ** k), abs=1e-14)


@pytest.mark.parametrize("cold", [True, False])
@pytest.mark.parametrize("d", [2, 3])
def test_averages_of_fields_are_those_of_random_vectors(d, cold):
    rng = np.random.default_rng(5)
    n = rng.normal(size=(3, 400_000, d))
    z = n[2]
    x = n[0]
    u = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in n[:2]]
    field = 1.3 * (u[0] + u[1]) + 0.8 * z
    length = np.linalg.norm(field, axis=1)
    value = Compiled(
        [sum_term(d, 2, M, V, zero_temperature=cold).diff(M), sum_across(d, 2, M, V, zero_temperature=cold)], (M, V)
    )([np.array([1.3]), np.array([0.64])])[:, 0]
    if cold:
        first, across, along_field = np.ones_like(length), 1.0 / length, np.zeros_like(length)
    else:
        first = ive(0.5 * d, length) / ive(0.5 * d - 1, length)
        across = first / length
        along_field = 1 - first**2 - (d - 1) * across
    e = field / length[:, None]
    projections = [(v * e).sum(1) for v in u]
    dot = (u[0] * u[1]).sum(1)
    own = across * (1 - projections[0] ** 2) + along_field * projections[0] ** 2
    other = across * (dot - projections[0] * projections[1]) + along_field * projections[0] * projections[1]
    for got, sample in ((value[0], (projections[0] + projections[1]) * first), (value[1], own - other)):
        assert abs(got - sample.mean()) < 4.5 * sample.std() / math.sqrt(len(sample))
    rho = np.linalg.norm(x, axis=1) / math.sqrt(d)
    field = (0.4 + 0.9 * rho)[:, None] * u[0] + 0.8 * z
    length = np.linalg.norm(field, axis=1)
    first = np.ones_like(length) if cold else ive(0.5 * d, length) / ive(0.5 * d - 1, length)
    sample = rho * first * (u[0] * field).sum(1) / length
    term = example_term(d, M, S, V, zero_temperature=cold).diff(S)
    got = Compiled([term], (M, S, V))([np.array([v]) for v in (0.4, 0.9, 0.64)])[0, 0]
    assert abs(got - sample.mean()) < 4.5 * sample.std() / math.sqrt(len(sample))


def test_the_example_family_in_multiple_precision():
    term = example_term(3, M, S, V, zero_temperature=True)
    digits = Multiprecision(110)
    indices = [(0, 0, 0), (1, 1, 0), (0, 0, 1), (2, 2, 1)]
    fields = (1.1, 0.6, 0.7)
    exact = type(term).exact_orders(digits, indices, [digits.exactly(f) for f in fields])
    floats = type(term).orders(indices, [np.array([f]) for f in fields])
    assert [float(v[0]) for v in floats] == pytest.approx([float(v) for v in exact], rel=1e-12)


def test_digits_are_refused_where_they_are_not_known():
    digits = Multiprecision(110)
    fields = [digits.exactly(f) for f in (1.1, 0.6, 0.7)]
    with pytest.raises(Refused, match="use temperature = 0"):
        type(example_term(3, M, S, V)).exact_orders(digits, [(0, 0, 0)], fields)
    with pytest.raises(Refused, match="sum of 2 vectors"):
        type(sum_term(3, 2, M, V)).exact_orders(digits, [(0, 0)], fields[1:])


# --- stability of mixtures ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [2, 3, 8])
@pytest.mark.parametrize("L", [2, 3, 5])
def test_equal_mixtures_of_vectors_are_saddles(d, L):
    """At a given strength, E|sum a_k n_k + z| is least for equal a_k, for every noise z; not so for signs."""
    y = np.array([0.3, 1.0, 2.0, 6.0])
    slope, response = Compiled(
        [sum_term(d, L, M, V, zero_temperature=True).diff(M) / L, sum_across(d, L, M, V, zero_temperature=True)], (M, V)
    )([y, np.full_like(y, 1 / d)])
    assert (1 - y * response / slope < -0.005).all()


def test_transverse_stability_is_the_curvature_along_opposite_overlaps():
    """Second derivative of E|a_1 n_1 + a_2 n_2 + z| in a_1 - a_2, by quadrature over the angle between them."""
    d, V0 = 3, 0.2

    def energy(a, b):
        R = lambda c: math.sqrt(a * a + b * b + 2 * a * b * c)
        length = lambda x: math.sqrt(2 * V0) * gamma(2.0) / gamma(1.5) * hyp1f1(-0.5, 1.5, -0.5 * x * x / V0)
        return 0.5 * quad(lambda c: length(R(c)), -1.0, 1.0, epsabs=1e-14)[0]

    h, a = 1e-2, 0.9
    second = (energy(a + h, a - h) + energy(a - h, a + h) - 2 * energy(a, a)) / (2 * h * h)
    found = Compiled([sum_across(d, 2, M, V, zero_temperature=True)], (M, V))([np.array([a]), np.array([V0])])[0, 0]
    assert found == pytest.approx(second, rel=1e-3)


@pytest.mark.parametrize("cold", [True, False])
@pytest.mark.parametrize("d", [2, 3, 8])
def test_unequal_mixtures_of_two_vectors_do_not_exist(d, cold):
    """``E phi(1 + 2ab cos)`` falls with ab: phi, the average of g over noise, is a Bernstein function of the square."""
    rule = vector_site(d, zero_temperature=cold)
    cosine, weight = roots_jacobi(60, 0.5 * (d - 3), 0.5 * (d - 3))
    product = np.linspace(0.0, 0.5, 21)
    for strength, noise in itertools.product((0.5, 2.0, 8.0), (0.05, 1.0)):
        length = strength * np.sqrt(1 + 2 * product[:, None] * cosine)
        value = rule.orders([(0, 0)], [length.ravel(), np.full(length.size, noise)])[0].reshape(length.shape) @ weight
        assert (np.diff(value) < 0).all()


def test_mixtures_report_that_they_are_saddles():
    at = {"alpha": 1.0, "alpha_d": 0.0002}
    assert solve(effective(**at, d=2), "mixture", L=2).transverse < -0.3
    assert solve(effective(**at, d=1), "mixture", L=3).transverse > 0.3


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


@pytest.mark.parametrize(("d", "L", "said"), [(1, 2, "odd L"), (2, 1, "L from 2"), (2, 100, "L from 2 to 99")])
def test_bad_mixtures_are_refused(d, L, said):
    with pytest.raises(InvalidInput, match=said):
        threshold(VectorRandomFeatures(alpha_d=0.001, d=d), "mixture", L=L)


@pytest.mark.parametrize(
    ("use_effective", "said"),
    [(False, "in effective loads .* alpha = 0.025"), (True, "as P/N and D/N .* alpha = 0.1,")],
)
def test_a_load_in_the_other_convention_is_told_with_the_conversion(use_effective, said):
    found = solve(VectorRandomFeatures(0.05, 1.0, 2, effective=use_effective), throw=False)
    assert found.free_energy is None
    assert pytest.approx(found.derived["alpha_per_site"]) == (0.1 if use_effective else 0.05)
    assert re.search(said, found.message)


def test_a_line_of_vector_mixtures_says_that_they_are_saddles():
    found = threshold(VectorRandomFeatures(alpha=1e9, d=2, effective=True), "mixture", vary="alpha_d", L=2)
    assert found.transverse is not None
    assert found.transverse < 0.0
    assert threshold(VectorRandomFeatures(alpha_d=1.0, d=2, effective=True)).transverse is None
