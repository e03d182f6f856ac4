"""Samplers, critical noise and basin volumes: closed forms, any score, named noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import kstest, norm

from numerics.diffusion.attractors import attractors
from numerics.diffusion.critical import critical_noise, flow_back, log_basin_volume
from numerics.diffusion.flow import exact_score, noise_levels, probability_flow, reverse_sde, vp_score, vp_sigma
from numerics.diffusion.memories import circle, memories
from numerics.rng import gaussians, stream
from theory.errors import InvalidInput

VARIANCE = np.array([0.25, 1.0, 4.0])


def gaussian_score(x, sigma):
    """Score of Gaussian data with these variances."""
    return -x / (VARIANCE + sigma**2)


def test_the_flow_of_gaussian_data_is_a_rescaling():
    """x scales with sqrt(variance + sigma^2); Heun's error falls with the square of the step."""
    x = gaussians(stream("flow"), rows=20, columns=3) * 50.0
    exact = x * np.sqrt((VARIANCE + 0.01**2) / (VARIANCE + 50.0**2))
    errors = [np.abs(probability_flow(gaussian_score, x, noise_levels(50.0, 0.01, n)) - exact).max() for n in (50, 100)]
    assert errors[1] < 2e-2
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.3)


@pytest.mark.parametrize("sampler", [reverse_sde, probability_flow])
def test_samplers_reproduce_the_variance_of_gaussian_data(sampler):
    """20000 samples from sigma = 50: the variance to 5 standard errors sqrt(2/n), and 2 % for the steps."""
    n = 20_000
    x = gaussians(stream("start"), rows=n, columns=3) * np.sqrt(VARIANCE + 50.0**2)
    found = sampler(gaussian_score, x, noise_levels(50.0, 0.01, 150)).var(axis=0)
    np.testing.assert_allclose(found, VARIANCE, rtol=5 * math.sqrt(2 / n) + 0.02)


def test_the_exact_score_ends_in_memories_with_equal_frequency():
    """The reverse equation stopped at small noise returns the data: 4 memories, 4000 samples, 5 standard errors."""
    data = np.array([[2.0, 0.0], [-2.0, 0.0], [0.0, 2.0], [0.0, -2.0]])
    x = 40.0 * gaussians(stream("noise"), rows=4000, columns=2)
    ends = reverse_sde(exact_score(memories(data)), x, noise_levels(40.0, 0.01, 120))
    distance = np.linalg.norm(ends[:, None] - data, axis=2)
    assert distance.min(1).max() < 0.06
    counts = np.bincount(distance.argmin(1), minlength=4)
    assert np.abs(counts - 1000).max() < 5 * math.sqrt(4000 * 3 / 16)


UNEVEN = memories(
    [[2.0, 0.3], [-1.0, 1.0], [-1.3, -0.8], [0.4, 0.1], [0.5, -1.5], [2.0, 0.3], [-1.0, 1.0]], duplicates="count"
)


def from_far(n, high=40.0):
    """Draws from a Gaussian with the mean and covariance of the law at `high`, whose higher cumulants are gone."""
    d, w = UNEVEN.points - UNEVEN.centre, UNEVEN.counts / UNEVEN.counts.sum()
    factor = np.linalg.cholesky((w[:, None] * d).T @ d + high**2 * np.eye(2))
    return UNEVEN.centre + gaussians(stream("far"), rows=n, columns=2) @ factor.T


@pytest.mark.parametrize(("sampler", "steps"), [(probability_flow, 80), (reverse_sde, 300)])
@pytest.mark.parametrize("low", [0.4, 0.02])
def test_the_exact_score_s_samplers_end_in_the_law_of_uneven_memories(sampler, steps, low):
    """Every projection has the law of a mixture with shares 2:2:1:1:1, overlapping at sigma = 0.4, apart at 0.02.

    12 Kolmogorov-Smirnov tests at 1e-8 each (families of 1e-7): sqrt(n) D < 3.09.  3000 samples see deviations of 5 %.
    """
    n, w = 3000, UNEVEN.counts / UNEVEN.counts.sum()
    ends = sampler(exact_score(UNEVEN), from_far(n), noise_levels(40.0, low, steps))
    for angle in (0.0, 0.7, 1.9):
        along = np.array([math.cos(angle), math.sin(angle)])
        places = UNEVEN.points @ along
        found = kstest(ends @ along, lambda x, places=places: norm.cdf((x[:, None] - places) / low) @ w)
        assert found.statistic * math.sqrt(n) < 3.09


def test_the_errors_of_the_samplers_fall_as_stated():
    """The flow's as 1/steps^2 in every point; at 24 steps it is 0.05 sigma, and 0.4 % go to another memory."""
    x, low = from_far(1000), 0.02
    score = exact_score(UNEVEN)
    fine = probability_flow(score, x, noise_levels(40.0, low, 1200))
    away = [
        np.linalg.norm(probability_flow(score, x, noise_levels(40.0, low, n)) - fine, axis=1) / low
        for n in (24, 48, 96)
    ]
    median = [float(np.median(a)) for a in away]
    assert 0.03 < median[0] < 0.06
    assert median[0] / median[1] == pytest.approx(4.0, rel=0.25)
    assert median[1] / median[2] == pytest.approx(4.0, rel=0.25)
    assert (away[0] > 3.0).mean() < 0.02  # 0.4 % are expected; 20 of 1000 would be a chance of 1e-8


