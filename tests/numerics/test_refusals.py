"""What the library refuses at temperatures above zero, in one sentence each, before any work."""

from __future__ import annotations

import numpy as np
import pytest

from numerics.interactions import from_matrix
from numerics.montecarlo import anneal, ladder, sample, temper
from theory.errors import InvalidInput

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
