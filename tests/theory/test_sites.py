"""Site families and quadrature against mpmath on a grid of temperatures, means and widths."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import sympy

from theory.ensembles import SIGN, TANH, nonlinearity
from theory.errors import InvalidInput
from theory.quadrature import gaussian_average
from theory.sites import (
    ExampleSite,
    ExampleSiteZero,
    Ising,
    IsingZero,
    SiteTerm,
    antisymmetric,
    example_site,
    feature_sum,
    sech2_polynomials,
    sech4,
)

# (m, s): overlap and noise width near the AGS spinodal, deep in the spin glass, on the unstable branch, at m = 0.
NEAR_FOLDS = [(0.967, 0.46), (0.5, 0.4), (0.05, 0.2), (0.0, 1.0), (0.99, 0.05)]


def _derivative(n, h):
    if n == 0:
        return abs(h) + mpmath.log1p(mpmath.exp(-2 * abs(h)))
    if n == 1:
        return mpmath.tanh(h)
    return mpmath.sech(h) ** 2 * mpmath.polyval(list(sech2_polynomials(n))[::-1], mpmath.tanh(h))


def _reference(n, M, R):
    sd = mpmath.sqrt(R)
    kink, width = -M / sd, 1 / sd
    cuts = [kink + k * width for k in (-40, -18, -8, -4, -2, -1, 0, 1, 2, 4, 8, 18, 40)]
    edges = sorted({mpmath.mpf(-13), mpmath.mpf(13), *(c for c in cuts if abs(c) < 13)})
    return mpmath.quad(lambda z: _derivative(n, M + sd * z) * mpmath.npdf(z), edges)


@pytest.mark.parametrize("temperature", [1e-3, 1e-2, 0.1, 0.46, 1.0, 10.0])
@pytest.mark.parametrize(("m", "s"), NEAR_FOLDS)
def test_gaussian_averages_are_right_to_1e12(temperature, m, s):
    with mpmath.workdps(25):
        M, R = mpmath.mpf(m) / mpmath.mpf(temperature), (mpmath.mpf(s) / mpmath.mpf(temperature)) ** 2
        got = Ising.orders([(n,) for n in range(5)], (np.array([float(M)]), np.array([float(R)])))
        for n in range(5):
            exact = _reference(n, M, R)
            # Relative to the natural size: 1 for ln cosh and tanh, the width of the step for sech^2 and beyond.
            unit = max(1, abs(exact)) if n < 2 else 1 / (1 + mpmath.sqrt(R)) ** (n - 1)
            assert abs(got[n][0] - exact) < 1e-12 * unit, (n, float(exact))


def test_gauss_hermite_would_fail_where_the_panel_rule_does_not():
    # The reason for the panel rule: at T = 0.02 Gauss-Hermite with 200 nodes is wrong in the fourth digit.
    M, R = 0.99 / 0.02, (0.35 / 0.02) ** 2
    z, w = np.polynomial.hermite_e.hermegauss(200)
    hermite = float((w / w.sum()) @ (1 - np.tanh(M + np.sqrt(R) * z) ** 2))
    exact = float(_reference(2, mpmath.mpf(M), mpmath.mpf(R)))
    panel = float(Ising.orders([(2,)], (np.array([M]), np.array([R])))[0][0])
    assert abs(panel - exact) < 1e-12 * exact < 1e-3 * exact < abs(hermite - exact)


def test_error_estimate_bounds_the_error():
    average = gaussian_average(np.tanh, [3.0, 0.5], [400.0, 0.2])
    for k, (m, v) in enumerate([(3.0, 400.0), (0.5, 0.2)]):
        exact = float(_reference(1, mpmath.mpf(m), mpmath.mpf(v)))
        assert abs(average.value[k] - exact) <= average.error[k] + 1e-14


@pytest.mark.parametrize(("mean", "variance"), [(0.0, -1.0), (np.nan, 1.0), (0.0, np.inf)])
def test_gaussian_average_refuses_bad_input(mean, variance):
    with pytest.raises(InvalidInput, match="variance"):
        gaussian_average(np.tanh, mean, variance)


@pytest.mark.parametrize(("m", "s"), [(0.967, 0.46), (0.3, 1.1), (-0.4, 0.2)])
def test_zero_temperature_family_is_the_gaussian_smoothing_of_the_modulus(m, s):
    got = IsingZero.orders([(n,) for n in range(4)], (np.array([m]), np.array([s * s])))
    kink = -m / s
    exact = mpmath.quad(lambda z: abs(m + s * z) * mpmath.npdf(z), [-12, kink, 12])
    assert got[0][0] == pytest.approx(float(exact), rel=1e-14)
    # Higher members are the derivatives in the mean.
    exact = [mpmath.diff(lambda x: mpmath.erf(x / (s * mpmath.sqrt(2))), m, k) for k in range(3)]
    for n in (1, 2, 3):
        assert got[n][0] == pytest.approx(float(exact[n - 1]), rel=1e-10)


def test_heat_equation_links_the_derivatives():
    M, R = sympy.symbols("M R")
    assert sympy.diff(Ising(0, M, R), M, 2) == 2 * sympy.diff(Ising(0, M, R), R)
    a, b, c = sympy.symbols("a b c")
    f = ExampleSite(0, 0, 0, a, b, c)
    assert sympy.diff(f, a, b) == ExampleSite(1, 1, 2, a, b, c)
    assert sympy.diff(f, c) == ExampleSite(0, 0, 2, a, b, c) / 2


@pytest.mark.parametrize("temperature", [0.0, 0.02, 0.5])
@pytest.mark.parametrize("nonlinearity", ["sign", "tanh"])
def test_example_family_is_the_average_over_the_latent_field(temperature, nonlinearity):
    m, t_hat, s = 0.9, 0.12, 0.3
    unit = temperature or 1.0
    family = ExampleSite if nonlinearity == "sign" else example_site(TANH, zero_temperature=False)
    if temperature == 0.0:
        family = ExampleSiteZero if nonlinearity == "sign" else example_site(TANH, zero_temperature=True)
    sigma = mpmath.sign if nonlinearity == "sign" else mpmath.tanh
    fields = [np.array([m / unit]), np.array([t_hat / unit]), np.array([(s / unit) ** 2])]
    base = IsingZero if temperature == 0.0 else Ising
    for index in [(1, 0, 1), (0, 1, 1), (1, 1, 2), (0, 0, 2)]:
        got = family.orders([index], fields)[0][0]

        def integrand(x, index=index):
            mean = np.array([float(m * sigma(x) + t_hat * x) / unit])
            inner = base.orders([(index[2],)], (mean, fields[2]), refine=2)[0][0]
            return 2 * mpmath.npdf(x) * sigma(x) ** index[0] * x ** index[1] * inner

        with mpmath.workdps(15):
            exact = mpmath.quad(integrand, [0, 0.5, 1, 2, 4, 9])
        assert got == pytest.approx(float(exact), rel=1e-11), index


def test_refinement_does_not_change_a_converged_average():
    fields = [np.array([30.0]), np.array([4.0]), np.array([200.0])]
    coarse = ExampleSite.orders([(0, 0, 2), (1, 1, 2), (0, 1, 1)], fields)
    fine = ExampleSite.orders([(0, 0, 2), (1, 1, 2), (0, 1, 1)], fields, refine=2)
    np.testing.assert_allclose(np.ravel(coarse), np.ravel(fine), rtol=1e-13)


def test_moments_of_feature_sums():
    assert feature_sum(lambda z: z**2, 5) == 5
    assert feature_sum(lambda z: z**4, 5) == 3 * 25 - 2 * 5
    assert feature_sum(lambda z: sympy.S.One, 4) == 1
    assert antisymmetric(lambda z: sympy.S.One, 7) == 1  # E f_1^2 - E f_1 f_2


def test_sech4_follows_from_the_family():
    value = sech4(lambda n: Ising(n, sympy.Rational(1, 2), sympy.S.Zero))
    member = {n: Ising.orders([(n,)], (np.array([0.5]), np.zeros(1)))[0][0] for n in (2, 4)}
    numeric = float(value.xreplace({a: sympy.Float(member[a.index[0]]) for a in value.atoms(Ising)}))
    assert numeric == pytest.approx(1 / np.cosh(0.5) ** 4, rel=1e-14)


def test_only_a_sign_is_binary():
    assert nonlinearity(lambda x: np.sign(x)).binary
    assert not nonlinearity(lambda x: np.clip(20.0 * x, -1.0, 1.0)).binary  # +-1 but near zero
    assert SIGN.binary


def test_a_family_without_numbers_says_so():
    with pytest.raises(InvalidInput, match="'SiteTerm' has no numbers; define its classmethod 'orders'"):
        SiteTerm.orders([(0,)], [np.zeros(1)])
