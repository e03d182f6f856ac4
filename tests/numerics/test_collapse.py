"""Collapses and crossings of synthetic curves with known exponents, transition point and errors."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import numpy as np
import pytest

from numerics import rng
from numerics.collapse import collapse, quality, scaling, scaling_of_samples
from numerics.estimate import bootstrap, redrawn
from numerics.intersections import intersections
from theory.errors import InvalidInput

SIZES = (8.0, 16.0, 32.0, 64.0)
POINTS = 25
L = np.repeat(SIZES, POINTS)
# Windows differ, so that no scaled abscissae coincide.
WINDOW = np.concatenate([np.linspace(-w, 1.01 * w, POINTS) for w in (1.2, 1.26, 1.17, 1.31)])


def gaussian(*name: str | int, size: int = L.size) -> np.ndarray:
    return rng.gaussians(rng.stream("collapse", *name), rows=1, columns=size)[0]


def synthetic(name: int, *, x_c: float = 1.0, a: float = 0.5, b: float = 0.0, noise: float = 0.01):
    """y = L^-b (1 + tanh((x - x_c) L^a)) with Gaussian errors, in windows that shrink as L^-a."""
    x = x_c + WINDOW * L**-a
    error = noise * L**-b
    return scaling(L, x, L**-b * (1 + np.tanh((x - x_c) * L**a)) + error * gaussian(name), error)


def quality_by_definition(data, x_c: float, a: float, b: float) -> tuple[float, int]:
    """S point by point, with the straight line fitted by NumPy's weighted least squares."""
    X, Y, E = (data.x - x_c) * data.L**a, data.y * data.L**b, data.error * data.L**b
    terms = []
    for i in range(X.size):
        chosen = []
        for size in set(data.L.tolist()) - {data.L[i]}:
            rows = sorted(np.flatnonzero(data.L == size), key=lambda j: X[j])
            for j, k in pairwise(rows):
                if X[j] <= X[i] <= X[k]:
                    chosen += [j, k]
                    break
        if chosen:
            line, covariance = np.polyfit(X[chosen], Y[chosen], 1, w=1 / E[chosen], cov="unscaled")
            gradient = np.array([X[i], 1.0])
            terms.append((Y[i] - line @ gradient) ** 2 / (E[i] ** 2 + gradient @ covariance @ gradient))
    return float(np.mean(terms)), len(terms)


@pytest.mark.parametrize("theta", [(1.0, 0.5, 0.0), (0.95, 0.7, 0.3)])
def test_the_quality_is_that_of_the_definition(theta):
    data = synthetic(0)
    x_c, a, b = theta
    expected, terms = quality_by_definition(data, *theta)
    found = quality(data, x_c=x_c, a=a, b=b)
    assert found == (pytest.approx(expected, rel=1e-9), terms)


def test_exact_data_collapse_at_the_known_exponents():
    """Straight lines collapse exactly: S vanishes at the truth, and the minimum is there."""
    x = np.tile(np.linspace(-1, 1, POINTS), len(SIZES)) * L**-0.7 + 0.3
    data = scaling(L, x, L**-0.2 * (2 + (x - 0.3) * L**0.7), np.full(L.size, 0.01))
    assert quality(data, x_c=0.3, a=0.7, b=0.2)[0] < 1e-20
    found = collapse(data, free=("x_c", "a", "b"), resamples=4)
    assert found.quality < 1e-3
    assert [found.parameters[k] for k in ("x_c", "a", "b")] == pytest.approx([0.3, 0.7, 0.2], abs=0.01)


def coverage(free: tuple[str, ...], truth: dict[str, float], sets: int) -> tuple[np.ndarray, float, float]:
    """Pulls of the parameters, share of S + 1 intervals that hold the truth, and the mean S."""
    pulls, held, qualities = [], [], []
    for k in range(sets):
        found = collapse(synthetic(k, **truth), free=free, resamples=40, start=truth if len(free) == 1 else None)
        assert found.collapses
        pulls.append([(found.parameters[n] - truth[n]) / found.errors[n] for n in free])
        held += [found.intervals[n][0] < truth[n] < found.intervals[n][1] for n in free]
        qualities.append(found.quality)
    return np.array(pulls), float(np.mean(held)), float(np.mean(qualities))


