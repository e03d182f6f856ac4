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
