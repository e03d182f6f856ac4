"""Replica-symmetry breaking of planar spins at exponentially small temperatures."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from theory import saddle
from theory.models.vector_hopfield import VectorHopfield
from theory.phase import threshold
from theory.points import at_point
from theory.radial import radial_rule
from theory.states import solve


def density_at_zero(solution, model):
    """``dr/d ln tau`` from the density of vanishing fields, ``E tr C^2 ~ p(0) 2 pi (tau/2)^2 ln(1/tau)``."""
    at = solution.order_parameters
    sigma2 = model.alpha * at["q_hat"] / 4
    zero = math.exp(-0.5 * at["m"] ** 2 / sigma2) / (2 * math.pi * sigma2)
    return model.alpha / (1 - at["chi"] / 2) ** 2 * 0.5 * math.pi * zero


@pytest.mark.parametrize("alpha", [0.05, 0.07, 0.075])
def test_the_replicon_of_planar_spins_falls_like_the_logarithm_of_temperature(alpha):
    """With the slope that the density of vanishing fields says, over 24 decades."""
    model = VectorHopfield(alpha, 2, 1e-6)
    solution = solve(model)
    x, replicon = None, []
    for temperature in (1e-8, 1e-14, 1e-20, 1e-32):
        point = at_point(replace(model, temperature=temperature), "example", 1)
        first = np.array([solution.variables[n] for n in point.equations.names]) if x is None else x
        roots = saddle.solve(point.equations.problem(), first, point.parameters)
        x = roots.x[0]
        replicon.append((math.log(temperature), point.scalar("replicon", x)))
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in itertools.pairwise(replicon)]
    assert slopes == pytest.approx([density_at_zero(solve(replace(model, temperature=0.0)), model)] * 3, rel=2e-5)


def test_lengths_of_order_one_keep_their_digits_in_the_longest_fields():
    """``E |h|^{-1}`` over |h| < 8 of a planar Gaussian without mean is ``8/R`` for all large R."""
    for R in (1e12, 1e24, 1e60):
        rule = radial_rule(2, np.zeros(1), np.array([R]))
        inside = rule.length[0] < 8.0  # where a panel ends
        assert (rule.weight[0] / np.maximum(rule.length[0], 1e-300))[inside].sum() == pytest.approx(8.0 / R, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("alpha", "order"), [(0.075, -11), (0.07, -34)])
def test_the_at_line_of_planar_spins(alpha, order):
    found = threshold(VectorHopfield(alpha, 2, None), "example", line="at", vary="temperature")
    assert math.floor(math.log10(found.value)) in (order - 1, order)
    assert found.error < 1e-8 * found.value
    below = solve(VectorHopfield(alpha, 2, 0.0))
    slope = density_at_zero(below, VectorHopfield(alpha, 2))
    near = solve(VectorHopfield(alpha, 2, 1e-6))
    assert math.log(found.value) == pytest.approx(math.log(1e-6) - near.replicon / slope, rel=1e-4)