def test_errors_cover_the_truth():
    """30 data sets: bootstrap pulls of about unit width, S about 1, and S + 1 intervals that are wider than that."""
    pulls, held, mean = coverage(("x_c", "a"), {"x_c": 1.0, "a": 0.5}, 30)
    # Over 100 other sets the widths are 0.9 and 1.2, and 95 % lie within two errors: four standard errors of 30 around.
    assert ((pulls.std(axis=0) > 0.45) & (pulls.std(axis=0) < 1.75)).all()
    assert (np.abs(pulls) < 2.0).mean() > 0.83
    assert held == 1.0
    assert 0.8 < mean < 1.2


@pytest.mark.slow
def test_errors_cover_the_truth_with_three_free_parameters():
    """100 data sets: two bootstrap errors hold the truth in 80 % or more of them (87 to 99 % in 100 others)."""
    pulls, held, mean = coverage(("x_c", "a", "b"), {"x_c": 1.0, "a": 1.0, "b": 0.25}, 100)
    assert ((np.abs(pulls) < 2.0).mean(axis=0) >= 0.8).all()
    assert (np.abs(pulls.mean(axis=0)) < 0.6).all()
    assert held > 0.97
    assert 0.8 < mean < 1.2


def test_what_does_not_collapse_is_said():
    """The height of the curves depends on L without a power: S is far above 1 at its minimum, and is shown."""
    data = synthetic(0)
    wrong = scaling(data.L, data.x, data.y * (1.0 + 0.3 * np.sin(3.0 * data.L)), data.error)
    found = collapse(wrong, free=("x_c", "a", "b"), resamples=10)
    assert found.quality > 20
    assert not found.collapses
    assert "do not collapse" in found.message
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["quality"] == found.quality


def binder_samples(N: float, x: float, count: int, *, w: float = 0.0) -> np.ndarray:
    """(m^2, m^4) of disorder samples whose Binder ratio is a function of (x - 1 - w/N) N^0.5."""
    u = gaussian("binder", int(N), str(x), size=count)
    spread = 1.0 + math.exp(-2.0 * (x - 1.0 - w / N) * N**0.5)  # m^2 = 1 + spread-dependent noise
    m2 = np.exp(0.3 * math.sqrt(spread) * u)
    return np.stack([m2, m2**2], axis=1)


def binder(rows: np.ndarray) -> float:
    return float(0.5 * (3.0 - rows[:, 1].mean() / rows[:, 0].mean() ** 2))


def test_disorder_samples_give_curves_with_errors():
    N = [16.0, 16.0, 64.0, 64.0]
    x = [0.9, 1.1, 0.9, 1.1]
    samples = [binder_samples(n, v, 150) for n, v in zip(N, x, strict=True)]
    data = scaling_of_samples(N, x, samples, statistic=binder, resamples=300)
    for k in range(4):
        alone = bootstrap(samples[k], binder, resamples=300)
        assert data.y[k] == alone.value
        # Two bootstraps of 300: each error is known to 4 %.
        assert data.error[k] == pytest.approx(alone.error, rel=0.2)
    assert data.resampled.shape == (300, 4)
    independent = np.corrcoef(data.resampled.T)
    assert abs(independent[0, 1]) < 4 / math.sqrt(300)


def test_paired_points_are_redrawn_together():
    """The same samples at two x: their means move together under resampling, by their true correlation."""
    common = gaussian("common", size=100)
    samples = [common + 0.1 * gaussian("own", k, size=100) for k in range(4)]
    data = scaling_of_samples([1.0, 1.0, 2.0, 2.0], [0.0, 1.0] * 2, samples, paired=True)
    corr = np.corrcoef(data.resampled.T)
    assert corr[0, 1] > 0.95
    assert abs(corr[0, 2]) < 0.3
    assert np.array_equal(redrawn(5, "a", resamples=3), redrawn(5, "a", resamples=3))
    assert not np.array_equal(redrawn(50, "a", resamples=3), redrawn(50, "b", resamples=3))


