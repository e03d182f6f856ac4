"""Collapse and speciation: closed forms, 30-digit roots, random matrices, the Hessian of the noisy law."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import logsumexp

from theory.diffusion.collapse import collapse, mixture_collapse
from theory.diffusion.information import (
    covariance_spectrum,
    gaussian_information,
    linear_manifold_information,
    sign_information,
)
from theory.diffusion.speciation import speciation
from theory.errors import InvalidInput
from theory.problem import Status


@pytest.mark.parametrize(("alpha", "t"), [(0.5, 0.229338), (0.1, 0.853886)])
def test_reference_numbers(alpha, t):
    found = collapse(gaussian_information(1.0), alpha)
    assert found.t_C == pytest.approx(t, abs=6e-7)
    assert found.error < 1e-14
    assert found.status is Status.CONVERGED


@pytest.mark.parametrize("alpha", [1e-6, 0.03, 1.0, 20.0, 300.0])
@pytest.mark.parametrize("sigma2", [1e-4, 0.7, 300.0])
def test_white_data_in_closed_form(alpha, sigma2):
    vp, ve = (collapse(gaussian_information(sigma2), alpha, process=p) for p in ("vp", "ve"))
    with mpmath.workdps(40):
        x = mpmath.mpf(sigma2) / mpmath.expm1(2 * mpmath.mpf(alpha))
        t = mpmath.log1p(x) / 2
    assert abs(ve.t_C - float(x)) <= 2 * ve.error + 1e-15 * float(x)
    assert ve.t_C == pytest.approx(float(x), rel=1e-12)
    assert vp.t_C == pytest.approx(float(t), rel=1e-12)


def test_any_covariance_in_thirty_digits():
    c = [0.0, 1e-3, 0.2, 1.0, 1.0, 17.0]
    for alpha in (0.02, 0.5, 3.0):
        found = collapse(gaussian_information(c), alpha)
        with mpmath.workdps(40):
            f = lambda s, a=alpha: sum(mpmath.log(1 + s * mpmath.mpf(x)) for x in c) / (2 * len(c)) - mpmath.mpf(a)
            s = mpmath.findroot(f, found.snr)
            t = mpmath.log1p(1 / s) / 2
        assert abs(found.t_C - float(t)) <= 1e-12 * float(t)
        assert abs(found.t_C - float(t)) <= 2 * found.error


def test_a_matrix_and_its_eigenvalues_are_the_same_covariance():
    rng = np.random.default_rng(1)
    a = rng.normal(size=(7, 9))
    c = a @ a.T
    q = np.linalg.qr(rng.normal(size=(7, 7)))[0]
    one = collapse(gaussian_information(covariance_spectrum(c)[0]), 0.4).t_C
    two = collapse(gaussian_information(covariance_spectrum(q @ c @ q.T)[0]), 0.4).t_C
    assert one == pytest.approx(two, rel=1e-12)


@pytest.mark.parametrize("gamma", [0.1, 0.25, 1.0, 3.0])
@pytest.mark.parametrize("snr", [1e-6, 0.3, 4.0, 1e4])
def test_linear_manifold_is_the_marchenko_pastur_integral(gamma, snr):
    low, high = (1 - math.sqrt(gamma)) ** 2, (1 + math.sqrt(gamma)) ** 2

    def integrand(theta):  # x = middle + radius cos(theta): the roots at the edges are gone
        x = 0.5 * (low + high) - 0.5 * (high - low) * math.cos(theta)
        return (0.5 * (high - low) * math.sin(theta)) ** 2 / (2 * math.pi * gamma * x) * math.log1p(snr * x / gamma)

    value = 0.5 * gamma * quad(integrand, 0.0, math.pi, epsabs=0, epsrel=1e-11, limit=500)[0]
    found = linear_manifold_information(gamma)(snr)
    assert found.value == pytest.approx(value, rel=1e-9)
    assert found.error < 1e-10 * found.value


def test_linear_manifold_is_a_random_covariance():
    rng = np.random.default_rng(2)
    N, D, alpha = 800, 200, 0.15
    F = rng.normal(size=(N, D))
    drawn = collapse(gaussian_information(np.linalg.eigvalsh(F @ F.T / D).clip(0)), alpha).t_C
    # linear statistics of the spectrum fluctuate by 1/N
    assert drawn == pytest.approx(collapse(linear_manifold_information(D / N), alpha).t_C, abs=10 / N)


def test_information_of_signs():
    with mpmath.workdps(20):
        for s in (0.01, 0.7, 6.0):
            f = lambda z, s=s: mpmath.npdf(z) * mpmath.log(mpmath.cosh(s + mpmath.sqrt(s) * z))
            exact = s - mpmath.quad(f, [-12, -4, -1, 0, 1, 4, 12])
            found = sign_information()(s)
            assert abs(found.value - float(exact)) <= found.error + 1e-14
            assert found.error < 1e-12
    assert collapse(sign_information(), 0.3).status is Status.CONVERGED
    beyond = collapse(sign_information(), 0.7)  # more points than there are configurations
    assert (beyond.status, beyond.t_C) == (Status.NO_SOLUTION, None)


def test_weak_signals_of_signs_are_gaussian():
    for alpha in (1e-3, 1e-2):
        signs, normal = collapse(sign_information(), alpha).snr, collapse(gaussian_information(1.0), alpha).snr
        assert signs == pytest.approx(normal, rel=20 * alpha**2)  # the fourth cumulant enters at snr^4


def test_classes_collapse_one_by_one():
    narrow, wide = gaussian_information(0.2), gaussian_information(2.0)
    first, second = mixture_collapse([narrow, wide], [0.3, 0.7], 0.5)
    assert (first.t_C, second.t_C) == (collapse(narrow, 0.5).t_C, collapse(wide, 0.5).t_C)
    shifted = mixture_collapse([wide, wide], [0.5, 0.5], 0.5, dimension=50)
    assert shifted[1].t_C == pytest.approx(collapse(wide, 0.5 - math.log(2) / 50).t_C, rel=1e-14)


@pytest.mark.parametrize(("m2", "sigma2"), [(9.0, 0.5), (40.0, 1.0), (1.01, 1.0), (100.0, 30.0)])
def test_speciation_of_white_classes(m2, sigma2):
    vp, ve = (speciation(math.sqrt(m2), sigma2, process=p) for p in ("vp", "ve"))
    assert vp.t_S == pytest.approx(0.5 * math.log(m2 + 1 - sigma2), rel=1e-12)
    assert ve.t_S == pytest.approx(m2 - sigma2, rel=1e-12)
    assert vp.Lambda == pytest.approx(m2 + sigma2, rel=1e-13)


def test_overlapping_classes_never_speciate():
    found = speciation(1.0, 1.5)
    assert (found.t_S, found.status) == (None, Status.NO_SOLUTION)


def _curvature(t, m, c, direction):
    """Second difference of -log P_t at the midpoint of two classes."""
    e2 = math.exp(-2 * t)
    g = np.linalg.inv(e2 * c + (1 - e2) * np.eye(len(m)))

    def log_p(x):
        return logsumexp([-0.5 * (x - s * math.sqrt(e2) * m) @ g @ (x - s * math.sqrt(e2) * m) for s in (1, -1)])

    h = 1e-3
    return -(log_p(h * direction) + log_p(-h * direction) - 2 * log_p(0 * direction)) / h**2


def test_speciation_is_where_the_well_turns_double():
    rng = np.random.default_rng(3)
    a = rng.normal(size=(3, 3))
    c, m = a @ a.T / 3 + 0.1 * np.eye(3), np.array([2.0, -1.0, 1.5])
    t = speciation(m, c).t_S
    e2 = math.exp(-2 * t)
    unstable = np.linalg.solve(e2 * c + (1 - e2) * np.eye(3), m)
    # along G^{-1} m the curvature changes sign there, and nowhere is it negative at larger times
    d = np.linalg.solve(np.linalg.inv(e2 * c + (1 - e2) * np.eye(3)), unstable)
    d /= np.linalg.norm(d)
    assert _curvature(0.99 * t, m, c, d) < -1e-3
    assert abs(_curvature(t, m, c, d)) < 1e-5
    grid = np.linspace(1.001 * t, 2 * t, 20)
    assert all(_curvature(s, m, c, v / np.linalg.norm(v)) > 0 for s in grid for v in rng.normal(size=(10, 3)))


def test_speciation_of_many_classes():
    # K orthogonal centres of norm r: the covariance of the centres has the eigenvalue r^2/K, K - 1 times
    K, r, s2 = 5, 6.0, 0.4
    found = speciation(r * np.eye(K), s2)
    assert found.t_S == pytest.approx(0.5 * math.log(r * r / K + 1 - s2), rel=1e-12)
    assert speciation(np.array([[3.0, 0, 0], [-3.0, 0, 0]]), s2).t_S == pytest.approx(speciation(3.0, s2).t_S)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: collapse(gaussian_information(1.0), 0.0), "alpha = 0"),
        (lambda: collapse(gaussian_information(1.0), math.nan), "alpha = nan"),
        (lambda: collapse(gaussian_information(1.0), 301.0), "alpha <= 300"),
        (lambda: collapse(gaussian_information(1.0), 0.5, process="vpp"), "did you mean 'vp'"),
        (lambda: covariance_spectrum(-1.0), "eigenvalue -1"),
        (lambda: covariance_spectrum(0.0), "one of them > 0"),
        (lambda: covariance_spectrum([[1.0, 0.5], [0.0, 1.0]]), "not symmetric"),
        (lambda: covariance_spectrum([[1.0, 2.0], [2.0, 1.0]]), "eigenvalue -1"),
        (lambda: covariance_spectrum([1.0, math.nan]), "NaN"),
        (lambda: covariance_spectrum(np.ones((2, 3))), r"shape \(2, 3\)"),
        (lambda: covariance_spectrum(["a"]), "real d x d"),
        (lambda: linear_manifold_information(0.0), "gamma = 0"),
        (lambda: linear_manifold_information("a"), "gamma = a"),
        (lambda: gaussian_information("a"), "eigenvalues = 'a'"),
        (lambda: gaussian_information([1.0, -1.0]), "negative"),
        (lambda: collapse(gaussian_information(1.0), "a"), "alpha = a"),
        (lambda: collapse(3, 0.5), "information = 3 is no function"),
        (lambda: collapse(lambda s: 1.0, 0.5), "returned 1.0; give a function from snr to Value"),
        (lambda: mixture_collapse([gaussian_information(1.0)], "a", 0.5), "weights = 'a'"),
        (lambda: mixture_collapse([gaussian_information(1.0)], [1.0], "a"), "alpha = a"),
        (lambda: mixture_collapse([gaussian_information(1.0)], [1.0], 0.5, dimension="a"), "dimension = a"),
        (lambda: mixture_collapse([gaussian_information(1.0)], [0.5], 0.5), "summing to 1"),
        (lambda: mixture_collapse([gaussian_information(1.0)] * 2, [0.5, 0.5], 0.01, dimension=9), "two points"),
        (lambda: speciation([1.0, 2.0], [1.0, 2.0, 3.0]), "do not fit"),
        (lambda: speciation(0.0, 1.0), "coincide"),
        (lambda: speciation(-3.0, 1.0), r"\|m\| = -3 is not allowed"),
        (lambda: speciation(1.0, [1.0, 2.0]), "direction"),
        (lambda: speciation([math.nan, 1.0]), "finite"),
        (lambda: speciation(np.eye(3), weights=[0.5, 0.5]), "2 weights of 3"),
    ],
)
def test_misuse_is_told_in_one_sentence(call, words):
    with pytest.raises(InvalidInput, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("gamma", [1e-3, 0.3, 1.0, 4.0, 1e6])
def test_linear_manifold_at_huge_signal_does_not_cancel(gamma):
    """I = integral of the Marchenko-Pastur law; for snr -> infinity its leading logarithm is min(1, gamma)/2."""
    information = linear_manifold_information(gamma)
    one, two = information(1e40).value, information(1e44).value
    assert (two - one) / math.log(1e4) == pytest.approx(0.5 * min(1.0, gamma), rel=1e-9)