def test_noise_has_a_name():
    x = np.ones((3, 2))
    score, levels = exact_score(memories(circle(5))), noise_levels(2.0, 0.1, 10)
    a, b = (reverse_sde(score, x, levels, seed=s) for s in (1, 1))
    assert (a == b).all()
    assert (a != reverse_sde(score, x, levels, seed=2)).all()
    assert (reverse_sde(score, x[:2], levels, seed=1) == a[:2]).all()


def test_variance_preserving_is_the_same_law_in_other_units():
    """Gaussian data: the score at time t is -y/(e^-2t s2 + 1 - e^-2t)."""
    y, t = np.array([[0.3, -1.0, 2.0]]), 0.4
    exact = -y / (math.exp(-2 * t) * VARIANCE + 1 - math.exp(-2 * t))
    np.testing.assert_allclose(vp_score(gaussian_score)(y, t), exact, rtol=1e-13)
    assert vp_sigma(t) == pytest.approx(math.sqrt(math.exp(0.8) - 1))


def test_the_critical_noise_of_two_far_memories_is_that_of_the_projected_noise():
    """Memories at +-a on a line: the flow keeps the sign of x, so that x = a + sigma z is lost when z < -a/sigma.

    Recovered fraction Phi(a/sigma) = 0.9 at sigma = a/1.2816; 2000 trials know the fraction to 0.0067, sigma to 4 %.
    """
    known = memories([[-1.0], [1.0]])
    back = flow_back(exact_score(known), low=0.05, steps=30)
    found = critical_noise([[1.0], [-1.0]], np.linspace(0.3, 1.5, 13), back, delta=0.1, trials=2000)
    assert (found.kind == "crossing").all()
    np.testing.assert_allclose(found.level, 1 / 1.2815515655, atol=0.05)
    np.testing.assert_allclose(found.radius, found.level, rtol=1e-12)
    assert (np.diff(found.recovered, axis=0) <= 0).all()


def test_recovery_takes_any_way_back_and_any_base():
    """A map that forgets nothing is never lost, one that forgets all is lost at once."""
    x, levels = np.zeros((2, 3)), [0.5, 1.0]
    never = critical_noise(x, levels, lambda y, s: np.zeros_like(y), delta=0.1, base=0.4, trials=3)
    assert never.kind.tolist() == ["above", "above"]
    at_once = critical_noise(x, levels, lambda y, s: y, delta=1e-3, trials=3)
    assert at_once.kind.tolist() == ["below", "below"]
    assert never.radius == pytest.approx(math.sqrt((1.0 - 0.16) * 3))


def test_basin_volumes_of_shapes_that_are_known():
    """A cube of side 2 in three dimensions, whose rays have r^3 known on average: volume 8."""
    cube = log_basin_volume(np.zeros(3), lambda x: np.abs(x).max(1) < 1.0, within=9.0, rays=4000, halvings=30)
    assert abs(cube.log_volume - math.log(8.0)) < 5 * cube.error
    assert cube.capped == 0.0
    ball = log_basin_volume(np.zeros(20), lambda x: np.ones(len(x), bool), within=2.0, rays=5)
    assert ball.capped == 1.0
    assert ball.log_volume == pytest.approx(20 * math.log(2) + 10 * math.log(math.pi) - math.lgamma(11.0))


def test_the_basin_of_one_of_two_memories_is_half_of_the_ball():
    """Seen from one memory, x < 0 is lost: a disc of radius 3 about (1, 0) without the segment beyond x = 0."""
    known = memories([[-1.0, 0.0], [1.0, 0.0]])

    def inside(x):
        found = attractors(known, 0.3, starts=x)
        return found.points[found.start][:, 0] > 0.0

    volume = log_basin_volume([1.0, 0.0], inside, within=3.0, rays=400, halvings=14)
    segment = 9 * math.acos(1 / 3) - math.sqrt(8)
    assert abs(volume.log_volume - math.log(9 * math.pi - segment)) < 5 * volume.error


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: noise_levels(1.0, 2.0, 3), "high > low"),
        (lambda: probability_flow(gaussian_score, np.zeros((1, 3)), [1.0, 2.0]), "must fall"),
        (lambda: noise_levels(2.0, 1.0, 2.5), "steps >= 1"),
        (lambda: probability_flow(gaussian_score, np.zeros(3), [2.0, 1.0]), "one a row"),
        (lambda: reverse_sde(gaussian_score, [[math.nan] * 3], [2.0, 1.0]), "finite points"),
        (lambda: reverse_sde(lambda x, s: x[:, :1], np.ones((2, 3)), [2.0, 1.0]), r"shape \(2, 1\) at points"),
        (lambda: probability_flow(lambda x, s: np.inf * x, np.ones((2, 3)), [2.0, 1.0]), "not finite at sigma = 2"),
        (lambda: vp_sigma(0.0), "0 < t"),
        (lambda: critical_noise(np.zeros(3), [1.0, 2.0], lambda x, s: x, delta=0.1), "one point a row"),
        (lambda: critical_noise(np.zeros((1, 3)), [2.0, 1.0], lambda x, s: x, delta=0.1), "levels must rise"),
        (lambda: critical_noise(np.zeros((1, 3)), [1.0, 2.0], lambda x, s: x, delta=0.0), "delta > 0"),
        (lambda: log_basin_volume(np.zeros(2), lambda x: x[:, 0] > 0, within=0.0), "finite radius"),
    ],
)
def test_misuse_is_one_sentence(call, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        call()
