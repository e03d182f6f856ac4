"""The highest energy on straight lines, against dense sampling and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from numerics.diffusion.attractors import attractors
from numerics.diffusion.barriers import barriers
from numerics.diffusion.energy import energies
from numerics.diffusion.lines import heaviest, tops
from numerics.diffusion.memories import beta_of, circle, memories


def highest(known, a, b, sigma):
    return tops(known, a, b, (heaviest(known, a, sigma), heaviest(known, b, sigma)), sigma)


@pytest.mark.parametrize(
    ("points", "sigma"),
    [
        (np.random.default_rng(0).standard_normal((40, 3)), 0.3),
        (np.random.default_rng(0).standard_normal((400, 5)) + 1e6, 0.2),  # far from the origin
        (np.random.default_rng(0).standard_normal((400, 5)), 1.0),  # sums of more memories than are heavy
        (circle(300), 0.5),
    ],
)
def test_the_top_of_a_line_is_that_of_a_dense_sample(points, sigma):
    known = memories(points)
    rng = np.random.default_rng(1)
    a, b = (known.points[rng.integers(0, known.K, 25)] + 0.1 * sigma for _ in range(2))
    height, top = highest(known, a, b, sigma)
    np.testing.assert_allclose(energies(known, top, sigma), height, atol=2e-3 * sigma**2)
    for k in range(len(a)):
        line = a[k] + np.linspace(0.0, 1.0, 2001)[:, None] * (b[k] - a[k])
        dense = float(energies(known, line, sigma).max())
        assert abs(dense - height[k]) * beta_of(sigma) < 5e-3


def test_the_ridge_between_two_far_memories_of_unequal_weight_is_met():
    """At sigma = 1 and distance L = 40, weights 1 and c: wells meet at L/2 - log(c)/L, in a cusp of width 1/L."""
    known = memories([[0.0]] + [[40.0]] * 9, duplicates="count")
    height, top = highest(known, np.array([[0.0]]), np.array([[40.0]]), 1.0)
    meet = 20.0 - math.log(9.0) / 40.0
    exact = meet**2 - 2.0 * math.log(2.0)
    assert top[0, 0] == pytest.approx(meet, abs=2e-3)
    assert height[0] == pytest.approx(exact, abs=5e-3)
    walls = barriers(known, attractors(known, 1.0))
    assert walls.exact.all()
    assert walls.saddles[0] == pytest.approx(exact, abs=1e-4)


def flooded(known, found, sigma, side=200):
    """Lowest climb from every attractor to another by flooding a grid over the plane, in units of 1/beta."""
    axes = [
        np.linspace(lo, hi, side)
        for lo, hi in zip(*(np.stack([known.points.min(0) - sigma, known.points.max(0) + sigma])), strict=True)
    ]
    energy = energies(known, np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2), sigma)
    seeds: dict[int, list[int]] = {}
    for i, x in enumerate(found.points):
        seeds.setdefault(int(np.abs(axes[0] - x[0]).argmin()) * side + int(np.abs(axes[1] - x[1]).argmin()), []).append(
            i
        )
    parent = np.full(side * side, -1)
    climb = np.full(len(found), np.inf)

    def root(i):
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for cell in np.argsort(energy).tolist():
        parent[cell] = cell
        row, column = divmod(cell, side)
        for r, c in ((row + dr, column + dc) for dr in (-1, 0, 1) for dc in (-1, 0, 1) if dr or dc):
            if 0 <= r < side and 0 <= c < side and parent[r * side + c] >= 0:
                a, b = root(cell), root(r * side + c)
                if a != b:
                    here, there = seeds.get(a, []), seeds.get(b, [])
                    for i in (here + there) if here and there else []:
                        climb[i] = min(climb[i], energy[cell] - found.energy[i])
                    parent[b] = a
                    seeds[a] = here + there
    return climb * beta_of(sigma)


@pytest.mark.parametrize(("K", "sigma", "seed"), [(10, 0.3, 0), (30, 0.2, 1), (30, 0.35, 2), (80, 0.15, 3)])
def test_barriers_are_the_lowest_of_a_flooded_plane(K, sigma, seed):
    """The grid resolves climbs to a few hundredths; in none of these clouds is a lowest way missed."""
    known = memories(np.random.default_rng(seed).standard_normal((K, 2)))
    found = attractors(known, sigma)
    walls = barriers(known, found)
    np.testing.assert_allclose(walls.escape, flooded(known, found, sigma), rtol=0.03, atol=0.06)
    assert walls.exact.mean() > 0.95
