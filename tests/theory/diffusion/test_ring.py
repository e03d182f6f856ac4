"""The ring of infinitely many memories: numbers in print, limits, and finite sets of points."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import i0e, i1e, ive

from theory.diffusion.ring import (
    crossover_load,
    equispaced_barrier,
    modulation,
    rice_minima,
    ring,
    ring_energy,
    ring_forms,
)
from theory.errors import InvalidInput


def test_numbers_of_the_circle():
    ten, two = ring(10.0), ring(2.0)
    assert abs(ten.radius - 0.973984385374) < 1e-12
    assert abs(two.radius - 0.831462024754) < 1e-12
    assert abs(ten.energy - 0.240380153992) < 1e-12
    assert abs(float(ring_energy(1.0, beta=10.0)) - 0.241038957176) < 1e-12
    assert ten.radius_error < 1e-15


@pytest.mark.parametrize("beta", [1.001, 1.5, 10.0, 250.0])
def test_the_radius_is_a_root_in_double_precision_and_in_forty_digits(beta):
    R = ring(beta).radius
    assert abs(R - i1e(2 * beta * R) / i0e(2 * beta * R)) < 1e-14
    with mpmath.workdps(40):
        near = mpmath.findroot(
            lambda r: r - mpmath.besseli(1, 2 * beta * r) / mpmath.besseli(0, 2 * beta * r), mpmath.mpf(R)
        )
        assert abs(near - R) < 1e-15


@pytest.mark.parametrize(("beta", "N"), [(10.0, 2), (4.0, 3), (9.0, 10), (300.0, 500)])
def test_curvatures_are_second_differences(beta, N):
    found = ring(beta, N=N)
    R, h = found.radius, 1e-4
    low, mid, high = ring_energy(np.array([R - h, R, R + h]), beta=beta, N=N)
    assert abs((high - low) / (2 * h)) < 1e-7
    assert abs((high - 2 * mid + low) / h**2 - found.radial) < 1e-5
    # Across: E(sqrt(R^2 + h^2)) has no second order.
    assert abs(float(ring_energy(math.hypot(R, h), beta=beta, N=N) - mid)) < 1e-13


def test_three_dimensions_have_an_elementary_form():
    """For N = 3, A(k) = coth k - 1/k (Langevin)."""
    R = ring(6.0, N=3).radius
    assert abs(R - (1 / math.tanh(12.0 * R) - 1 / (12.0 * R))) < 1e-14


def test_the_ring_forms_at_half_the_dimension():
    for N in (2, 3, 64):
        beta = ring_forms(N)
        assert ring(beta, N=N).kind == "point"
        beyond = ring(beta * (1 + 1e-8), N=N)
        # R^2 = (2 beta/N - 1) N^2 (N + 2)/(8 beta^3) to leading order.
        assert beyond.radius**2 == pytest.approx(1e-8 * N**2 * (N + 2) / (8 * beta**3), rel=1e-6)
    at_origin = ring(0.5)
    h = 1e-4
    second = 2 * float(ring_energy(h, beta=0.5) - ring_energy(0.0, beta=0.5)) / h**2
    assert at_origin.radial == pytest.approx(second, abs=1e-6)


def test_limits_of_large_beta():
    assert ring(1e6).radius == pytest.approx(1 - 1 / 4e6, abs=1e-11)
    assert crossover_load(1e6) == pytest.approx(math.sqrt(2e6 * math.pi), rel=1e-3)
    assert rice_minima(1e6) == pytest.approx(math.sqrt(3e6), rel=1e-6)


def equispaced_energy(x, K, beta):
    angles = 2 * np.pi * np.arange(K) / K
    square = (x[0] - np.cos(angles)) ** 2 + (x[1] - np.sin(angles)) ** 2
    return -np.log(np.exp(-beta * square).mean()) / beta


@pytest.mark.parametrize(("beta", "K"), [(3.0, 4), (12.5, 9), (12.5, 3), (50.0, 20)])
def test_the_barrier_is_that_of_the_points(beta, K):
    """Both ends are stationary points of the sum over K points, and the height is their difference."""
    found = equispaced_barrier(beta, K)
    ends = [(found.minimum, 0.0), (found.saddle, np.pi / K)]
    levels = []
    for radius, angle in ends:
        x, h = radius * np.array([np.cos(angle), np.sin(angle)]), 1e-5
        slope = [
            (equispaced_energy(x + h * e, K, beta) - equispaced_energy(x - h * e, K, beta)) / (2 * h) for e in np.eye(2)
        ]
        assert np.abs(slope).max() < 1e-8
        levels.append(equispaced_energy(x, K, beta))
    assert found.height == pytest.approx(levels[1] - levels[0], rel=1e-9)


def test_the_barrier_of_many_points_is_its_leading_term():
    """Both branches of the computation meet, and Gaussian decay in K holds."""
    beta = 12.5
    kappa = 2 * beta * ring(beta).radius
    for K in (30, 45):
        leading = float(4 * mpmath.besseli(K, kappa) / mpmath.besseli(0, kappa)) / beta
        assert equispaced_barrier(beta, K).height == pytest.approx(leading, rel=1e-6)
    assert equispaced_barrier(beta, 2000).height < 1e-300
    assert equispaced_barrier(500.0, 40).height == pytest.approx(4 / 500 * math.exp(-1600 / 2000), rel=0.35)


def test_two_memories_have_a_barrier_before_there_is_a_ring():
    """E on the line: r^2 + 1 - log cosh(2 beta r)/beta; r = tanh(2 beta r), and the saddle is the centre."""
    found = equispaced_barrier(0.7, 2)
    r = brentq(lambda r: r - math.tanh(1.4 * r), 0.1, 1.0)
    assert found.minimum == pytest.approx(r, abs=1e-12)
    assert abs(found.saddle) < 1e-15
    assert found.height == pytest.approx(math.log(math.cosh(1.4 * r)) / 0.7 - r**2, rel=1e-9)
    assert equispaced_barrier(0.5001, 2).height < 1e-5
    for beta, K in ((0.5, 2), (1.0, 3), (1.0, 4)):
        with pytest.raises(InvalidInput, match="no saddle lies midway"):
            equispaced_barrier(beta, K)


def test_three_memories_keep_minima_beside_the_centre_down_to_where_the_documentation_says():
    """On a memory's ray r = (1 - u)/(1 + 2u) with u = exp(-3 beta r): two roots appear at min y/(3 f(y))."""
    y = np.linspace(0.2, 3.0, 2801)
    u = np.exp(-y)
    assert (y / 3.0 / ((1 - u) / (1 + 2 * u))).min() == pytest.approx(0.915, abs=0.0005)


