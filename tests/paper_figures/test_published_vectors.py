"""Published points of the vector Hopfield network against ours, with the differences that are known."""

from __future__ import annotations

import numpy as np
import pytest

from paper_figures.nicoletti2025.published import CAPACITY, FIRST_ORDER, REPLICON, SPINODAL
from theory.lines import phase_line
from theory.models.vector_hopfield import VectorHopfield
from theory.phase import threshold
from theory.states import solve

CURVES = [CAPACITY, *SPINODAL.values(), *FIRST_ORDER.values(), *REPLICON.values()]


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.source[-24:])
def test_at_most_a_dozen_points_are_typed_and_their_source_is_named(curve):
    assert 1 < len(curve.points) <= 12
    assert curve.source.startswith("arXiv:2507.02586")


@pytest.mark.parametrize(("d", "load"), CAPACITY.points)
def test_capacities_agree_to_their_four_digits(d, load):
    value = d * threshold(VectorHopfield(d=int(d))).value
    assert abs(value - load) < (1e-4 if d == 100 else 0.5e-4)  # that one is cut off, not rounded


@pytest.mark.parametrize("d", SPINODAL)
def test_spinodals_agree(d):
    curve = SPINODAL[d]
    ours = phase_line(VectorHopfield(d=d), along="temperature", values=curve.y)
    np.testing.assert_allclose(d * ours.values, curve.x, rtol=0, atol=5e-5)  # of the 4e-4 that their grid allows


@pytest.mark.parametrize("d", REPLICON)
def test_replicons_at_zero_temperature_agree(d):
    for alpha, replicon in REPLICON[d].points:
        assert solve(VectorHopfield(alpha, d)).replicon == pytest.approx(replicon, abs=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("d", "tolerance", "largest"), [(1, 4e-3, 1e-3), (3, 0.03, 0.01), (10, 6e-3, 1e-3), (50, 0.03, 0.01)]
)
def test_first_order_lines_differ_by_what_is_known(d, tolerance, largest):
    curve = FIRST_ORDER[d]
    ours = phase_line(VectorHopfield(d=d), line="thermodynamic", along="temperature", values=curve.y)
    ratio = np.array(curve.x) / (d * ours.values)
    assert np.all(np.abs(ratio - 1.0) < tolerance)
    assert np.any(np.abs(ratio - 1.0) > largest)  # a difference that is worth keeping in mind
