"""Mixtures of vector features: capacities, and why equal ones are saddles and unequal ones do not exist."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import sympy
from scipy.integrate import quad
from scipy.special import gamma, hyp1f1, roots_jacobi

from theory.equations import Compiled
from theory.errors import InvalidInput
from theory.models.vector_random_features import VectorRandomFeatures
from theory.phase import threshold
from theory.states import solve
from theory.vector_examples import sum_across, sum_term
from theory.vector_sites import vector_site

M, V = sympy.symbols("M V")


def effective(**values):
    return VectorRandomFeatures(**values, effective=True)


def test_mixtures_of_two_vectors():
    found = threshold(effective(alpha=1e9, d=2), "mixture", vary="alpha_d", L=2)
    assert found.value == pytest.approx(0.00202745, abs=5e-9)


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


@pytest.mark.parametrize(("d", "L", "said"), [(1, 2, "odd L"), (2, 1, "L from 2"), (2, 100, "L from 2 to 99")])
def test_bad_mixtures_are_refused(d, L, said):
    with pytest.raises(InvalidInput, match=said):
        threshold(VectorRandomFeatures(alpha_d=0.001, d=d), "mixture", L=L)


def test_a_line_of_vector_mixtures_says_that_they_are_saddles():
    found = threshold(VectorRandomFeatures(alpha=1e9, d=2, effective=True), "mixture", vary="alpha_d", L=2)
    assert found.transverse is not None
    assert found.transverse < 0.0
    assert threshold(VectorRandomFeatures(alpha_d=1.0, d=2, effective=True)).transverse is None
