"""Site family of vector spins: Bessel functions, radial averages and Kummer functions against independent values."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import sympy

from theory.errors import InvalidInput
from theory.exact import Balls, Multiprecision, Refused
from theory.radial import log_partition, radial_rule, reference
from theory.sites import Ising, IsingZero, sech4
from theory.vector_sites import kummer, mean_length, radial_orders, vector_site

ORDERS = [(k, n) for k in range(4) for n in range(4) if k + n <= 3]
FIELDS = [(0.967, 0.46), (0.5, 0.4), (0.0, 1.0), (0.99, 0.05)]  # (m, s) as in the Ising tests


def _cumulants(d, x, count):
    """g and ``D^j g`` from ratios of Bessel functions."""
    nu = mpmath.mpf(d) / 2 - 1
    first = mpmath.besseli(nu, x)
    B = [mpmath.besseli(nu + j, x) / x**j / first for j in range(count + 1)]
    out = []
    for n in range(count):
        out.append(B[n + 1] - sum(mpmath.binomial(n, i) * out[i] * B[n - i] for i in range(n)))
    return [mpmath.log((2 * mpmath.pi) ** (nu + 1) * x**-nu * first), *out]


@pytest.mark.parametrize("d", [2, 3, 4, 10, 50, 63, 200])
def test_log_partition_is_right_for_all_fields(d):
    with mpmath.workdps(60):
        for x in (1e-6, 0.3, 2.4, 12.0, 29.0, 31.0, 80.0, 1e3, 1e5):
            exact = _cumulants(d, mpmath.mpf(x), 6)
            got = log_partition(d, np.array([x]), 6)
            got[0] = got[0] + reference(d, np.array([x]))
            assert abs(got[0][0] - exact[0]) < 3e-14 * max(1, abs(exact[0])), x
            for j, tolerance in ((1, 2e-15), (2, 2e-15), (3, 3e-14), (4, 3e-13), (5, 3e-12), (6, 2e-11)):
                assert abs(got[j][0] / exact[j] - 1) < tolerance, (x, j)


def _compare(d, M, R, bits=70):
    exact = Multiprecision(bits)
    family = vector_site(d)
    got = family.orders(ORDERS, [np.array([M]), np.array([R])])
    return got, family.exact_orders(exact, ORDERS, [exact.exactly(M), exact.exactly(R)])


@pytest.mark.parametrize(
    ("d", "temperature"),
    [(2, 0.5), (3, 0.05), (10, 0.5)]
    + [pytest.param(d, t, marks=pytest.mark.slow) for d in (2, 3, 50, 200) for t in (1e-3, 0.1, 2.0)],
)
@pytest.mark.parametrize(("m", "s"), FIELDS)
def test_averages_are_right_to_rounding(d, temperature, m, s):
    M, R = d * m / temperature, d * (s / temperature) ** 2
    got, exact = _compare(d, M, R)
    # The scale of E Delta^n at noise width s is E r^{1-2n}: what integration by parts on the weight gives.
    width = np.sqrt(M * M + d * R)
    for (k, n), a, b in zip(ORDERS, got, exact, strict=True):
        unit = max(float(abs(b)), d**n * width ** (1 - 2 * n) / max(width, np.sqrt(R)) ** k if k + n > 1 else 1.0)
        # Third derivatives are only in the Newton matrix of folds, and steer it with seven digits as well as with more.
        assert abs(a[0] - b) < (1e-12 if k + n < 3 else 1e-7) * unit, (k, n)


def test_average_over_a_plane_grid_agrees():
    # d = 3, where g = ln(4 pi sinh x / x), as a double integral over the component along the mean and the one across.
    d, M, R = 3, 1.3, 0.8
    x, w = np.polynomial.legendre.leggauss(80)
    z, across = 9.0 * x[:, None], 4.5 * (x + 1.0)[None, :]
    weight = 9.0 * w[:, None] * 4.5 * w[None, :] * np.exp(-0.5 * (z**2 + across**2)) / np.sqrt(2 * np.pi) * across
    length = np.hypot(M + np.sqrt(R) * z, np.sqrt(R) * across)
    g = np.log(4 * np.pi * np.sinh(length) / length)
    slope = (1 / np.tanh(length) - 1 / length) * (M + np.sqrt(R) * z) / length
    square = (1 / np.tanh(length) - 1 / length) ** 2
    got = vector_site(d).orders([(0, 0), (1, 0), (0, 1)], [np.array([M]), np.array([R])])
    expected = [(weight * g).sum(), (weight * slope).sum(), 1 - (weight * square).sum()]  # Delta g = 1 - A^2
    np.testing.assert_allclose(np.ravel(got), expected, rtol=1e-13)


def test_heat_equation_closes_the_family():
    M, R = sympy.symbols("M R")
    F = vector_site(5)
    assert sympy.diff(F(0, 0, M, R), M, 2) == F(2, 0, M, R)
    assert sympy.diff(F(1, 0, M, R), R, 2) == F(1, 2, M, R) / 4


@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("d", [2, 3, 7, 200])
def test_members_are_derivatives_of_each_other(d, zero):
    family, M, R, h = vector_site(d, zero_temperature=zero), 1.1 * np.sqrt(d), 0.7, 1e-3
    steps = np.array([-2, -1, 1, 2]) * h
    weights = np.array([1, -8, 8, -1]) / (12 * h)
    for k, n in ((0, 0), (1, 0), (0, 1), (1, 1), (2, 0)):
        in_mean = weights @ family.orders([(k, n)], [M + steps, np.full(4, R)])[0]
        in_variance = weights @ family.orders([(k, n)], [np.full(4, M), R + steps])[0]
        up, across = family.orders([(k + 1, n), (k, n + 1)], [np.array([M]), np.array([R])])
        assert in_mean == pytest.approx(up[0], rel=1e-7, abs=1e-9)
        assert 2 * in_variance == pytest.approx(across[0], rel=1e-7, abs=1e-9)


def test_one_component_is_the_ising_family():
    fields = [np.array([0.3, 30.0, 0.0]), np.array([0.5, 400.0, 1.0])]
    flat = [(k + 2 * n,) for k, n in ORDERS]
    for vector, ising in (
        (vector_site(1), Ising),
        (vector_site(1, zero_temperature=True), IsingZero),
    ):
        for a, b in zip(vector.orders(ORDERS, fields), ising.orders(flat, fields), strict=True):
            np.testing.assert_array_equal(a, b)
    # The radial integral knows nothing of that, and agrees.
    radial = radial_orders(vector_site(1), ORDERS, [f[:1] for f in fields])
    np.testing.assert_allclose(radial, [v[:1] for v in vector_site(1).orders(ORDERS, fields)], rtol=1e-11)
    response = vector_site(1, response="isotropic")
    expected = sech4(lambda n: Ising(n, sympy.Float(0.3), sympy.Float(0.5)))
    member = {n: Ising.orders([(n,)], [f[:1] for f in fields])[0][0] for n in (2, 4)}
    value = float(expected.xreplace({a: sympy.Float(member[a.index[0]]) for a in expected.atoms(Ising)}))
    assert response.orders([(0, 0)], fields)[0][0] == pytest.approx(value, rel=1e-14)
    assert radial_orders(response, [(0, 0)], [f[:1] for f in fields])[0][0] == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("d", [2, 3, 10])
def test_squared_response_is_that_of_bessel_functions(d):
    M, R = 1.7, 2.3
    got = vector_site(d, response="isotropic").orders([(0, 0)], [np.array([M]), np.array([R])])[0][0]
    rule = radial_rule(d, np.array([M]), np.array([R]))
    from scipy.special import ive

    x = rule.length
    A = ive(d / 2, x) / ive(d / 2 - 1, x)
    slope = 1 - (d - 1) * A / x - A * A
    assert got == pytest.approx((rule.weight * (slope**2 + (d - 1) * (A / x) ** 2)).sum(), rel=1e-13)


@pytest.mark.parametrize("d", [2, 3, 7, 24, 200])
def test_zero_temperature_is_the_gaussian_smoothing_of_the_length(d):
    M, R = 1.2, 0.09
    rule = radial_rule(d, np.array([M]), np.array([R]), nodes=60)
    got = vector_site(d, zero_temperature=True).orders([(0, 0), (0, 1)], [np.array([M]), np.array([R])])
    assert got[0][0] == pytest.approx((rule.weight * rule.length).sum(), rel=1e-13)
    assert got[1][0] == pytest.approx((rule.weight * (d - 1) / rule.length).sum(), rel=1e-11)
    if d > 2:
        site = vector_site(d, zero_temperature=True, response="isotropic")
        inverse = site.orders([(0, 0)], [np.array([M]), np.array([R])])
        # 1/r^2 leaves a kink at r = 0, far out in the tail here.
        assert inverse[0][0] == pytest.approx((rule.weight / rule.length**2).sum(), rel=1e-6)


def test_zero_temperature_is_the_limit_of_low_temperatures():
    for d in (2, 3, 50):
        M, R, t = np.array([0.8]), np.array([0.2]), 1e-6
        cold = vector_site(d, zero_temperature=True).orders([(1, 0), (0, 1)], [M, R])
        warm = vector_site(d).orders([(1, 0), (0, 1)], [M / t, R / t**2])
        assert warm[0] == pytest.approx(cold[0], rel=2e-5 * d)
        assert warm[1] / t == pytest.approx(cold[1], rel=2e-5 * d)


def test_noise_may_vanish():
    family = vector_site(3)
    with_none = family.orders(ORDERS[:5], [np.array([2.0]), np.zeros(1)])
    little = family.orders(ORDERS[:5], [np.array([2.0]), np.array([1e-18])])
    np.testing.assert_allclose(with_none, little, rtol=1e-12)
    assert with_none[ORDERS.index((1, 0))][0] == pytest.approx(1 / np.tanh(2.0) - 0.5, rel=1e-14)


def test_kummer_functions_are_right_for_all_dimensions():
    for d in (2, 3, 10, 19, 21, 50, 200):
        for a, b in ((-0.5, d / 2), (0.5, d / 2 + 1), (1.5, d / 2 + 2), (3.5, d / 2 + 3)):
            for z in (0.0, 0.1, 3.0, 40.0, 150.0, 3e3):
                exact = mpmath.hyp1f1(a, b, -z)
                assert kummer(a, b, np.array([z]))[0] == pytest.approx(float(exact), rel=2e-14), (d, a, z)


@pytest.mark.parametrize("d", [2, 3, 4, 50])
def test_balls_contain_the_zero_temperature_averages(d):
    balls, many = Balls(120), Multiprecision(200)
    family = vector_site(d, zero_temperature=True)
    fields = [np.array([0.8]), np.array([0.0625])]
    floats = family.orders(ORDERS, fields)
    exact = family.exact_orders(many, ORDERS, [many.exactly(0.8), many.exactly(0.0625)])
    with balls.working():
        enclosed = family.exact_orders(balls, ORDERS, [balls.exactly(0.8), balls.exactly(0.0625)])
        for f, e, b in zip(floats, exact, enclosed, strict=True):
            low, high = balls.bounds(b)
            assert low <= many.bounds(e)[0] <= high
            assert float(high - low) < 1e-25
            assert f[0] == pytest.approx(float(e), rel=1e-11)


def test_there_are_no_balls_above_zero_temperature():
    balls = Balls(80)
    with balls.working(), pytest.raises(Refused, match="d = 3 components at temperature > 0"):
        vector_site(3).exact_orders(balls, [(0, 0)], [balls.exactly(1), balls.exactly(1)])


@pytest.mark.parametrize("d", [0, -1, 201, 2.5, True, "3"])
def test_dimensions_out_of_range_are_refused(d):
    with pytest.raises(InvalidInput, match="1 <= d <= 200"):
        vector_site(d)


def test_a_diverging_average_is_refused():
    with pytest.raises(InvalidInput, match="give d >= 3"):
        vector_site(2, zero_temperature=True, response="isotropic")


def test_mean_length_is_that_of_the_chi_law():
    assert mean_length(1) ** 2 == pytest.approx(2 / np.pi, rel=1e-15)
    assert mean_length(200) ** 2 == pytest.approx(200 - 0.5 + 1 / 1600 + 1 / (16 * 200**2), rel=1e-9)
