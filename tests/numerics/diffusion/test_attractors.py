"""Attractors and barriers: bifurcations in closed form, brute force on the circle, merging and refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from numerics.diffusion.attractors import attractors, grouped
from numerics.diffusion.barriers import barriers
from numerics.diffusion.curvature import curvatures
from numerics.diffusion.energy import energies, softmax
from numerics.diffusion.memories import beta_of, circle, memories
from numerics.diffusion.minimum import captures, newton
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


def plain(data, sigma):
    """Where mean shift itself takes every point of the data, written down again."""
    x, live = data.copy(), np.arange(len(data))
    for _ in range(20_000):
        exponent = -((x[live, None] - data) ** 2).sum(2) / (2 * sigma**2)
        w = np.exp(exponent - exponent.max(1)[:, None])
        new = (w / w.sum(1)[:, None]) @ data
        moved = np.linalg.norm(new - x[live], axis=1)
        x[live] = new
        live = live[moved > 1e-9 * sigma]
        if not len(live):
            return x
    raise AssertionError("mean shift has not ended")


def blobs():
    rng = np.random.default_rng(6)
    return (rng.standard_normal((30, 20)) + 0.5 * rng.standard_normal((10, 30, 20))).reshape(-1, 20)


CLOUD, PLANE = np.random.default_rng(4).standard_normal((200, 8)), np.random.default_rng(9).standard_normal((300, 2))


@pytest.mark.parametrize(
    ("data", "sigma"),
    [
        *((circle(9), sigma) for sigma in (0.08, 0.15, 0.25, 0.4)),
        *((circle(200), sigma) for sigma in (0.08, 0.25)),
        pytest.param(circle(1000), 0.4, marks=pytest.mark.slow),
        *((PLANE, sigma) for sigma in (0.1, 0.2, 0.3, 0.35)),
        *((CLOUD, sigma) for sigma in (0.5, 0.7, 0.8, 0.9, 1.0)),
        *((blobs(), sigma) for sigma in (0.8, 1.2, 1.6, 2.0)),
    ],
)
def test_every_start_ends_where_plain_mean_shift_takes_it(data, sigma):
    """Nothing that makes the descent fast may take a start into another basin."""
    found = attractors(memories(data), sigma)
    np.testing.assert_allclose(found.points[found.start], plain(data, sigma), atol=1e-6 * min(1.0, 10.0 * sigma))


@pytest.mark.parametrize("sigma", [0.15, 0.3, 0.5, 1.0])
def test_isolated_memories_are_at_rest_after_few_passes(sigma):
    """Energies that differ by rounding must not send a plain step back for ever."""
    data = 5.0 + np.random.default_rng(2).standard_normal((400, 30)) * np.linspace(0.3, 1.0, 30)
    found = attractors(memories(data), sigma)
    assert found.converged.all()
    assert found.passes < 12


@pytest.mark.parametrize("sigma", [0.6, 0.8, 1.0])
def test_mean_shift_contracts_where_a_minimum_captures(sigma):
    """On the surface of the ball, the whole Hessian of mean shift is below one, and every step leads nearer."""
    known = memories(CLOUD)
    found = attractors(known, sigma)
    ends = [newton(known, sigma, x) for x in found.points[:20]]
    radius = captures(known, sigma, ends)
    assert (radius > 0.0).all()
    rng = np.random.default_rng(1)
    for end, r in zip(ends, radius, strict=True):
        way = rng.standard_normal((20, 8))
        there = end.x + r * way / np.linalg.norm(way, axis=1)[:, None]
        assert all(curvatures(known, x, sigma)[0] > 0.0 for x in there)
        assert (np.linalg.norm(softmax(known, there, sigma).mean - end.x, axis=1) < r).all()


def test_a_minimum_captures_no_more_than_its_convex_part():
    """Two memories: curvature vanishes where a^2/cosh^2(x a/sigma^2) = sigma^2."""
    for sigma in (0.3, 0.6, 0.9, 0.99):
        end = newton(PAIR, sigma, np.array([1.0, 0.0, 0.0]))
        turn = sigma**2 * math.acosh(1.0 / sigma)
        assert 0.0 < captures(PAIR, sigma, [end])[0] < end.x[0] - turn


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
        ({"merge": "near"}, "0 < merge"),
        ({"max_passes": 0}, "max_passes >= 1"),
        ({"starts": [[0.0, 1.0]]}, r"shape \(B, 3\)"),
        ({"starts": [[np.nan, 0.0, 0.0]]}, "NaN or infinity"),
        ({"starts": np.zeros((0, 3))}, "no point"),
    ],
)
def test_misuse_is_one_sentence(options, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        attractors(PAIR, 0.5, **options)


def test_data_are_no_memories_yet():
    with pytest.raises(InvalidInput, match="make them of the data"):
        attractors(np.zeros((3, 2)), 0.2)
    with pytest.raises(InvalidInput, match="given as ndarray"):
        softmax(np.zeros((3, 2)), np.zeros((1, 2)), 0.2)
