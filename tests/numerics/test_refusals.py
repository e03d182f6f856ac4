"""What the library refuses in one sentence, before any work; and what of NumPy it takes."""

from __future__ import annotations

import numpy as np
import pytest

from numerics.basins import Basins, basins
from numerics.interactions import from_matrix
from numerics.montecarlo import anneal, ladder, sample, temper
from numerics.simulate import simulate, task
from theory.errors import InvalidInput
from theory.models.hopfield import Hopfield
from theory.models.random_features import RandomFeatures

SYSTEM = from_matrix(np.ones((4, 4), dtype=np.int16) - np.eye(4, dtype=np.int16))
SPINS = np.ones((2, 4))


def refused(words, run, *arguments, **options):
    with pytest.raises(InvalidInput, match=words) as caught:
        run(*arguments, **options)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"temperature": 1e-320}, "too small for double precision; give 1e-300 or more"),
        ({"observe": lambda spins: {"m": np.ones(3)}}, r"observe returned 'm' of shape \(3,\); .* each of 2 walkers"),
        ({"observe": 3}, "observe = 3 is not allowed; give a function"),
        ({"series": 3}, "series = 3 is not allowed; give the series of an earlier run"),
    ],
)
def test_sampling(change, words):
    refused(words, sample, SYSTEM, SPINS, **({"temperature": 1.0, "sweeps": 2} | change))


@pytest.mark.parametrize("temperatures", [[], [[2.0, 1.0]], np.ones((2, 2))])
def test_an_annealing_visits_a_list_of_temperatures(temperatures):
    refused("give a list of them", anneal, SYSTEM, SPINS, temperatures=temperatures)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"key": 1}, r"key has shape \(\)"),
        ({"sweeps": 1000, "most_sweeps": 10}, "most_sweeps = 10 is less than sweeps = 1000"),
    ],
)
def test_a_ladder(change, words):
    refused(words, ladder, SYSTEM, **{"lowest": 1.0, "highest": 2.0, **change})


def test_a_run_goes_on_as_it_was_measured():
    """Series of mixed intervals would have an autocorrelation time of neither."""
    run = sample(SYSTEM, SPINS, temperature=1.0, sweeps=4)
    more = {"temperature": 1.0, "sweeps": 4, "series": run.series, "first_sweep": 4}
    refused(
        r"every = 4 does not go on with .* every 1 sweeps; give every=1", sample, SYSTEM, run.spins, every=4, **more
    )
    refused("2 chains and the run 1 walkers", sample, SYSTEM, run.spins[:1], **more)
    assert run.energy.n == 4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"every": 4}, "every = 4 does not go on"),
        ({"swap_every": 2}, "swap_every = 2 is not that of the run"),
        ({"temperatures": [1.0, 3.0]}, "are not those of the run"),
        ({"observe": 3}, "observe = 3 is not allowed; give a function"),
    ],
)
def test_tempering_goes_on_as_it_was_measured(change, words):
    options = {"temperatures": [1.0, 2.0], "swap_every": 1, "every": 2, "sweeps": 4}
    run = temper(SYSTEM, SPINS, **options)
    refused(words, temper, SYSTEM, run, **(options | change))
    assert temper(SYSTEM, run, **options).series[0]["energy"].n == 4


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        (RandomFeatures(alpha=0.1, alpha_d=0.2), {"L_train": 5}, "L_train = 5 belongs to sparse coefficients"),
        (Hopfield(alpha=0.1), {"L_train": 5}, "belongs to examples made of features, which hopfield has not"),
        (Hopfield(alpha=0.1), {"coefficients": "gausian"}, "coefficients = gausian belongs to examples made of"),
        (Hopfield(alpha=0.1, temperature=1e-320), {}, "too small for double precision; give 1e-300 or more, or 0"),
        ("hopfield", {}, "model = 'hopfield' is no model; give one with its parameters"),
        (None, {}, "model = None is no model"),
        (Hopfield, {}, "model = the class Hopfield is no model"),
    ],
)
def test_options_that_would_do_nothing_and_models_that_are_none(model, options, words):
    refused(words, simulate, model, 100, **options)


