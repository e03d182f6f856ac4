"""Means, fractions and bootstrap errors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from numerics import rng
from numerics.estimate import Measurement, bootstrap, fraction, mean
from theory.errors import InvalidInput


def test_standard_errors_cover_the_truth():
    """Of 2000 means of 25 Gaussian numbers, 95.3 % lie within two standard errors (Student, 24 degrees)."""
    x = rng.gaussians(rng.stream("coverage"), rows=2000, columns=25)
    inside = np.mean([abs(m.value) < 2.0 * m.error for m in map(mean, x)])
    # Binomial standard error 0.5 %; coverage 94.3 %; four of them.
    assert abs(inside - 0.943) < 0.02


def test_one_sample_has_no_error():
    m = mean([3.0])
    assert (m.value, m.n) == (3.0, 1)
    assert math.isnan(m.error)
    assert m.to_json() == {"value": 3.0, "error": None, "n": 1}
    assert math.isnan(Measurement.from_json(m.to_json()).error)


def test_a_unanimous_fraction_keeps_an_error():
    assert fraction([True] * 10).value == 1.0
    assert 0.02 < fraction([True] * 10).error < 0.1
    assert fraction([True, False] * 50).error == pytest.approx(0.05, rel=1e-3)


def test_bootstrap_of_the_mean_is_the_standard_error():
    x = rng.gaussians(rng.stream("bootstrap"), rows=1, columns=200)[0]
    direct, resampled = mean(x), bootstrap(x, lambda y: float(y.mean()), resamples=2000)
    assert resampled.value == direct.value
    assert resampled.error == pytest.approx(direct.error, rel=0.08)
    assert bootstrap(x, lambda y: float(y.mean()), seed=1).error != resampled.error


def test_no_values_is_one_sentence():
    with pytest.raises(InvalidInput, match="at least one value"):
        mean([])
