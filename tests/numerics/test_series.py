"""Streams of measurements: bounded memory, exact sums, and errors that cover the truth under autocorrelation."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy.signal import lfilter

from numerics import rng
from numerics.series import Series
from numerics.timebins import TimeBins
from theory.errors import InvalidInput


def autoregressive(phi: float, *, chains: int, n: int, name: str) -> np.ndarray:
    """Stationary AR(1) chains of unit variance, (chains, n); tau = (1 + phi)/(1 - phi)/2."""
    noise = rng.gaussians(rng.stream("ar", name), rows=chains, columns=n)
    noise[:, 0] /= math.sqrt(1 - phi**2)
    return math.sqrt(1 - phi**2) * lfilter([1.0], [1.0, -phi], noise, axis=1)


@pytest.mark.parametrize("n", [1, 7, 8, 9, 40, 1000])
def test_merged_bins_are_exact_sums_of_the_measurements(n):
    """With 8 bins and integers, every bin is the plain sum of its measurements, whatever has been merged."""
    x = rng.words(rng.stream("bins", n), rows=n, columns=3).astype(np.int64) - 2**31
    one, many = TimeBins((3,), capacity=8), TimeBins((3,), capacity=8)
    for row in x:
        one.extend(row[None])
    for part in np.array_split(x, 5):
        many.extend(part)
    width, whole = one.width, n // one.width
    assert width == 2 ** max(0, math.ceil(math.log2((n + 1) / 8)))
    expected = x[: whole * width].reshape(whole, width, 3).sum(axis=1)
    assert np.array_equal(one.sums, expected)
    assert np.array_equal(many.sums, expected)


def test_a_merged_series_is_that_of_the_raw_values():
    """Bins of 32 measurements lose nothing of mean and variance, and of the error only what is below 32."""
    x = autoregressive(0.9, chains=3, n=8192, name="merged")
    whole, coarse = Series.of(x, capacity=16384), Series.of(x, capacity=512)
    second = x[:, 4096:]
    assert coarse.width == 32
    for series in (whole, coarse):
        assert series.mean().value == pytest.approx(second.mean(), rel=1e-12)
        assert series.variance() == pytest.approx(second.var(), rel=1e-10)
        assert series.chain_means() == pytest.approx(second.mean(axis=1), rel=1e-10)
    fine = dict(zip(whole.binning().sizes.tolist(), whole.binning().errors.tolist(), strict=True))
    for size, error in zip(coarse.binning().sizes.tolist(), coarse.binning().errors.tolist(), strict=True):
        assert error == pytest.approx(fine[size], rel=1e-9)
    # Two windows on one sum of 12288 values: each tau is uncertain by 10 %, nearly the same 10 %.
    assert coarse.tau == pytest.approx(whole.tau, rel=0.15)


def test_memory_does_not_grow():
    series = Series(2)
    for part in range(64):
        series.extend(np.full((4096, 2), part))
    assert series.n == 64 * 4096
    assert series.bins().shape[0] <= 4096
    assert series.mean().value == pytest.approx(np.arange(32, 64).mean())


@pytest.mark.parametrize(("phi", "chains", "n"), [(0.0, 4, 1000), (0.9, 1, 8000), (0.9, 4, 4000), (0.98, 4, 40000)])
def test_errors_and_tau_of_autoregressive_chains(phi, chains, n):
    """Over 60 runs: tau and the binning error have the exact values, and the pull of the mean has unit width."""
    tau, error = (1 + phi) / (1 - phi) / 2, math.sqrt((1 + phi) / (1 - phi) / (chains * n / 2))
    runs = [Series.of(autoregressive(phi, chains=chains, n=n, name=f"{phi} {n} {k}")) for k in range(60)]
    pulls = [run.mean().value / run.mean().error for run in runs]
    # Standard deviation from 60: 9 %; four of them.
    assert np.std(pulls) == pytest.approx(1.0, abs=0.37)
    # One tau is uncertain by sqrt(10/ESS) < 16 %, so the average of 60 by 2 %; windows cost up to 3 % more.
    assert np.mean([run.tau for run in runs]) == pytest.approx(tau, rel=0.08)
    # The block that is chosen is biased low by tau/size, about 5 %.
    assert np.mean([run.mean().error for run in runs]) == pytest.approx(error, rel=0.1)
    assert np.mean([run.ess for run in runs]) == pytest.approx(chains * n / 2 / (2 * tau), rel=0.1)


def test_autocorrelation_times_are_in_sweeps():
    x = autoregressive(0.8, chains=2, n=4000, name="every")
    single, tenth = Series.of(x), Series.of(x, every=10)
    assert tenth.tau == pytest.approx(10 * single.tau)
    assert tenth.ess == pytest.approx(single.ess)


def test_a_constant_has_no_autocorrelation_time():
    for value in (0.0, 0.1, -1e9):
        series = Series.of(np.full((3, 100), value))
        assert series.constant
        assert series.tau is None
        assert series.ess is None
        assert (series.mean().value, series.mean().error) == (value, 0.0)
        assert json.loads(json.dumps(series.to_json(), allow_nan=False))["tau"] is None


def test_chains_at_different_places_are_not_averaged_with_a_small_error():
    """Two chains 100 apart: the error is that of two numbers, 50, and the run counts as about two measurements."""
    x = autoregressive(0.5, chains=2, n=4000, name="apart")
    series = Series.of(x + np.array([[0.0], [100.0]]))
    assert series.mean().error == pytest.approx(50.0, rel=0.02)
    assert not series.binning().plateau
    assert series.ess < 3
    assert Series.of(x).mean().error < 0.1


def test_one_measurement_has_no_error():
    series = Series(1)
    series.append([2.5])
    assert series.mean().value == 2.5
    assert math.isnan(series.mean().error)
    assert series.to_json()["error"] is None
    json.dumps(series.to_json(), allow_nan=False)


def test_bad_measurements_are_one_sentence():
    with pytest.raises(InvalidInput, match="the series is empty; measure"):
        Series(2).mean()
    with pytest.raises(InvalidInput, match="one value for each of 2 chains"):
        Series(2).append([1.0])
    with pytest.raises(InvalidInput, match="not finite"):
        Series(1).append([math.nan])
    with pytest.raises(InvalidInput, match="chains = 0 is not allowed"):
        Series(0)
    with pytest.raises(InvalidInput, match=r"every = 1\.5 is not allowed"):
        Series(1, every=1.5)
    with pytest.raises(InvalidInput, match="capacity = 3"):
        TimeBins((), capacity=3)