# Worked out apart, at other parameters: the mean over the sphere as an integral over its latitude.
@pytest.mark.parametrize(
    ("beta", "N"), [(1.37, 2), (47.0, 2), (1.51, 3), (25.0, 3), (7.7, 10), (60.0, 10), (73.0, 100)]
)
def test_the_minimum_is_that_of_an_integral_over_latitudes(beta, N):
    found = ring(beta, N=N)

    node, weight = np.polynomial.legendre.leggauss(300)
    angle = 0.5 * math.pi * (node + 1.0)

    def slope_and_energy(R):
        """Derivative of E by the mean cosine, and E, by quadrature."""
        law = 0.5 * math.pi * weight * np.sin(angle) ** (N - 2)
        tilted = law * np.exp(2 * beta * R * (np.cos(angle) - 1.0))
        mean = (tilted * np.cos(angle)).sum() / tilted.sum()
        return 2 * (R - mean), R**2 + 1 - 2 * R - math.log(tilted.sum() / law.sum()) / beta

    R = brentq(lambda R: slope_and_energy(R)[0], 0.5 * found.radius, 1.0, xtol=1e-15)
    assert found.radius == pytest.approx(R, abs=1e-11)
    assert found.energy == pytest.approx(slope_and_energy(R)[1], abs=1e-12)


def test_minima_by_root_finding_are_as_many_as_rice_says():
    """Sums of 2000 random memories as Fourier series at R*: zeros of the derivative, 200 draws, 5.5 errors."""
    beta, draws = 7.0, 200
    R, rng = ring(beta).radius, np.random.default_rng(5)
    order = np.arange(1, 31)
    grid = np.linspace(0.0, 2.0 * np.pi, 2001)
    waves = np.exp(1j * np.outer(grid, order)) * (1j * order)
    counts = []
    for _ in range(draws):
        sums = np.exp(1j * np.outer(order, rng.uniform(0.0, 2.0 * np.pi, 2000))).sum(1)
        slope = (waves @ (ive(order, 2 * beta * R) * sums.conj())).real
        counts.append(int(((slope[:-1] > 0.0) & (slope[1:] <= 0.0)).sum()))
    error = float(np.std(counts, ddof=1)) / math.sqrt(draws)
    assert error < 0.1
    assert abs(np.mean(counts) - rice_minima(beta, R=R)) < 5.5 * error


def ring_weights(K, beta, draws, seed):
    """beta times the energy along the circle, up to a constant, for independent points; (draws, 360)."""
    rng = np.random.default_rng(seed)
    grid = 2 * np.pi * np.arange(360) / 360
    out = np.empty((draws, 360))
    for k in range(draws):
        angles = rng.uniform(0, 2 * np.pi, K)
        out[k] = -np.log(np.exp(2 * beta * (np.cos(grid[:, None] - angles) - 1)).mean(1))
    return out


def test_random_points_modulate_the_energy_as_predicted():
    """60 draws with some 4 independent stretches each: the rms is known to 5 %, and 5 standard errors are allowed."""
    beta, K = 5.0, 800
    level = ring_weights(K, beta, 60, seed=1)
    rms = math.sqrt(float(((level + math.log(i0e(2 * beta))) ** 2).mean()))
    assert rms == pytest.approx(modulation(beta, K) * beta, rel=0.25)
    assert modulation(beta, round(crossover_load(beta))) * beta == pytest.approx(1.0, rel=0.1)


def test_minima_on_the_ring_saturate_at_rices_number():
    beta, K = 20.0, 1500
    level = ring_weights(K, beta, 80, seed=2)
    minima = ((level < np.roll(level, 1, axis=1)) & (level < np.roll(level, -1, axis=1))).sum(1)
    error = minima.std(ddof=1) / math.sqrt(len(minima))
    assert abs(minima.mean() - rice_minima(beta)) < 5.5 * error
    assert error < 0.2


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: ring(-1.0), r"beta = -1\.0 is not allowed"),
        (lambda: ring(math.nan), "beta = nan"),
        (lambda: ring(1.0, N=1), "N = 1 is not allowed"),
        (lambda: ring_energy(-1.0, beta=1.0), "0 <= R"),
        (lambda: equispaced_barrier(0.5, 9), "give beta > 1"),
        (lambda: equispaced_barrier(2.0, 1), "K = 1"),
        (lambda: modulation(2.0, 0), "K = 0"),
        (lambda: rice_minima(2.0, R=0.0), "R = 0"),
    ],
)
def test_misuse_is_one_sentence(call, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        call()
