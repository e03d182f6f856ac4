"""The order of classes and the spurious peak: rank tests against enumeration, and verdicts that noise does not earn."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from numerics.diffusion.classify import Thresholds
from numerics.diffusion.generalisation import Generalisation
from numerics.diffusion.order import QUANTITIES, against, orders, peaks
from numerics.estimate import Measurement

BLANK = Generalisation(
    {"score": "exact"}, 9, 2, Thresholds(0.1, 0.1, 0.3, 0.5, "given"), {}, {}, [0.0] * 5, None, {}, {}
)


def record(K: int = 9, score: str = "exact", **values: list[float | None]) -> Generalisation:
    """A record of one quantity, log_volume, per class."""
    return replace(
        BLANK, K=K, declared={"score": score}, values={f"log_volume {name}": found for name, found in values.items()}
    )


def fractions(K: int, spurious: float, error: float) -> Generalisation:
    return replace(BLANK, K=K, measurements={"spurious": Measurement(spurious, error, 100)})


def test_one_set_is_the_rank_test_of_mann_and_whitney() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(1.0, 1.0, 12).round(1).tolist(), rng.normal(0.0, 1.0, 9).round(1).tolist()  # with ties
    pooled, single = orders([record(memorised=a, spurious=b)])
    assert (pooled.K, single.K, pooled.places, pooled.sets) == (None, 9, (12, 9), 1)
    assert replace(pooled, K=9) == single
    peer = mannwhitneyu(a, b, use_continuity=False, alternative="two-sided", method="asymptotic")
    assert pooled.superiority == pytest.approx(peer.statistic / (12 * 9), abs=1e-14)
    assert math.erfc(abs(pooled.z) / math.sqrt(2.0)) == pytest.approx(peer.pvalue, rel=1e-12)


def test_the_variance_is_that_of_all_arrangements() -> None:
    """Six values, of which any three may be the first class's: mean 1/2 and the stated standard error, exactly."""
    values = [0.0, 1.0, 1.0, 2.0, 5.0, 5.0]
    found = []
    for chosen in combinations(range(6), 3):
        a = [values[k] for k in chosen]
        b = [values[k] for k in range(6) if k not in chosen]
        found.append(orders([record(memorised=a, generalised=b)])[0])
    shares = np.array([o.superiority for o in found])
    assert shares.mean() == pytest.approx(0.5, abs=1e-14)
    assert shares.std() == pytest.approx(found[0].error, rel=1e-12)


def test_sets_are_never_compared_with_one_another() -> None:
    """Every set says that spurious is larger; sets of memorised points happen to be larger on the whole."""
    rng = np.random.default_rng(1)
    sets = []
    for K, level in ((4, 10.0), (9, 5.0), (30, 0.0)):
        many, few = (20, 5) if K == 4 else (5, 20)
        sets.append(record(K, memorised=(level + rng.normal(0, 0.1, many)).tolist(),
                           spurious=(level + 1.0 + rng.normal(0, 0.1, few)).tolist()))  # fmt: skip
    pooled = orders(sets)[0]
    assert (pooled.K, pooled.superiority, pooled.verdict) == (None, 0.0, "reversed")
    every = [np.concatenate([r.values[f"log_volume {n}"] for r in sets]) for n in ("memorised", "spurious")]
    assert mannwhitneyu(*every).statistic / every[0].size / every[1].size > 0.4  # what pooling would have said


def test_noise_earns_no_verdict_more_often_than_is_stated() -> None:
    """2000 comparisons of equal laws: 5.4 verdicts are expected, and 25 would be a chance of 1e-9."""
    rng = np.random.default_rng(2)
    verdicts = [
        orders([record(memorised=rng.exponential(1.0, 12).tolist(), spurious=rng.exponential(1.0, 8).tolist())])[
            0
        ].verdict
        for _ in range(2000)
    ]
    assert sum(v != "undecided" for v in verdicts) < 25


def test_volumes_that_nothing_came_back_to_are_the_smallest_and_equal_values_decide_nothing() -> None:
    found = orders([record(memorised=[1.0] * 8, spurious=[None] * 8)])[0]
    assert (found.superiority, found.verdict) == (1.0, "yes")
    same = orders([record(memorised=[2.0] * 8, spurious=[2.0 + 1e-9] * 8)])[0]
    assert (same.superiority, same.z, same.verdict) == (0.5, None, "undecided")
    assert orders([record(memorised=[1.0])]) == []
    assert {o.quantity for o in orders([record(memorised=[1.0], spurious=[0.0])])} <= set(QUANTITIES)


def test_a_peak_is_judged_against_both_ends() -> None:
    inside = [fractions(2, 0.0, 0.01), fractions(9, 0.3, 0.03), fractions(30, 0.05, 0.01)]
    (peak,) = peaks(inside)
    assert (peak.K, peak.fraction, peak.verdict) == (9, 0.3, "yes")
    assert peak.above_first == pytest.approx(0.3 / math.hypot(0.03, 0.01))
    (still_rising,) = peaks([*inside[:2], fractions(30, 0.32, 0.03)])
    assert (still_rising.K, still_rising.above_last, still_rising.verdict) == (30, 0.0, "undecided")
    assert peaks(inside[:2]) == peaks([fractions(K, 0.0, 0.01) for K in (2, 9, 30)]) == []
    # Two sets that differ by more than their own errors: what they scatter is the error.
    K, value, error = against([fractions(9, 0.1, 0.01), fractions(9, 0.3, 0.01)], "spurious")
    assert (K.tolist(), value.tolist()) == ([9.0], [0.2])
    assert error[0] == pytest.approx(0.1)
