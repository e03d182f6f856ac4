"""Extrapolations and simulated transitions on synthetic data with known answers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from numerics import rng
from numerics.estimate import fraction
from numerics.finite_size import crossing, extrapolate, transition
from numerics.records import Record
from numerics.simulate import simulate
from theory.errors import InvalidInput
from theory.models.hopfield import Hopfield

SIZES = np.array([500, 1000, 2000, 4000])


def test_a_known_correction_is_removed_exactly():
    for exponent in (0.5, 2 / 3, 1.0):
        values = 0.7 - 3.0 * SIZES**-exponent
        fit = extrapolate(SIZES, values, np.full(4, 0.01), exponent=exponent)
        assert fit.value == pytest.approx(0.7, abs=1e-12)
        assert fit.slope == pytest.approx(-3.0)
        assert fit.chi2 == pytest.approx(0.0, abs=1e-15)
        assert (fit.dof, fit.n) == (2, 4)


def test_errors_and_chi2_are_right_in_repetition():
    """Of 1000 fits to noisy data, 95.4 % are within two errors and chi2 has mean dof = 2."""
    noise = rng.gaussians(rng.stream("noise"), rows=1000, columns=4)
    errors = np.array([0.02, 0.015, 0.01, 0.01])
    fits = [extrapolate(SIZES, 0.5 + 40.0 / SIZES + errors * row, errors) for row in noise]
    inside = np.mean([abs(f.value - 0.5) < 2.0 * f.error for f in fits])
    assert abs(inside - 0.954) < 4 * math.sqrt(0.954 * 0.046 / 1000)
    assert abs(np.mean([f.chi2 for f in fits]) - 2.0) < 4 * math.sqrt(4.0 / 1000)


@pytest.mark.parametrize("direction", [1, -1])
def test_a_crossing_is_found_with_its_error(direction):
    """200 synthetic experiments: the pull of the crossing has unit width."""
    loads = np.linspace(0.1, 0.2, 9)
    truth, width = 0.1437, 0.012
    p = 1 / (1 + np.exp(-direction * (loads - truth) / (width / (2 * math.log(3)))))
    pulls = []
    for trial in range(200):
        uniform = rng.words(rng.stream("crossing", direction), rows=9, columns=60, first_row=9 * trial) * 2.0**-32
        found = crossing(loads, (uniform < p[:, None]).sum(axis=1), np.full(9, 60), N=1, seed=trial, resamples=100)
        pulls.append((found.value - truth) / found.error)
        assert np.sign(found.width) == direction
    # Standard error of a standard deviation from 200: 5 %; four of them, plus the bootstrap's own noise.
    assert abs(np.std(pulls) - 1.0) < 0.25
    assert abs(np.mean(pulls)) < 0.3


def test_a_jump_between_loads_has_the_error_of_the_gap():
    found = crossing([0.1, 0.2, 0.3, 0.4], [20, 20, 0, 0], [20] * 4, N=1)
    assert found.value == pytest.approx(0.25, abs=0.01)
    assert 0.025 < found.error < 0.06


def test_no_crossing_is_one_sentence():
    with pytest.raises(InvalidInput, match=r"stays above 1/2 for loads from 0\.1 to 0\.2; extend"):
        crossing([0.1, 0.2], [20, 15], [20, 20], N=100)
    with pytest.raises(InvalidInput, match="stays below 1/2"):
        crossing([0.1, 0.2], [2, 0], [20, 20], N=100)
    with pytest.raises(InvalidInput, match="two or more different loads"):
        crossing([0.1, 0.1], [20, 0], [20, 20], N=100)
    for back_and_forth in ([10, 0, 10], [2, 8, 2]):  # the fitted slope vanishes, and the crossing is anywhere
        with pytest.raises(InvalidInput, match=r"does not fall or rise through 1/2 between the loads 0\.1 and 0\.3"):
            crossing([0.1, 0.2, 0.3], back_and_forth, [10] * 3, N=100)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (([1000], [1.0], [0.1]), r"1 size\(s\) cannot be extrapolated"),
        (([1000, 1000], [1.0, 1.0], [0.1, 0.1]), r"1 size\(s\) cannot"),
        (([1000, 2000], [1.0], [0.1, 0.1]), "equal lists"),
        (([1000, 2000], [1.0, 1.0], [0.1, 0.0]), "errors must be finite and positive"),
        (([1000, 2000], [1.0, 1.0], [0.1, math.nan]), "errors must be finite and positive"),
    ],
)
def test_bad_data_is_one_sentence(arguments, sentence):
    with pytest.raises(InvalidInput, match=sentence):
        extrapolate(*arguments)
    with pytest.raises(InvalidInput, match="exponent = 0"):
        extrapolate([1000, 2000], [1.0, 1.0], [0.1, 0.1], exponent=0)


def synthetic(load_of: dict[int, float], *, samples: int = 400) -> list[Record]:
    template = simulate(Hopfield(alpha=0.1), 50, start="example", samples=1)
    made = []
    for N, truth in load_of.items():
        for load in np.linspace(truth - 0.03, truth + 0.03, 7):
            p = 1 / (1 + math.exp((load - truth) / (0.2 * N**-0.5)))
            uniform = rng.words(rng.stream("t", N, str(load)), rows=1, columns=samples)[0] * 2.0**-32
            kept = fraction(uniform < p)
            measurements = {"retrieved_fraction": kept}
            made.append(replace(template, N=N, loads={"alpha": float(load)}, measurements=measurements))
    return made


def test_transitions_are_extrapolated_with_their_exponent():
    records = synthetic({N: 0.138 + 0.5 * N**-0.5 for N in (500, 1000, 2000, 4000)})
    found = transition(records)
    assert found.limit is not None
    assert abs(found.limit.value - 0.138) < 4 * found.limit.error < 0.02
    assert [c.N for c in found.crossings] == [500, 1000, 2000, 4000]
    assert all(c.width < 0 for c in found.crossings)
    assert found.other_limits["1/2"] == found.limit.value < found.other_limits["1"]
    assert transition(records[:7]).limit is None
    assert found.to_json()["limit"]["dof"] == 2


def test_mixed_records_are_refused():
    records = synthetic({500: 0.14}, samples=4)
    with pytest.raises(InvalidInput, match="2 different simulations"):
        transition([*records, replace(records[0], start="unseen")])
    moved = replace(records[0], parameters={**records[0].parameters, "alpha": 0.5})
    transition([*synthetic({500: 0.14}), moved])  # alpha is what varies
    with pytest.raises(InvalidInput, match="2 different simulations"):
        transition([*records, replace(moved, parameters={**moved.parameters, "alpha_d": 0.5})])
    with pytest.raises(InvalidInput, match="'alpha_d' is no load of these records; vary one of alpha"):
        transition(records, vary="alpha_d")
    with pytest.raises(InvalidInput, match="needs records"):
        transition([])
