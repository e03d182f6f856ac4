"""Energy, score, Hessian of dense associative memory: finite differences, brute force, closed forms."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from scipy.special import logsumexp

from numerics.diffusion.curvature import (
    curvatures,
    divergence,
    half_spectrum,
    hessian,
    softest,
    softmax_covariance,
)
from numerics.diffusion.energy import energies, local, scores, softmax
from numerics.diffusion.memories import beta_of, circle, memories, nearest_distances
from theory.diffusion.ring import ring_energy
from theory.errors import InvalidInput

RNG = np.random.default_rng(7)
DATA = RNG.standard_normal((40, 6)) + 3.0
POINTS = RNG.standard_normal((5, 6)) + 3.0
SIGMAS = (0.3, 1.0, 4.0)


def by_hand(data, x, sigma):
    """Energy and weights, written down again."""
    exponent = -((x - data) ** 2).sum(1) / (2 * sigma**2)
    return -2 * sigma**2 * logsumexp(exponent), np.exp(exponent - logsumexp(exponent))


@pytest.mark.parametrize("sigma", SIGMAS)
def test_blocks_give_the_sum_over_memories(sigma):
    known = memories(DATA)
    for limit in (64, 300, 2**22):
        found = softmax(known, POINTS, sigma, limit=limit)
        for k, x in enumerate(POINTS):
            energy, w = by_hand(DATA, x, sigma)
            assert found.energy[k] == pytest.approx(energy, abs=1e-11)
            np.testing.assert_allclose(found.mean[k], w @ DATA, rtol=1e-12)
            assert found.variance[k] == pytest.approx(w @ ((DATA - w @ DATA) ** 2).sum(1), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("sigma", SIGMAS)
@pytest.mark.parametrize("scale", [1e-60, 1.0, 1e60])
def test_single_precision_is_off_by_its_rounding_at_any_scale(sigma, scale):
    """Weights by the rounding of exponents, which are below (extent/sigma)^2; eight roundings a term are allowed."""
    known, x = memories(scale * DATA), scale * POINTS
    exact, rough = softmax(known, x, scale * sigma), softmax(known, x, scale * sigma, single=True)
    level = 8 * 2.0**-24 * max(known.extent / (scale * sigma), 1.0) ** 2
    np.testing.assert_array_less(np.abs(rough.mean - exact.mean), level * known.extent)
    np.testing.assert_array_less(np.abs(rough.energy - exact.energy), level * (scale * sigma) ** 2)
    np.testing.assert_array_less(np.abs(rough.variance - exact.variance), level * known.extent**2)


@pytest.mark.parametrize("sigma", SIGMAS)
def test_score_and_hessian_are_derivatives(sigma):
    known, x, h = memories(DATA), POINTS[0], 1e-5
    shifts = np.concatenate([x + h * np.eye(6), x - h * np.eye(6)])
    level = energies(known, shifts, sigma)
    gradient = (level[:6] - level[6:]) / (2 * h)
    np.testing.assert_allclose(scores(known, x[None], sigma)[0], -beta_of(sigma) * gradient, rtol=1e-6, atol=1e-6)
    at = scores(known, shifts, sigma)
    jacobian = (at[:6] - at[6:]) / (2 * h)
    np.testing.assert_allclose(hessian(known, x, sigma), -jacobian / beta_of(sigma), rtol=1e-6, atol=1e-6)
    assert divergence(known, x, sigma) == pytest.approx(np.trace(jacobian), rel=1e-6)


def test_curvatures_come_from_the_smaller_side():
    """5 memories in 30 dimensions and 60 in 4: the spectrum of the Hessian either way, and by Lanczos."""
    for shape, sigma in (((5, 30), 3.0), ((60, 4), 1.0)):
        data = RNG.standard_normal(shape)
        known, x = memories(data), 0.3 * RNG.standard_normal(shape[1])
        exact = np.linalg.eigvalsh(hessian(known, x, sigma))
        np.testing.assert_allclose(curvatures(known, x, sigma), exact, atol=1e-12)
        for limit in (1, 1000):
            value, direction = softest(known, x, sigma, lanczos_above=limit)
            assert value == pytest.approx(exact[0], abs=1e-10)
            np.testing.assert_allclose(hessian(known, x, sigma) @ direction, value * direction, atol=1e-6)
        values, directions = half_spectrum(known, x, sigma, local(known, x, sigma))
        np.testing.assert_allclose(directions.T @ directions, np.eye(len(values)), atol=1e-9)


def test_one_memory_is_a_parabola_and_two_are_a_hyperbolic_cosine():
    one = memories([[1.0, 2.0]])
    x = np.array([[0.0, 0.0]])
    assert energies(one, x, 0.7)[0] == pytest.approx(5.0)
    np.testing.assert_allclose(hessian(one, x[0], 0.7), 2 * np.eye(2))
    a, sigma = 1.3, 0.9
    beta, s = beta_of(sigma), np.linspace(-2, 2, 9)
    exact = s**2 + a**2 - np.log(2 * np.cosh(2 * beta * a * s)) / beta
    np.testing.assert_allclose(energies(memories([[-a], [a]]), s[:, None], sigma), exact, atol=1e-13)


def test_many_points_on_the_circle_are_the_bessel_function():
    """Equally spaced, K = 200: the sum is the integral to rounding; the theory takes the mean over memories."""
    sigma = math.sqrt(0.05)
    known = memories(circle(200, equispaced=True))
    R = np.linspace(0.0, 1.5, 7)
    found = energies(known, np.stack([R, np.zeros(7)], axis=1), sigma) + math.log(200) / beta_of(sigma)
    np.testing.assert_allclose(found, ring_energy(R, beta=10.0), atol=1e-13)


def test_a_common_offset_changes_nothing():
    near, far = softmax(memories(DATA), POINTS, 0.5), softmax(memories(DATA + 1e6), POINTS + 1e6, 0.5)
    np.testing.assert_allclose(far.energy, near.energy, atol=1e-7)


def test_far_points_do_not_underflow():
    known = memories([[0.0], [1.0]])
    assert energies(known, [[1e4]], 1e-3)[0] == pytest.approx((1e4 - 1) ** 2, rel=1e-14)
    assert softmax(known, [[-5.0]], 1e-3).mean[0, 0] == 0.0


def test_duplicates_are_refused_counted_or_dropped():
    twice = [[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]]
    with pytest.raises(InvalidInput, match=r"1 of 3 data points occur more than once .* lowers their energy"):
        memories(twice)
    assert memories(twice, duplicates="drop").K == 2
    counted = memories(twice, duplicates="count")
    x = np.array([[0.2, 0.1]])
    assert energies(counted, x, 0.6)[0] == pytest.approx(by_hand(np.array(twice), x[0], 0.6)[0])
    w = by_hand(np.array(twice), x[0], 0.6)[1]
    cov = np.cov(np.array(twice).T, aweights=w, bias=True)
    np.testing.assert_allclose(softmax_covariance(counted, x[0], 0.6), cov, atol=1e-14)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ([[0.0, np.nan], [1.0, 1.0]], r"NaN or infinity in 1 of 2 points \(first in row 0\)"),
        ([1.0, 2.0], r"shape \(2,\)"),
        (np.zeros((0, 3)), "hold no point"),
        ([["a", "b"]], "no array of real numbers"),
        ([[1.0], [1.0, 2.0]], "no array of real numbers"),
        ([[1j, 0.0]], "no array of real numbers"),
    ],
)
def test_bad_data_is_one_sentence(data, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        memories(data)


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf, True, "1"])
def test_bad_noise_is_one_sentence(sigma):
    with pytest.raises(InvalidInput, match="0 < sigma < infinity"):
        energies(memories(DATA), POINTS, sigma)


def test_points_of_another_dimension_are_refused():
    with pytest.raises(InvalidInput, match=r"shape \(B, 6\)"):
        energies(memories(DATA), POINTS[:, :3], 1.0)


def test_nearest_distances_are_those_by_brute_force():
    a, b = RNG.standard_normal((30, 3)), RNG.standard_normal((50, 3))
    every = np.linalg.norm(a[:, None] - a[None], axis=2)
    np.fill_diagonal(every, np.inf)
    np.testing.assert_allclose(nearest_distances(a), every.min(1), rtol=1e-12)
    np.testing.assert_allclose(nearest_distances(a, b), np.linalg.norm(a[:, None] - b[None], axis=2).min(1), rtol=1e-12)
    assert np.isinf(nearest_distances(a[:1])).all()


@pytest.mark.slow
def test_a_hundred_thousand_memories_in_a_thousand_dimensions_fit_in_two_gigabytes():
    """The data are 0.8 GB; all that is added for energy, score and softest direction stays below 0.4 GB."""
    tracemalloc.start()
    data = np.empty((100_000, 1000))
    for k in range(100):
        data[1000 * k : 1000 * (k + 1)] = np.random.default_rng(k).standard_normal((1000, 1000))
    known = memories(data)
    x = 0.5 * data[:200]
    found = softmax(known, x, 20.0)
    value, _ = softest(known, x[0], 20.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.isfinite(found.energy).all()
    assert 0.0 < value < 2.0
    assert peak < 1.2e9
