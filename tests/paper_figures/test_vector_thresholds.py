"""Thresholds against the spin dimension: the law of large d, kept lines, simulated thresholds, and mixtures."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from paper_figures.catalogue import archive_of
from paper_figures.store import read_archive
from paper_figures.vector_thresholds import fig_dimension
from paper_figures.vector_thresholds.thresholds import OneFeature, ThresholdsOf, arrays_of, large_d
from theory.models.vector_random_features import VectorRandomFeatures
from theory.phase import threshold
from theory.states import solve

EFFECTIVE = VectorRandomFeatures(effective=True)
THRESHOLDS = [("example", 1), ("feature", 1), ("mixture 2", 2), ("mixture 3", 3)]


@cache
def groups() -> dict[str, list]:
    records = read_archive(archive_of("vector-thresholds", "dimension"))
    spec = fig_dimension.spec(fig_dimension.FULL)
    return {group: [records[s.key] for s in members] for group, members in spec.simulations.items()}


def simulated(state: str) -> list[str]:
    return [g for g in groups() if g.split()[0] == state and g.endswith(("tensor", "scalar", "phasor"))]


@pytest.mark.parametrize(("name", "L"), THRESHOLDS)
def test_thresholds_approach_the_law_of_large_d_as_one_over_d(name, L):
    d, solved = arrays_of(groups()[f"dimension {name}"][0])
    ratio = dict(zip(d.astype(int), d**2 * solved / large_d(1.0, L), strict=True))
    assert 2.0 * ratio[100] - ratio[50] == pytest.approx(1.0, abs=2e-3)
    assert (ratio[50] - 1.0) / (ratio[100] - 1.0) == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("state", ["example", "feature"])
def test_storage_and_learning_have_one_law_of_large_d_at_all_loads(state):
    off = {}
    for d in (8, 50):
        loads, solved = arrays_of(groups()[f"line {state} {d}"][0])
        off[d] = np.abs(d**2 * solved / large_d(loads) - 1.0).max()
    assert off[50] < 0.06
    assert off[8] / off[50] == pytest.approx(50 / 8, rel=0.25)  # they fall as 1/d


@pytest.mark.parametrize(("name", "L"), THRESHOLDS)
def test_kept_thresholds_are_what_the_theory_says_now(name, L):
    d, solved = arrays_of(groups()[f"dimension {name}"][0])
    state, k = name.split()[0], list(d).index(7)
    fixed, vary = ({"alpha_d": 1.0}, "alpha") if state == "example" else ({"alpha": 1.0}, "alpha_d")
    now = threshold(replace(EFFECTIVE, d=7, **fixed), state, vary=vary, L=L if state == "mixture" else None)
    assert solved[k] == pytest.approx(now.value, rel=1e-9)


def test_storage_at_equal_loads_has_the_reference_values():
    d, solved = arrays_of(groups()["dimension example"][0])
    assert solved[:3] == pytest.approx([0.10488231, 0.02486938, 0.01039354], abs=1e-8)
    assert list(d[:10]) == list(range(1, 11))


def test_a_kept_line_is_recomputed_and_recognised():
    declared = ThresholdsOf(replace(EFFECTIVE, d=3), "feature", "alpha_d", "alpha", (0.5, 1.0))
    record = declared.run()
    assert declared.matches(record)
    assert not replace(declared, values=(0.5, 2.0)).matches(record)
    assert not replace(declared, state="example").matches(record)
    assert not replace(declared, model=replace(EFFECTIVE, d=2)).matches(record)
    assert arrays_of(record)[1][1] == pytest.approx(
        threshold(declared.model.__class__(1.0, None, 3, effective=True), "feature", vary="alpha_d").value, rel=1e-9
    )


@pytest.mark.parametrize("state", ["example", "feature"])
def test_simulated_thresholds_agree_with_the_spinodal(state):
    """Between the limits that exponents 1/2 to 1 give, and three standard errors."""
    seen = 0
    for group in simulated(state):
        found = fig_dimension.crossings(groups()[group], state)
        if found is None or found.limit is None or len(found.crossings) < 3:
            continue
        record = groups()[group][0]
        model = VectorRandomFeatures(d=record.parameters["d"], variant=record.parameters["variant"])
        other = {"example": "alpha_d", "feature": "alpha"}[state]
        model = replace(model, **{other: record.parameters[other]})
        expected = threshold(model, state, vary=found.vary).value
        low, high = (f(found.other_limits.values()) for f in (min, max))
        assert low - 3 * found.limit.error < expected < high + 3 * found.limit.error, group
        seen += 1
    assert seen >= 3


@pytest.mark.parametrize("state", ["example", "feature"])
def test_well_below_threshold_overlaps_are_those_of_the_theory(state):
    """At half the threshold; the limit to O(1/N), 5 standard errors."""
    for group in simulated(state):
        for record in groups()[group]:
            if record["retrieved_fraction"].value < 1.0 or record.samples < 6 or record.N < 1000:
                continue
            names = ("alpha", "alpha_d", "d", "variant")
            model = VectorRandomFeatures(**{name: record.parameters[name] for name in names})
            expected = solve(model, state).order_parameters["m"]
            assert abs(record["m"].value - expected) < 5.0 * record["m"].error + 10.0 / record.N, record
            break


def test_mixtures_of_vectors_are_left_for_one_feature_where_the_theory_has_a_saddle():
    for record in groups()["mixture"]:
        d, L = record.parameters["d"], record.L
        model = VectorRandomFeatures(record.parameters["alpha"], record.parameters["alpha_d"], d)
        state = solve(model, "mixture", L=L)
        final = record["overlap"]
        if d == 1:
            assert state.transverse > 0
            assert final.value > 0.99
            continue
        assert state.transverse < 0
        assert abs(final.value - OneFeature(model, L).compute()) < 4.0 * final.error + 0.01
        assert final.value < 0.75


def test_unseen_examples_of_vectors_are_no_attractors():
    assert all(r["overlap"].value < 0.95 for r in groups()["unseen"])
    assert all(r["retrieved_fraction"].value < 1.0 for r in groups()["unseen"])
