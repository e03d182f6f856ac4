"""Published points of the vector Hopfield network against ours, with the differences that are known."""

from __future__ import annotations

import numpy as np
import pytest

from paper_figures.nicoletti2025 import published
from paper_figures.nicoletti2025.at_line import LowTemperatureLine, low_temperature_replicon
from paper_figures.nicoletti2025.published import CAPACITY, FIRST_ORDER, REPLICON, SPINODAL
from theory.lines import phase_line
from theory.minima import hessian_law, local_fields
from theory.models.vector_hopfield import VectorHopfield
from theory.phase import threshold
from theory.states import solve

TABLES = (SPINODAL, FIRST_ORDER, REPLICON, published.ORDER_PARAMETERS, published.AT_LINE, published.FIELDS)
TABLES += (published.DENSITY, published.PARTICIPATION)
CURVES = [CAPACITY, published.KAPPA, published.LIMIT_DENSITY, *(c for table in TABLES for c in table.values())]


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
    for alpha, value in REPLICON[d].points:
        assert solve(VectorHopfield(alpha, d)).replicon == pytest.approx(value, abs=1e-8)


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


@pytest.mark.parametrize("tau", [0.0, 0.25, 0.5])
def test_order_parameters_agree_on_the_stable_branch(tau):
    rows = {name: published.ORDER_PARAMETERS[tau, name].points for name in ("m", "chi", "f")}
    for (alpha, m), (_, chi), (_, f) in zip(*rows.values(), strict=True):
        if tau == 0.0 and m < 0.8:  # the unstable branch
            continue
        found = solve(VectorHopfield(alpha, 3, tau))
        order = found.order_parameters
        theirs = found.free_energy + tau * alpha / 6.0 * np.log(3.0)
        assert [order["m"], order["chi"], theirs] == pytest.approx([m, chi, f], abs=1e-9)


def test_the_published_unstable_branch_is_told_from_the_stable_one():
    alpha, m = published.ORDER_PARAMETERS[0.0, "m"].points[-1]
    _, chi = published.ORDER_PARAMETERS[0.0, "chi"].points[-1]
    start = {"m": m, "chi": chi, "q_hat": 1.0 / (1.0 - chi / 3.0) ** 2}
    found = solve(VectorHopfield(alpha, 3), start=start, throw=False)
    assert found.status.value == "WRONG_BRANCH"


def test_resolvents_agree_and_kappa_is_theirs():
    kappa, density = published.KAPPA, published.LIMIT_DENSITY
    assert hessian_law(VectorHopfield(0.04, 3), "example").levels(np.array(kappa.x)).spread == pytest.approx(
        kappa.y, rel=1e-6
    )
    glass = hessian_law(VectorHopfield(0.04, 3), "spin_glass")
    assert glass.levels(np.array(density.x)).density == pytest.approx(density.y, abs=1e-9)


def test_published_simulations_of_retrieval_agree_with_the_theory():
    """Within 5 % of the largest value where eigenvectors extend over N = 4000 (participation far below N)."""
    law = hessian_law(VectorHopfield(0.04, 3), "example")
    fields, densities = published.FIELDS["example"], published.DENSITY["example"]
    expected = local_fields(VectorHopfield(0.04, 3), "example").density(np.array(fields.x))
    np.testing.assert_allclose(fields.y, expected, atol=0.05 * expected.max())
    expected = law.levels(np.array(densities.x)).density
    np.testing.assert_allclose(densities.y, expected, atol=0.05 * expected.max())
    x, y = np.array(published.PARTICIPATION["example"].points).T
    kappa = law.levels(x).spread
    extended = (x > 0.12) & (kappa < 0.01 * 4000)
    ratio = 4000.0 * y[extended] / kappa[extended]
    assert extended.sum() >= 5
    np.testing.assert_allclose(ratio, 2.0, rtol=0.06)  # (d + 1)/(d - 1), not 1


def test_the_published_at_line_of_ising_spins_is_the_asymptote():
    loads, temperatures = np.array(published.AT_LINE[1].points[::2]).T
    asymptote = np.exp(LowTemperatureLine(1, tuple(loads)).compute())
    np.testing.assert_allclose(temperatures, asymptote, rtol=1e-2)
    ours = [threshold(VectorHopfield(a, 1), line="at", vary="temperature").value for a in loads]
    ratio = temperatures / np.array(ours)
    assert ratio[-1] == pytest.approx(1.0, abs=1e-4)
    assert ratio[0] > 1.1
    assert (np.diff(ratio) < 0.0).all()


def test_the_published_at_line_of_planar_spins_has_half_the_exponent():
    loads, temperatures = np.array(published.AT_LINE[2].points).T
    ours = LowTemperatureLine(2, tuple(loads / 2.0)).compute()
    ratio = np.log(temperatures) / ours
    assert ((ratio > 0.5) & (ratio < 0.65)).all()


@pytest.mark.parametrize("d", [1, 2])
def test_the_low_temperature_replicon_is_that_of_the_full_equations(d):
    for tau in (1e-3, 3e-4):
        full = solve(VectorHopfield(0.12 / d, d, tau)).replicon
        assert low_temperature_replicon(VectorHopfield(0.12 / d, d))(np.log(tau)) == pytest.approx(full, abs=20 * tau)