def test_a_crossing_is_found_with_its_error():
    """100 data sets: the pull of the crossing of two curves has unit width."""
    pulls = []
    for k in range(100):
        found = intersections(synthetic(k), resamples=60)
        assert len(found.pairs) == 3
        pulls += [(p.x - 1.0) / p.x_error for p in found.pairs] + [(found.limit.value - 1.0) / found.limit.error]
    by_kind = np.array(pulls).reshape(100, 4)
    # Standard deviation from 100: 7 %; four of them, and the 9 % of errors from 60 resamples.
    assert by_kind.std(axis=0) == pytest.approx(np.ones(4), abs=0.35)
    assert np.abs(by_kind.mean(axis=0)).max() < 0.4


def test_crossings_are_extrapolated():
    """Without noise, crossings of curves shifted by 1/L approach the truth as 1/L."""
    x = np.tile(np.linspace(0.9, 1.4, POINTS), len(SIZES))
    data = scaling(L, x, 2.0 - (x - 1.0 - 1.0 / L) * L, np.full(L.size, 1e-3))
    found = intersections(data, degree=1, exponent=1.0)
    # Curves of L and 2L cross where (x - 1) L - 1 is the same for both: at x = 1.
    assert [p.x for p in found.pairs] == pytest.approx([1.0] * 3)
    shifted = scaling(L, x, 2.0 - (x - 1.0) * L + 1.0 / L**0.5, np.full(L.size, 1e-3))
    pairs = intersections(shifted, degree=1, exponent=1.5)
    # (x - 1) L = (1 - 2^-1/2) L^-1/2 at the crossing of L and 2 L: a shift as L^-3/2.
    assert [(p.x - 1.0) * p.L[0] ** 1.5 for p in pairs.pairs] == pytest.approx([-(1 - 2**-0.5)] * 3, rel=1e-6)
    assert pairs.limit.value == pytest.approx(1.0, abs=1e-9)
    assert set(pairs.other_limits) == {"0.75", "3"}
    json.dumps(pairs.to_json(), allow_nan=False)


def test_misuse_is_one_sentence():
    good = synthetic(1)
    cases = [
        (lambda: scaling([8, 16], [1, 2], [1, 2], [1]), "give equal lists"),
        (lambda: scaling([8, 8, 16, 16], [1, 2, 1, 2], [1, 2, math.nan, 1], [1] * 4), "must be finite"),
        (lambda: scaling([8, 8, 16, 16], [1, 2, 1, 2], [1] * 4, [0.0] * 4), "errors must be positive"),
        (lambda: scaling([8, 8, 8], [1, 2, 3], [1] * 3, [1] * 3), r"1 size\(s\)"),
        (lambda: scaling([8, 8, 16, 16], [1, 1, 1, 2], [1] * 4, [1] * 4), "none at the same x"),
        (lambda: collapse(good, free=("nu",)), "parameter"),
        (lambda: collapse(good, free=()), "no parameter is free"),
        (lambda: intersections(good, degree=0), "degree = 0"),
        (lambda: intersections(scaling([8, 8, 16, 16], [1, 2, 1, 2], [1, 0, 2, 0], [1] * 4)), "too few for degree 3"),
        (lambda: scaling_of_samples([1, 2], [1, 2], [[1.0], [2.0]]), "fewer than two disorder samples"),
        (lambda: scaling_of_samples([1, 2], [1, 2], [[1.0, 2.0]]), "give equally many"),
        (
            lambda: scaling_of_samples([1, 1], [1, 2], [[1.0, 2.0], [1.0, 2.0, 3.0]], paired=True),
            "equally many samples",
        ),
    ]
    for act, sentence in cases:
        with pytest.raises(InvalidInput, match=sentence):
            act()
    apart = scaling([8, 8, 16, 16], [1, 2, 30, 40], [1.0, 2.0, 5.0, 9.0], [0.1] * 4)
    with pytest.raises(InvalidInput, match="cross 0 times"):
        intersections(scaling(L, good.x, good.y + L, good.error))
    with pytest.raises(InvalidInput, match="overlap at too few points"):
        collapse(apart, free=("a",), start={"x_c": 0.5})
