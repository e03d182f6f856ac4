"""Random-energy theory: numbers in print, independent optimisation, limits, 40-digit evaluation."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from theory.diffusion.hidden_manifold import hidden_manifold
from theory.diffusion.overlap_laws import BINARY, GAUSSIAN, SPHERE, Cumulant, Ensemble, ensemble
from theory.diffusion.rem import _load, capacity, condensation, increasing_root, noise, rate, smallest_overlap
from theory.errors import InvalidInput, NotConverged
from theory.problem import Status

LAWS = (GAUSSIAN, SPHERE, BINARY)


def entropy(p):
    return -p * math.log(p) - (1 - p) * math.log(1 - p)


# Rates of an overlap, in closed form: an independent way to every number of the module.
RATES = {
    "gaussian": lambda e: e * e / 2,
    "sphere": lambda e: -0.5 * math.log(1 - e * e),
    "binary": lambda e: math.log(2) - entropy((1 + e) / 2),
}


@pytest.mark.parametrize(("name", "value"), [("gaussian", 0.5), ("sphere", 0.622571924), ("binary", 0.566219170)])
def test_reference_numbers_at_lambda_one(name, value):
    found = capacity(ensemble(name), 1.0)
    assert found.alpha_1 == pytest.approx(value, abs=6e-10)
    assert found.error < 1e-14
    assert found.status is Status.CONVERGED


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
@pytest.mark.parametrize("lam", [1e-3, 0.3, 0.9, 1.5, 4.0, 8.0])
def test_zeta_is_the_conjugate_of_the_rate(law, lam):
    s, top = RATES[law.name], min(law.largest_overlap, 2 * lam) - 1e-13
    best = minimize_scalar(lambda e: s(e) - lam * e, bounds=(1e-12, top), method="bounded", options={"xatol": 1e-12})
    c = law.cumulant(lam)
    assert c.value == pytest.approx(-best.fun, rel=1e-9, abs=1e-13)
    h = 1e-4 * lam
    slope = (law.cumulant(lam + h).value - law.cumulant(lam - h).value) / (2 * h)
    assert c.slope == pytest.approx(slope, rel=1e-7)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
@pytest.mark.parametrize("m", [0.2, 0.7, 0.99])
def test_a_disturbed_query_is_lost_at_the_rate_of_its_overlap_when_lambda_is_large(law, m):
    assert rate(law, m).value == pytest.approx(RATES[law.name](m), rel=1e-13)
    found = capacity(law, 1e3, overlap=m)
    assert found.condensed
    assert found.alpha_1 == pytest.approx(RATES[law.name](m), rel=1e-13)
    assert found.alpha_sat == found.alpha_1
    assert found.lambda_star == found.lambda_sat


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
@pytest.mark.parametrize("lam", [0.4, 1.7])
@pytest.mark.parametrize("m", [0.35, 0.8])
def test_smallest_overlap_inverts_the_load(law, lam, m):
    load = capacity(law, lam, overlap=m).alpha_1
    found = smallest_overlap(law, lam, load)
    assert found.value == pytest.approx(m, rel=1e-12)
    assert found.error < 1e-13
    assert noise(law, lam, load)[0] == pytest.approx(lam * m, rel=1e-12)
    assert smallest_overlap(law, lam, 1.1 * capacity(law, lam).alpha_1).status is Status.NO_SOLUTION


@pytest.mark.parametrize(("law", "s"), [(law, RATES[law.name]) for law in LAWS], ids=lambda x: getattr(x, "name", ""))
def test_condensation_is_where_the_rate_equals_the_load(law, s):
    for alpha in (1e-4, 0.1, 0.5):
        found = condensation(law, alpha)
        assert s(found.eps_star) == pytest.approx(alpha, rel=1e-12)
        assert found.lambda_star_error < 1e-10 * found.lambda_star


def test_signs_never_condense_above_log_two():
    assert condensation(BINARY, 0.7).status is Status.NO_SOLUTION
    assert condensation(BINARY, 0.69).lambda_star > 2.0
    assert capacity(BINARY, 60.0).alpha_1 == pytest.approx(math.log(2), abs=1e-14)
    assert capacity(BINARY, 60.0).lambda_sat is None


def test_sphere_in_forty_digits_and_its_large_lambda_law():
    with mpmath.workdps(40):
        for lam in ("0.01", "1", "25"):
            l = mpmath.mpf(lam)
            eps = 2 * l / (1 + mpmath.sqrt(1 + 4 * l * l))
            exact = l * (1 - eps) - mpmath.log(1 - eps**2) / 2
            found = capacity(SPHERE, float(l))
            assert abs(found.alpha_1 - float(exact)) <= found.error + 1e-16
    assert capacity(SPHERE, 1e5).alpha_1 == pytest.approx((1 + math.log(1e5)) / 2, abs=1e-4)


def test_large_lambda_does_not_cancel():
    for lam in (1.0, 30.0, 1e9, 1e300):
        with mpmath.workdps(700):
            l = mpmath.mpf(lam)
            eps = 2 * l / (1 + mpmath.sqrt(1 + 4 * l * l))
            sphere = float(l * (1 - eps) - mpmath.log(1 - eps**2) / 2)
            signs = float(mpmath.log(2) - mpmath.log1p(mpmath.exp(-2 * l)))
        assert capacity(SPHERE, lam).alpha_1 == pytest.approx(sphere, rel=1e-14)
        assert capacity(BINARY, lam).alpha_1 == pytest.approx(signs, rel=1e-14)


def test_all_gaussian_patterns():
    for lam in (1.0, 1.3, 50.0):
        found = capacity(GAUSSIAN, lam)
        assert found.alpha_1 == pytest.approx(0.5, abs=1e-14)
        assert found.alpha_c == pytest.approx(1 / (2 * math.e), abs=1e-14)
        assert found.alpha_c_error < 1e-13
    # Below lambda = 1 the weakest norm solves rho (1 - 2c) = 1 + log rho with c = lambda - lambda^2/2.
    lam = 0.4
    c = lam - lam * lam / 2
    rho = float(mpmath.findroot(lambda r: (r - 1 - mpmath.log(r)) / 2 - r * c, 0.4))
    assert capacity(GAUSSIAN, lam).alpha_c == pytest.approx(rho * c, rel=1e-13)


@pytest.mark.parametrize("lam", [1e-3, 4.9e-9, 5.1e-9, 1e-15, 1e-17, 1e-30, 1e-200])
def test_gaussian_capacity_of_all_patterns_keeps_its_digits_where_lambda_is_small(lam):
    """``rho (1 - c) = 1 + log rho`` with c = lambda (2 - lambda), in 450 digits."""
    with mpmath.workdps(450):
        c = mpmath.mpf(lam) * (2 - mpmath.mpf(lam))
        x = mpmath.findroot(lambda x: c - 1 + (1 - x) * mpmath.exp(x), mpmath.sqrt(2 * c), tol=mpmath.mpf(10) ** -800)
        exact = float(c * mpmath.exp(-x) / 2)
    found = capacity(GAUSSIAN, lam)
    assert abs(found.alpha_c - exact) <= found.alpha_c_error
    assert 0.0 < found.alpha_c_error < 1e-10 * exact


@pytest.mark.parametrize("law", [SPHERE, BINARY], ids=lambda law: law.name)
def test_patterns_of_equal_norm_are_all_retrieved_or_none(law):
    found = capacity(law, 0.8)
    assert found.alpha_c == found.alpha_1


def test_a_table_and_a_bare_function_give_what_the_closed_form_gives():
    grid = np.linspace(0.0, 4.0, 161)
    table = Ensemble.from_table(grid, [SPHERE.cumulant(x).value for x in grid], name="tabulated sphere")
    bare = Ensemble.from_functions("bare sphere", lambda l: SPHERE.cumulant(l).value)
    for law in (table, bare):
        for lam, m in [(1.0, 1.0), (2.0, 0.5), (3.5, 0.8)]:
            exact, found = capacity(SPHERE, lam, overlap=m), capacity(law, lam, overlap=m)
            assert abs(found.alpha_1 - exact.alpha_1) <= found.error + exact.error
            assert found.error < 1e-7
        assert found.alpha_c is None
        assert "not derived" in capacity(law, 1.0).alpha_c_remark


def test_a_short_table_says_so():
    grid = np.linspace(0.0, 0.4, 21)
    law = Ensemble.from_table(grid, grid**2 / 2)
    with pytest.raises(NotConverged, match=r"known up to lambda = 0\.4"):
        capacity(law, 0.3, overlap=1.0)


def test_patterns_with_a_mean_overlap_everything():
    shifted = Ensemble.from_functions("shifted", lambda l: 0.3 * l + 0.5 * l * l)
    assert capacity(shifted, 1.0, overlap=0.2).alpha_1 == 0.0
    assert capacity(shifted, 5.0).alpha_1 == pytest.approx(0.49 / 2, rel=1e-10)


def test_a_slope_of_one_to_rounding_is_no_overlap_with_everything():
    def cumulant(lam):  # signs at large lambda, with the slope rounded up
        return Cumulant(lam - math.log(2), 1.0 + 2e-15, 1e-14, 4e-15)

    law = Ensemble("rounded", cumulant, largest_overlap=1.0, equal_norms=True)
    assert _load(law, 40.0, 1.0)[0] == pytest.approx(math.log(2), abs=1e-13)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: capacity(SPHERE, 0.0), "lambda = 0"),
        (lambda: capacity(SPHERE, -1.0), "0 < lambda < 1e"),
        (lambda: capacity(SPHERE, math.nan), "lambda = nan"),
        (lambda: capacity(SPHERE, "a"), "lambda = a"),
        (lambda: capacity(SPHERE, 1.0, overlap="a"), "overlap = a"),
        (lambda: capacity("spere", 1.0), "did you mean 'sphere'"),
        (lambda: capacity("hidden-manifold", 1.0), "give hidden_manifold.gamma. instead"),
        (lambda: capacity([1.0], 1.0), "is unknown"),
        (lambda: hidden_manifold("a"), "gamma = a"),
        (lambda: capacity(SPHERE, 1.0, overlap=1.2), "overlap = 1.2"),
        (lambda: capacity(SPHERE, 1.0, overlap=0.0), "0 < overlap <= 1"),
        (lambda: condensation(SPHERE, -0.1), "alpha = -0.1"),
        (lambda: rate(SPHERE, -0.1), "overlap = -0.1"),
        (lambda: ensemble("spere"), "did you mean 'sphere'"),
        (lambda: Ensemble.from_functions("x", lambda l: 1 + l * l), "must be 0"),
        (lambda: Ensemble.from_functions("x", lambda l: -l * l), "not convex"),
        (lambda: Ensemble.from_functions("x", lambda l: math.nan), "not finite"),
        (lambda: Ensemble.from_table([0, 1], [0, 1]), "at least 12"),
        (lambda: Ensemble.from_table(np.arange(1, 20), np.arange(1, 20)), "ascend from 0"),
    ],
)
def test_misuse_is_told_in_one_sentence(call, words):
    with pytest.raises(InvalidInput, match=words.replace("(", r"\(")) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_ensembles_are_known_by_name():
    assert capacity("sphere", 1.0) == capacity(SPHERE, 1.0)
    assert condensation("gaussian", 0.32) == condensation(GAUSSIAN, 0.32)


def test_roots_at_any_scale():
    for scale in (1e-12, 1.0, 1e7):
        found = increasing_root(lambda x, c=scale: math.log(x / c), 1.0, largest=1e9, noise=lambda x: 1e-16)
        assert found.value == pytest.approx(scale, rel=1e-14)
    assert increasing_root(lambda x: -1.0, 1.0, largest=10.0, noise=lambda x: 0.0).status is Status.NO_SOLUTION
