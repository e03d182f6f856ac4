"""What the recorded simulations say about the theory, and about the equations behind the published points."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from numerics.records import Record
from paper_figures.catalogue import archive_of, catalogue
from paper_figures.kalaj2024.published import OVERLAPS
from paper_figures.negri2023.published_equations import PublishedStates, published_line
from paper_figures.plan import transitions_of
from paper_figures.store import read_archive
from theory.models.random_features import RandomFeatures
from theory.phase import threshold
from theory.states import solve

KAPPA_1_SQUARED = RandomFeatures().sigma.kappa_1_squared


@cache
def groups(name: str) -> dict[str, list[Record]]:
    entry = next(e for e in catalogue() if e.name == name)
    records = read_archive(archive_of(entry.paper, entry.name))
    spec = entry.module.spec(entry.module.FULL)
    return {group: [records[s.key] for s in members] for group, members in spec.simulations.items()}


def pulls(records: list[Record], state: str, name: str) -> list[float]:
    """Deviations from theory at the realised loads, in standard errors."""
    found = []
    for record in records:
        order = solve(RandomFeatures(**record.loads), state).order_parameters
        expected = order["X"] / KAPPA_1_SQUARED if name == "u2" else order[name]
        # One flipped spin is the resolution of an overlap that no sample has lost.
        found.append(
            (record[name].value - expected) / max(record[name].error, 2.0 / record.N / np.sqrt(record.samples))
        )
    return found


@pytest.mark.parametrize("name", ["m", "t", "p_d", "u2"])
def test_storage_order_parameters_agree_with_the_theory(name):
    records = [r for r in groups("decisive")["storage"] if r.N == 4000]
    assert all(r["retrieved_fraction"].value == 1.0 for r in records)
    found = pulls(records, "example", name)
    # Nine loads: three standard errors each, and no common trend.
    assert max(map(abs, found)) < 3.0
    assert abs(np.sum(found)) / np.sqrt(len(found)) < 3.0


def test_storage_order_parameters_exclude_the_equations_without_t():
    record = next(r for r in groups("decisive")["storage"] if r.N == 4000 and r.loads["alpha"] == 0.07)
    theirs = PublishedStates(0.5, "example", (0.07,)).compute()
    for name, expected in (("m", theirs["m"][0]), ("t", 0.0), ("p_d", theirs["p_d"][0]), ("u2", theirs["u2"][0])):
        assert abs(record[name].value - expected) > 6 * record[name].error


def test_example_noise_near_a_feature_sides_with_the_square():
    records = [r for r in groups("decisive")["learning"] if r.N == 8020]
    found = np.array(pulls(records, "feature", "u2"))
    assert np.abs(found).max() < 3.0
    theirs = PublishedStates(0.05, "feature", tuple(r.loads["alpha"] for r in records)).compute()["u2"]
    off = np.array([(r["u2"].value - u2) / r["u2"].error for r, u2 in zip(records, theirs, strict=True)])
    # Combined over four loads, squared against unsquared.
    assert (off**2).sum() - (found**2).sum() > 50


@pytest.mark.parametrize("group", ["example 0.1", "example 0.2", "example 0.5", "example 1", "example 2"])
def test_simulated_storage_transitions_agree_with_the_line(group):
    found = transitions_of(groups("phase-diagram")[group])
    assert found is not None
    assert found.limit is not None
    alpha_d = float(group.split()[1])
    expected = threshold(RandomFeatures(alpha_d=alpha_d), "example").value
    assert abs(found.limit.value - expected) < 3 * found.limit.error
    assert published_line("example", (alpha_d,))[0] - found.limit.value > 3 * found.limit.error


@pytest.mark.parametrize("group", ["feature 0.01", "feature 0.02", "feature 0.05"])
def test_simulated_learning_transitions_agree_with_the_line(group):
    found = transitions_of(groups("phase-diagram")[group])
    assert found is not None
    assert found.limit is not None
    expected = threshold(RandomFeatures(alpha_d=float(group.split()[1])), "feature").value
    # The exponent of the finite-size shift is not known; the limits of exponents 1/2 to 1 span its effect.
    low, high = min(found.other_limits.values()), max(found.other_limits.values())
    assert low - 3 * found.limit.error < expected < high + 3 * found.limit.error


@pytest.mark.parametrize("start", OVERLAPS)
def test_overlaps_from_sparse_data_agree_with_the_published_runs(start):
    records = {r.parameters["alpha"]: r for r in groups("unseen")[start] if r.N == 8000}
    differences = []
    for (alpha, overlap), ours in zip(OVERLAPS[start].points, sorted(records), strict=True):
        assert ours == pytest.approx(alpha, rel=5e-3)
        differences.append(records[ours]["overlap"].value - overlap)
    # Ten runs each, of overlaps that are either 1 or near a feature's: errors up to 0.16 a point in both.
    assert np.abs(differences).max() < 0.5
    assert abs(np.mean(differences)) < 0.12


def test_mixtures_of_dense_data_are_attractors_where_theory_says():
    for record in groups("unseen-map")["dense"]:
        line = threshold(RandomFeatures(alpha=record.loads["alpha"]), "mixture", L=3, vary="alpha_d").value
        if record.D < 20:
            continue
        if record.loads["alpha_d"] < line / 2:
            assert record["retrieved_fraction"].value >= 0.5
        if record.loads["alpha_d"] > 2 * line:
            assert record["retrieved_fraction"].value <= 0.5
