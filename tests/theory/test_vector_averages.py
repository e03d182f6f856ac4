"""Averages over vectors: lengths of Gaussian ones and of sums of unit ones, fields of examples and mixtures, digits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy
from scipy.special import gamma, ive

from theory.equations import Compiled
from theory.exact import Multiprecision, Refused
from theory.models.vector_random_features import kappa_1_squared
from theory.vector_examples import example_term, latent_rule, sum_across, sum_term
from theory.walks import gauss_rule, walk

M, S, V = sympy.symbols("M S V")


def mean_length(d):
    """Of a Gaussian vector with components of variance 1/d."""
    return math.sqrt(2.0 / d) * gamma(0.5 * (d + 1)) / gamma(0.5 * d)


@pytest.mark.parametrize("d", [1, 2, 3, 4, 10])
def test_first_hermite_weight(d):
    assert float(kappa_1_squared(d)) == pytest.approx(mean_length(d) ** 2, rel=1e-14)
    rho, weight = latent_rule(d)
    assert weight @ rho == pytest.approx(mean_length(d), rel=1e-13)
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
