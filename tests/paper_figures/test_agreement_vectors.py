"""What the recorded simulations of vector spins say about the theory, and about the slips in print."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from numerics.finite_size import extrapolate
from paper_figures.catalogue import archive_of, catalogue
from paper_figures.nicoletti2025.fig_replicons import replicon_of
from paper_figures.plan import transitions_of
from paper_figures.store import read_archive
from paper_figures.vectors import line_of
from theory.denoising import first_overlap
from theory.lines import phase_line
from theory.minima import hessian_law
from theory.models.vector_hopfield import VectorHopfield
from theory.phase import threshold
from theory.states import solve


@cache
def groups(name: str) -> dict[str, list]:
    entry = next(e for e in catalogue() if (e.paper, e.name) == ("nicoletti2025", name))
    records = read_archive(archive_of(entry.paper, entry.name))
    spec = entry.module.spec(entry.module.FULL)
    return {group: [records[s.key] for s in members] for group, members in spec.simulations.items()}


def test_retrieval_at_zero_temperature_has_the_overlaps_and_energies_of_the_theory():
    """Overlaps to O(1/N) and 4 standard errors at eight samples; energies likewise."""
    for record in groups("order-parameters")["0"]:
        if record["retrieved_fraction"].value < 1.0:
            continue
        found = solve(VectorHopfield(record.loads["alpha"], 3))
        for name, expected in (("m", found.order_parameters["m"]), ("energy", found.free_energy)):
            measured = record[name]
            assert abs(measured.value - expected) < 4.0 * measured.error + 10.0 / record.N


@pytest.mark.parametrize("tau", ["0.25", "0.5"])
def test_retrieval_at_temperature_has_the_overlaps_of_the_theory(tau):
    for record in groups("order-parameters")[tau]:
        if record["m"].error > 0.03:  # a sample has lost the pattern
            continue
        order = solve(VectorHopfield(record.loads["alpha"], 3, float(tau))).order_parameters
        for name in ("m", "q"):
            assert abs(record[name].value - order[name]) < 6.0 * record[name].error + 10.0 / record.N


def test_simulated_replicons_agree():
    for record in groups("replicons")["d 3"]:
        value, error = replicon_of(record)
        expected = solve(VectorHopfield(record.loads["alpha"], 3)).replicon
        assert abs(value - expected) < 4.0 * error + 1.0 / record.P


@pytest.mark.parametrize("d", [1, 3, 5, 10, 50])
def test_kept_spinodals_are_what_the_theory_says_now(d):
    (record,) = groups("phase-diagrams")[f"spinodal {d}"]
    loads, temperatures = line_of(record)
    now = phase_line(VectorHopfield(d=d), along="temperature", values=tuple(temperatures[[0, 5]]))
    np.testing.assert_allclose(loads[[0, 5]], now.values, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("d", [1, 3, 5, 10, 50])
def test_kept_first_order_lines_are_what_the_theory_says_now(d):
    (record,) = groups("phase-diagrams")[f"first order {d}"]
    loads, temperatures = line_of(record)
    assert np.isfinite(loads).all()
    now = phase_line(VectorHopfield(d=d), line="thermodynamic", along="temperature", values=tuple(temperatures[[0, 5]]))
    np.testing.assert_allclose(loads[[0, 5]], now.values, rtol=1e-9)


@pytest.mark.parametrize("d", [2, 3])
def test_simulated_capacities_come_down_to_the_spinodal(d):
    found = transitions_of(groups("phase-diagrams")[f"transition {d}"])
    assert found is not None
    values = [d * c.value for c in found.crossings]
    assert [c.N for c in found.crossings] == [500, 1000, 2000]
    assert values == sorted(values, reverse=True)
    expected = d * threshold(VectorHopfield(d=d)).value
    errors = [d * c.error for c in found.crossings]
    assert abs(values[-1] - expected) < 3 * errors[-1]
    # The exponent of the finite-size shift is not known; the limits of exponents 1/2 and 1 span its effect.
    slow, fast = (extrapolate([500, 1000, 2000], values, errors, exponent=x) for x in (0.5, 1.0))
    assert slow.value - 3 * slow.error < expected < fast.value + 3 * fast.error


@pytest.mark.parametrize("d", [1, 3, 10])
def test_steps_follow_the_map_and_not_the_slip(d):
    pulls = []
    for record in groups("one-step")[f"d {d}"]:
        m0, m1 = record["m0"], record["m1"]
        pulls.append((m1.value - first_overlap(m0.value, alpha=0.5, d=d)) / m1.error)
        if d == 1 and m0.value > 0.2:
            assert m1.value - math.erf(m0.value / (2.0 * math.sqrt(0.5))) > 20 * m1.error
    # Ten points: Student's t with 31 or 63 degrees of freedom.
    assert np.abs(pulls).max() < 6.0
    assert abs(np.mean(pulls)) < 1.2


def largest(name: str, group: str):
    return max(groups(name)[group], key=lambda r: r.N * (r.samples > 2))


@pytest.mark.parametrize("load", ["0.02", "0.04"])
def test_fields_and_eigenvalues_of_retrieval_follow_the_theory(load):
    """Within 8 % (P = 20, eight samples) or 5 % (P = 40, many) of the maximum: corrections are O(1/P)."""
    allowed = {"0.02": 0.08, "0.04": 0.05}[load]
    law = hessian_law(VectorHopfield(float(load), 3), "example")
    for figure, name, density in (
        ("local-fields", "fields", law.fields.density),
        ("hessian-densities", "density", lambda x: law.levels(x).density),
    ):
        x, y, error = largest(figure, f"example {load}").curves[name].arrays()
        shown = x > 0.1
        expected = density(x[shown])
        assert (np.abs(y[shown] - expected) < allowed * expected.max() + 4 * error[shown]).all()


def test_extended_eigenvectors_have_twice_kappa():
    law = hessian_law(VectorHopfield(0.04, 3), "example")
    record = largest("participation", "example 0.04")
    x, y, error = record.curves["participation"].arrays()
    band = (x > 0.8) & (x < 1.2)
    kappa = law.levels(x[band]).spread
    ratio = y[band] / kappa
    # 1/N corrections are a tenth at N = 1000, where kappa is N/40.
    assert (np.abs(ratio - 2.0) < 0.3 + 4 * error[band] / kappa).all()
    assert np.mean(ratio) == pytest.approx(2.0, abs=0.2)


def test_low_extended_eigenvectors_have_twice_kappa():
    law = hessian_law(VectorHopfield(0.04, 3), "example")
    x, y, error = largest("participation", "example 0.04").curves["participation"].arrays()
    band = (x > 0.15) & (x < 0.35)
    kappa = law.levels(x[band]).spread
    ratio, error = y[band] / kappa, error[band] / kappa
    assert band.sum() == 4
    assert (np.abs(ratio - 2.0) < 4.0 * error).all()
    # Neighbouring bins have the weak fields of the same samples, so their errors are those of the mean.
    assert abs(ratio.mean() - 2.0) < 3.0 * error.mean()
    assert ratio.mean() - 1.0 > 5.0 * error.mean()


@pytest.mark.parametrize("eigenvalue", [0.175, 0.225, 0.275, 0.325])
def test_half_of_the_low_participation_is_due_to_few_weak_fields(eigenvalue):
    """Why eight samples of N = 1000 do not do; above the gap of kappa, at 1, typical fields matter."""
    law = hessian_law(VectorHopfield(0.04, 3), "example")
    (z, far), r = law.subordinates(np.array([eigenvalue, 1.0])), np.linspace(1e-4, 2.6, 20_001)
    cavity = law.fields.cavity.density(r)

    def weaker(z: complex) -> float:
        """Share of the fields that makes up the lower half of kappa."""
        share = np.cumsum(cavity / np.abs(z - r) ** 4)
        return float(np.cumsum(cavity)[np.searchsorted(share, 0.5 * share[-1])] / cavity.sum())

    square, fourth = (np.trapezoid(cavity / np.abs(z - r) ** k, r) for k in (2, 4))
    assert fourth / square**2 == pytest.approx(law.levels(np.array([eigenvalue])).spread[0], rel=1e-4)
    assert weaker(z) < 0.002
    assert weaker(far) > 0.3


def test_all_recorded_runs_are_minima():
    for figure in ("local-fields", "hessian-densities", "participation", "replicons"):
        for records in groups(figure).values():
            assert all(r["minimum"].value == 1.0 for r in records)
            assert all(r["tangential"].value < 1e-9 for r in records)
