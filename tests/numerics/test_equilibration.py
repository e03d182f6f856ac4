"""Verdicts on chains whose law is known: stationary, drifting, stuck, frozen, too short."""

from __future__ import annotations

import json
import math
from collections import Counter

import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import norm, rankdata

from numerics import rng
from numerics.equilibration import equilibration, folded, jointly, potential_scale_reduction, rank_normalised
from numerics.series import Series
from theory.errors import InvalidInput


def autoregressive(phi: float, *, chains: int, n: int, name: str) -> np.ndarray:
    """Stationary AR(1) chains of unit variance, (chains, n)."""
    noise = rng.gaussians(rng.stream("stationary", name), rows=chains, columns=n)
    noise[:, 0] /= math.sqrt(1 - phi**2)
    return math.sqrt(1 - phi**2) * lfilter([1.0], [1.0, -phi], noise, axis=1)


def r_hat_by_definition(chains: list[list[float]]) -> float:
    """The larger rank-normalised R-hat, spelled out sum by sum from arXiv:1903.08008."""

    def plain(z: np.ndarray) -> float:
        M, N = z.shape
        mean = [sum(z[m]) / N for m in range(M)]
        total = sum(mean) / M
        between = N / (M - 1) * sum((x - total) ** 2 for x in mean)
        within = sum(sum((z[m, n] - mean[m]) ** 2 for n in range(N)) / (N - 1) for m in range(M)) / M
        return math.sqrt(((N - 1) / N * within + between / N) / within)

    def scores(x: np.ndarray) -> np.ndarray:
        return norm.ppf((rankdata(x, method="average") - 3 / 8) / (x.size + 1 / 4)).reshape(x.shape)

    split = np.array([half for c in chains for half in (c[: len(c) // 2], c[len(c) // 2 :])])
    middle = sorted(split.ravel())
    median = (middle[(split.size - 1) // 2] + middle[split.size // 2]) / 2
    return max(plain(scores(split)), plain(scores(abs(split - median))))


@pytest.mark.parametrize("chains", [1, 3])
@pytest.mark.parametrize("ties", [False, True])
def test_r_hat_is_that_of_the_definition(chains, ties):
    x = autoregressive(0.7, chains=chains, n=400, name=f"r-hat {chains}") + 0.5 * np.arange(chains)[:, None]
    x = np.round(x) if ties else x
    verdict = equilibration(x)
    # The first half is burn-in.
    assert verdict.r_hat == pytest.approx(r_hat_by_definition(x[:, 200:].tolist()), rel=1e-12)


def test_the_parts_of_r_hat():
    x = np.array([[3.0, 1.0, 2.0, 2.0]])
    assert rank_normalised(x)[0] == pytest.approx(norm.ppf((np.array([4, 1, 2.5, 2.5]) - 0.375) / 4.25))
    assert folded(x)[0].tolist() == [1.0, 1.0, 0.0, 0.0]
    assert potential_scale_reduction(np.array([[1.0, 1.0], [2.0, 2.0]])) == math.inf
    assert potential_scale_reduction(np.ones((2, 2))) == 1.0


@pytest.mark.parametrize(("phi", "chains", "n"), [(0.0, 4, 500), (0.8, 1, 3000), (0.8, 4, 3000), (0.8, 12, 3000)])
def test_stationary_chains_are_rarely_condemned(phi, chains, n):
    """At 5 % the count of alarms in 120 sets is at most binomial; at 0.1 % there is at most one."""
    sets = [autoregressive(phi, chains=chains, n=n, name=f"{phi} {chains} {k}") for k in range(120)]
    alarms = sum(equilibration(x, false_alarm=0.05).verdict == "unequilibrated" for x in sets)
    assert alarms <= 6 + 4 * math.sqrt(120 * 0.05 * 0.95)
    verdicts = Counter(equilibration(x).verdict for x in sets[:60])
    assert verdicts["equilibrated"] >= 58


@pytest.mark.slow
def test_the_false_alarm_rate_is_the_one_stated():
    """1000 sets each: the rate at 5 % is below 5 % + 4 standard errors, and not so low that the test is idle."""
    for phi, chains, n in [(0.0, 4, 500), (0.9, 1, 6000), (0.9, 4, 6000), (0.9, 16, 6000)]:
        sets = (autoregressive(phi, chains=chains, n=n, name=f"slow {phi} {chains} {k}") for k in range(1000))
        rate = np.mean([equilibration(x, false_alarm=0.05).verdict == "unequilibrated" for x in sets])
        assert 0.01 < rate < 0.05 + 4 * math.sqrt(0.05 * 0.95 / 1000)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("one chain elsewhere", "chains or their halves differ"),
        ("one chain wider", "chains or their halves differ"),
        ("linear drift", "still drift"),
        ("slow in log t", "still drift"),
        ("jump late", "chains or their halves differ"),
    ],
)
def test_what_is_not_stationary_is_seen(kind, words):
    """50 sets of 4 chains with tau = 4.5, 4000 measurements (ESS 890): all but at most one are condemned."""
    t = np.arange(4000) / 4000
    verdicts = []
    for k in range(50):
        x = autoregressive(0.8, chains=4, n=4000, name=f"power {k}")
        if kind == "one chain elsewhere":
            x[3] += 1.0
        elif kind == "one chain wider":
            x[3] *= 2.0
        elif kind == "linear drift":
            x += t
        elif kind == "slow in log t":
            x -= 0.3 * np.log(t + 1e-3)
        else:
            x[0, 3000:] += 1.5
        verdicts.append(equilibration(x))
    assert sum(v.verdict == "unequilibrated" and not v.equilibrated for v in verdicts) >= 49
    assert sum(words in v.message for v in verdicts) >= 48
    assert all("run more sweeps, or use tempering" in v.message for v in verdicts if not v.equilibrated)


def test_a_pure_trend_is_no_equilibrium():
    """Without any noise the autocorrelation time is that of the run, and nothing independent has been measured."""
    assert not equilibration(np.arange(4000.0).reshape(4, 1000)).equilibrated
    assert not equilibration(np.ones((4, 1)) * np.exp(-np.arange(1000) / 300)).equilibrated


def test_a_short_run_is_told_how_much_longer():
    x = autoregressive(0.95, chains=4, n=1000, name="short")  # tau = 19.5: ESS about 50
    verdict = equilibration(x)
    assert (verdict.verdict, verdict.equilibrated) == ("too short", False)
    assert "200 are needed; run " in verdict.message
    assert equilibration(x[:, :20]).verdict == "too short"
    assert "run at least 32 times 5 sweeps" in equilibration(Series.of(x[:, :20], every=5)).message


def test_one_chain_says_less():
    x = autoregressive(0.5, chains=1, n=4000, name="one")
    verdict = equilibration(x[0])
    assert verdict.equilibrated
    assert "may be stuck" in verdict.message
    assert "may be stuck" not in equilibration(autoregressive(0.5, chains=2, n=4000, name="two")).message
    x[0, 2500:] += 1.0
    assert equilibration(x).verdict == "unequilibrated"


def test_a_frozen_observable_proves_nothing():
    same, apart = equilibration(np.ones((4, 100))), equilibration(np.arange(4.0)[:, None] * np.ones(100))
    assert (same.verdict, same.r_hat, same.tau) == ("too short", None, None)
    assert "did not change" in same.message
    assert apart.verdict == "unequilibrated"
    assert "frozen at different values" in apart.message
    fallen = np.ones((4, 100))
    fallen[:, 60:] = 0.0  # frozen after the second half has begun
    assert not equilibration(fallen).equilibrated


def test_two_values_with_equal_weight_are_judged():
    """An Ising spin: its distances from the median 0 are all 1, which must neither warn nor condemn."""
    spins = rng.signs(rng.stream("spin"), rows=4, columns=1000).astype(float)
    assert equilibration(spins).verdict == "equilibrated"
    spins[:, -1] *= -1
    assert equilibration(spins).verdict == "equilibrated"


def test_merged_bins_give_the_same_verdict():
    x = autoregressive(0.9, chains=4, n=8192, name="bins")
    for values, expected in ((x, "equilibrated"), (x + np.arange(4)[:, None], "unequilibrated")):
        fine, coarse = Series.of(values, capacity=16384), Series.of(values, capacity=1024)
        assert coarse.width == 16
        assert equilibration(fine).verdict == equilibration(coarse).verdict == expected
        assert equilibration(coarse).ess == pytest.approx(equilibration(fine).ess, rel=0.15)


def test_verdicts_are_joined_and_saved():
    good = equilibration(autoregressive(0.5, chains=4, n=2000, name="json"))
    bad = equilibration(autoregressive(0.5, chains=4, n=2000, name="json") + np.arange(4)[:, None])
    assert jointly([good, good]) == "equilibrated"
    assert jointly([good, bad, equilibration(np.ones((1, 9)))]) == "unequilibrated"
    data = json.loads(json.dumps([v.to_json() for v in (good, bad)], allow_nan=False))
    assert data[0]["verdict"] == "equilibrated"
    assert len(data[0]["log_bins"]) == 3
    octaves = good.log_bins
    assert octaves[0][1] == pytest.approx(2.0 * octaves[2][1])  # an eighth and a half of the run


def test_misuse_is_one_sentence():
    with pytest.raises(InvalidInput, match=r"false_alarm = 0\.7 is not allowed"):
        equilibration(np.ones((2, 100)), false_alarm=0.7)
    with pytest.raises(InvalidInput, match=r"give \(R, n\)"):
        equilibration(np.ones((2, 2, 2)))
    with pytest.raises(InvalidInput, match="a dict is no series"):
        equilibration({"energy": 1.0})
    with pytest.raises(InvalidInput, match="empty"):
        equilibration(Series(3))
