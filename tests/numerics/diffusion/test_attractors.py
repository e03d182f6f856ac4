"""Attractors and barriers: bifurcations in closed form, brute force on the circle, merging and refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from numerics.diffusion.attractors import attractors, grouped
from numerics.diffusion.barriers import barriers
from numerics.diffusion.curvature import curvatures
from numerics.diffusion.energy import energies
from numerics.diffusion.memories import beta_of, circle, memories
from numerics.diffusion.minimum import newton
from numerics.diffusion.valleys import valleys
from theory.diffusion.ring import equispaced_barrier, ring
from theory.errors import InvalidInput

PAIR = memories([[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])


@pytest.mark.parametrize("excess", [0.3, 1e-2, 1e-4, 1e-6, 1e-8])
def test_two_memories_part_where_sigma_is_half_their_distance(excess):
    """Minima at +-m with m = tanh(m/sigma^2) below sigma = a, one midway above; both to the stated error."""
    apart = attractors(PAIR, math.sqrt(1.0 - excess))
    assert len(apart) == 2
    # tanh(m/s2) = m, by Newton from the mean-field expansion.
    s2 = 1.0 - excess
    m = math.sqrt(min(3.0 * excess, 0.9))
    for _ in range(60):
        m -= (m - math.tanh(m / s2)) / (1.0 - (1.0 - math.tanh(m / s2) ** 2) / s2)
    np.testing.assert_array_less(np.abs(np.sort(apart.points[:, 0]) - [-m, m]), 10 * apart.error.max() + 1e-15)
    np.testing.assert_allclose(apart.softest, 2 * (1 - (1 - m**2) / s2), rtol=2e-3)
    together = attractors(PAIR, math.sqrt(1.0 + excess))
    assert len(together) == 1
    assert abs(together.points[0, 0]) <= 10 * together.error[0]
    assert together.softest[0] == pytest.approx(2 * excess / (1 + excess), rel=1e-3)
    assert together.basin.tolist() == [2]


def test_at_the_bifurcation_it_is_said_that_the_minimum_is_flat():
    found = attractors(PAIR, 1.0)
    assert found.flat.all()
    assert np.abs(found.points[:, 0]).max() < found.error.max()


def test_minima_that_are_sought_together_are_those_found_one_by_one():
    """More memories than are all heavy: positions, curvatures and errors against Newton with every memory, alone."""
    rng = np.random.default_rng(8)
    data = (rng.standard_normal((60, 12)) + 0.25 * rng.standard_normal((10, 60, 12))).reshape(-1, 12)
    known, sigma = memories(data), 0.6
    found = attractors(known, sigma)
    assert len(found) > 5
    assert found.converged.all()
    for k, x in enumerate(found.points):
        alone = newton(known, sigma, x)
        assert np.linalg.norm(alone.x - x) <= found.error[k] + alone.error
        if found.softest[k] < 1.8:
            assert found.softest[k] == pytest.approx(alone.softest, abs=1e-8)


@pytest.mark.parametrize("sigma", [1e-200, 1e200, 1e-120])
def test_scales_without_a_square_are_refused(sigma):
    with pytest.raises(InvalidInput, match=r"no square|larger sigma"):
        attractors(PAIR if sigma != 1e-120 else memories([[0.0], [1.0]]), sigma)


def test_a_common_offset_costs_no_more_than_its_rounding():
    data = circle(9, seed=3)
    near, far = (attractors(memories(data + shift), 0.2) for shift in (0.0, 2.0**20))
    assert len(near) == len(far)
    np.testing.assert_allclose(far.points - 2.0**20, near.points, atol=1e-8)
    np.testing.assert_allclose(far.energy, near.energy, atol=1e-8)


def test_a_start_on_a_ridge_leaves_it():
    """Midway between two memories the mean shift vanishes exactly, and the curvature is negative."""
    known = memories([[-1.0, 0.0], [1.0, 0.0]])
    found = attractors(known, 0.5, starts=[[0.0, 0.0], [0.0, 0.3]])
    assert found.converged.all()
    m = 1.0
    for _ in range(100):
        m = math.tanh(4.0 * m)
    np.testing.assert_allclose(np.abs(found.points), [[m, 0.0]] * len(found), atol=1e-14)


def test_every_attractor_is_a_fixed_point_with_positive_hessian():
    rng = np.random.default_rng(3)
    data = rng.standard_normal((60, 5))
    known = memories(data)
    for sigma in (0.3, 0.7, 1.0):
        found = attractors(known, sigma)
        assert found.converged.all()
        w = np.exp(-((found.points[:, None] - data) ** 2).sum(2) / (2 * sigma**2))
        w /= w.sum(1)[:, None]
        np.testing.assert_allclose(w @ data, found.points, atol=1e-13)
        for k, x in enumerate(found.points):
            low = curvatures(known, x, sigma)[0]
            assert low > 0.0
            assert low == pytest.approx(found.softest[k], abs=1e-9) or 1.4 <= found.softest[k] <= low + 1e-9


def test_starts_end_where_plain_mean_shift_takes_them():
    """10^4 plain steps from every memory; lengthened steps must not leave the basin."""
    rng = np.random.default_rng(5)
    data = rng.standard_normal((50, 2))
    sigma = 0.35
    found = attractors(memories(data), sigma)
    x = data.copy()
    for _ in range(10_000):
        w = np.exp(-((x[:, None] - data) ** 2).sum(2) / (2 * sigma**2))
        x = (w / w.sum(1)[:, None]) @ data
    np.testing.assert_allclose(found.points[found.start], x, atol=1e-6)


def profile(data, sigma, points=8000):
    """Valley floor along the ring by brute force: the radius that mean shift settles at, for every angle."""
    angle = 2 * np.pi * np.arange(points) / points
    ray, radius = np.stack([np.cos(angle), np.sin(angle)], axis=1), np.ones(points)
    for _ in range(100):
        w = np.exp(-((radius[:, None, None] * ray[:, None] - data) ** 2).sum(2) / (2 * sigma**2))
        radius = ((w @ data) * ray).sum(1) / w.sum(1)
    w = np.exp(-((radius[:, None, None] * ray[:, None] - data) ** 2).sum(2) / (2 * sigma**2))
    return -np.log(w.sum(1))


@pytest.mark.parametrize(("K", "sigma", "seed"), [(9, 0.2, 0), (9, 0.2, 4), (30, 0.2, 1), (60, 0.15, 2)])
def test_minima_and_barriers_on_the_circle_are_those_along_the_ring(K, sigma, seed):
    data = circle(K, seed=seed)
    known = memories(data)
    found = attractors(known, sigma)
    walls = barriers(known, found)
    level = profile(data, sigma)
    low = np.flatnonzero((level < np.roll(level, 1)) & (level <= np.roll(level, -1)))
    high = np.flatnonzero((level > np.roll(level, 1)) & (level >= np.roll(level, -1)))
    # The ring may hold minima to which no memory descends; every attractor is one of the ring's.
    beta = beta_of(sigma)
    assert len(found) <= len(low)
    expected = []
    for i in low:
        after, before = high[high > i], high[high < i]
        walls_here = (level[after[0] if len(after) else high[0]], level[before[-1] if len(before) else high[-1]])
        expected.append((level[i], min(walls_here) - level[i]))
    for energy, escape, exact in zip(found.energy * beta, walls.escape, walls.exact, strict=True):
        k = int(np.argmin([abs(e - energy) for e, _ in expected]))
        assert expected[k][0] == pytest.approx(energy, abs=1e-5)
        if len(found) == len(low) and exact:
            assert escape == pytest.approx(expected[k][1], abs=1e-4)
    assert walls.exact.mean() > 0.7


def test_barriers_of_equally_spaced_memories_are_those_of_the_theory():
    sigma, K = 0.2, 9
    known = memories(circle(K, equispaced=True))
    found = attractors(known, sigma)
    exact = equispaced_barrier(beta_of(sigma), K)
    assert len(found) == K
    np.testing.assert_allclose(np.linalg.norm(found.points, axis=1), exact.minimum, atol=1e-13)
    walls = barriers(known, found)
    assert walls.exact.all()
    np.testing.assert_allclose(walls.escape, exact.height * beta_of(sigma), rtol=1e-10)


def test_a_thousand_equally_spaced_memories_are_one_flat_valley():
    sigma = 0.2
    known = memories(circle(1000, equispaced=True))
    found = attractors(known, sigma)
    assert found.flat.all()
    np.testing.assert_allclose(np.linalg.norm(found.points, axis=1), ring(beta_of(sigma)).radius, atol=1e-12)
    low = valleys(found, barriers(known, found), 0.5)
    assert (low.bottom == low.bottom[0]).all()
    assert low.span == pytest.approx(2 * ring(beta_of(sigma)).radius, rel=1e-3)


def test_a_single_attractor_has_no_barrier():
    found = attractors(PAIR, 2.0)
    walls = barriers(PAIR, found)
    assert np.isinf(walls.escape).all()
    assert len(walls.pairs) == 0


def test_barriers_bound_the_energy_on_every_path_between_two_memories():
    """In 20 dimensions, two memories: the saddle is midway, E = a^2 - (1/beta) log 2."""
    rng = np.random.default_rng(2)
    one = rng.standard_normal(20)
    known = memories(np.stack([one, -one]))
    sigma = 0.4 * float(np.linalg.norm(one))
    found = attractors(known, sigma)
    walls = barriers(known, found)
    saddle = float(energies(known, np.zeros((1, 20)), sigma)[0])
    np.testing.assert_allclose(walls.escape, (saddle - found.energy) * beta_of(sigma), rtol=1e-11)


def test_groups_are_by_distance():
    points = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1e-7], [3.0, 4.0 + 2e-6]])
    label = grouped(points, 1e-6)[1]
    assert label[0] == label[2]
    assert len({label[0], label[1], label[3]}) == 3


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"merge": 0.0}, "0 < merge"),
        ({"starts": [[0.0, 1.0]]}, r"shape \(B, 3\)"),
        ({"starts": [[np.nan, 0.0, 0.0]]}, "NaN or infinity"),
        ({"starts": np.zeros((0, 3))}, "no point"),
    ],
)
def test_misuse_is_one_sentence(options, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        attractors(PAIR, 0.5, **options)