def test_scalars_of_numpy_are_numbers(tmp_path):
    model = Hopfield(alpha=np.float32(0.25), temperature=np.float32(0.5))
    options = {"seed": np.int64(2), "overlap": np.float32(0.5), "retrieved_above": np.float32(0.75)}
    record = simulate(model, np.int32(40), samples=np.int64(2), sweeps=np.int64(16), **options)
    record.save(tmp_path / "record.json")
    same = Hopfield(alpha=0.25, temperature=0.5)
    plain = simulate(same, 40, samples=2, sweeps=16, seed=2, overlap=0.5, retrieved_above=0.75)
    assert record.parameters == plain.parameters == {"alpha": 0.25, "temperature": 0.5}
    assert record.values == plain.values
    assert task(same, 40, seed=np.int64(2)) == task(same, 40, seed=2)
    features = RandomFeatures(alpha=0.1, alpha_d=np.float64(0.2))
    for options in (
        {"start": "mixture", "L": np.int64(3)},
        {"start": "unseen", "coefficients": "sparse", "L_train": np.int64(3)},
    ):
        simulate(features, 50, samples=2, **options).save(tmp_path / "record.json")
    found = basins(
        Hopfield(alpha=0.1),
        np.array([50]),
        overlaps=np.array([0.2, 0.5]),
        samples=np.int64(4),
        seed=np.int64(3),
        retrieved_above=np.float32(0.5),
    )
    found.save(tmp_path / "basins.json")
    assert Basins.load(tmp_path / "basins.json") == found


@pytest.mark.parametrize("spins", [[1, 1, 1], [1] * 5, [[1, 1, 1, 1]], [0, 0, 0, 0], [0.5, 1, 1, 1], "ab"])
@pytest.mark.parametrize("system", [SYSTEM, from_matrix(np.ones((4, 4)) - np.eye(4))], ids=["int16", "float64"])
def test_fields_and_energies_are_those_of_spins(system, spins):
    refused("spins ", system.energy, spins)
    refused("spins ", system.fields, spins)


PAIR = np.array([[0.0, 1.0], [1.0, 0.0]])
LOWEST_32 = np.array([[0, -(2**31)], [-(2**31), 0]])


@pytest.mark.parametrize(
    ("J", "options", "words"),
    [
        (1e308 * (np.ones((3, 3)) - np.eye(3)), {}, r"couplings of up to 1e\+308 add up to more than double precision"),
        (1e308 * np.array([[0, 1, -1], [1, 0, -1], [-1, -1, 0]]), {}, "add up to more than double precision"),
        (1e308 * np.array([[0, 1], [-1, 0]]), {}, "not symmetric"),
        (np.inf * np.array([[1, 1], [1, 1]]), {}, "NaN or infinity"),
        (np.array([[0, np.inf, -np.inf], [np.inf, 0, 0], [-np.inf, 0, 0]]), {}, "NaN or infinity"),
        (LOWEST_32.astype(np.int32), {"engine": "dense-int32"}, "but the largest is 2147483648; use 'dense-float64'"),
        (LOWEST_32, {"engine": "dense-int8"}, "but the largest is 2147483648; use 'dense-float64'"),
        (PAIR, {"engine": "dense-int32"}, "needs integer couplings"),
        (PAIR, {"normalisation": "x"}, "normalisation = 'x' is not allowed"),
        (PAIR, {"normalisation": None}, "normalisation = None is not allowed"),
        (PAIR, {"normalisation": 0}, "normalisation = 0 is not allowed"),
        (PAIR, {"normalisation": np.nan}, "normalisation = nan is not allowed"),
        (PAIR, {"normalisation": -1.0}, r"normalisation = -1\.0 is not allowed"),
    ],
)
def test_couplings(J, options, words):
    refused(words, from_matrix, J, **options)


def test_couplings_that_only_float64_holds_are_exact():
    assert from_matrix(LOWEST_32.astype(np.int32)).energy(np.ones(2, dtype=np.int8)) == 2.0**30
