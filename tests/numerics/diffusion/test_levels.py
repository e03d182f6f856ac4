"""Level counting: against patterns that are drawn, exact laws at finite N, and the thresholds for N -> infinity.

Statistical tests allow 5 standard errors (false alarm 6e-7 each) and have fixed seeds.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import ive
from scipy.stats import ncx2

from numerics.diffusion.collapse_times import counted_collapse_time, drawn_collapse_times
from numerics.diffusion.levels import Levels, collapse_loads, crossing_loads, median, random, retrieval_loads
from numerics.finite_size import extrapolate
from theory.errors import InvalidInput

ALPHA_1 = {("binary", 1.0): 0.566219170, ("sphere", 1.0): 0.622571924, ("gaussian", 0.5): 0.375, ("gaussian", 2.0): 0.5}


def drawn_retrieval(ensemble, N, alpha, lam, samples, seed):
    """Fraction of samples retrieved, with every pattern drawn."""
    rng, won = np.random.default_rng(seed), 0
    for _ in range(samples):
        x = rng.normal(size=(rng.poisson(math.exp(alpha * N)) + 1, N))
        if ensemble == "sphere":
            x *= math.sqrt(N) / np.linalg.norm(x, axis=1, keepdims=True)
        if ensemble == "binary":
            x = np.sign(x)
        overlap = x @ x[0]
        won += float(np.exp(lam * (overlap[1:] - overlap[0])).sum()) < 1.0
    return won / samples


@pytest.mark.parametrize(
    ("ensemble", "lam", "alpha"), [("binary", 1.0, 0.5), ("sphere", 2.0, 0.85), ("gaussian", 2.0, 0.55)]
)
def test_counting_is_drawing(ensemble, lam, alpha):
    N, samples = 10, 1500
    drawn = drawn_retrieval(ensemble, N, alpha, lam, samples, seed=5)
    counted = retrieval_loads(ensemble, N, lam=lam, samples=samples, seed=6).retrieved(alpha)
    error = math.hypot(counted.error, math.sqrt(drawn * (1 - drawn) / samples))
    assert 0.05 < drawn < 0.95
    assert abs(drawn - counted.value) < 5 * error


@pytest.mark.parametrize("d", [6, 10])
def test_counted_collapse_is_drawn_collapse(d):
    """P(collapsed later than t at alpha) = P(load above alpha at t), at one (alpha, t), d = 6 and 10."""
    alpha, t, samples = 0.5, 0.25, 1500
    drawn = float((drawn_collapse_times(d, alpha, samples=samples, seed=1) > t).mean())
    # The number of points is rounded when drawn, and Poisson when counted.
    realised = math.log(round(math.exp(alpha * d))) / d
    counted = collapse_loads(d, t, samples=samples, seed=2).retrieved(realised)
    error = math.hypot(counted.error, math.sqrt(drawn * (1 - drawn) / samples))
    assert abs(drawn - counted.value) < 5 * error + 0.02  # the Poisson law of n, of width exp(-alpha d/2)


@pytest.mark.parametrize(("name", "lam"), [("binary", 1.0), ("sphere", 1.0)])
def test_uncondensed_loads_are_the_exact_cumulant_at_finite_size(name, lam):
    """log P = lambda N - log E exp(lambda xi.xi_1), known for every N."""
    N = 300
    if name == "binary":
        log_mean = N * math.log(math.cosh(lam))
    else:
        order = N / 2 - 1
        log_mean = math.lgamma(N / 2) - order * math.log(lam * N / 2) + math.log(float(ive(order, lam * N))) + lam * N
    loads = retrieval_loads(name, N, lam=lam, samples=20)
    assert loads.values == pytest.approx(lam - log_mean / N, abs=2e-6)


@pytest.mark.parametrize(("name", "lam"), list(ALPHA_1))
def test_loads_approach_the_threshold(name, lam):
    sizes = (100, 200, 400, 800)
    found = [retrieval_loads(name, N, lam=lam, samples=256, seed=3).half for N in sizes]
    limit = extrapolate(sizes, [f.value for f in found], [f.error for f in found])
    # log(N)/N where the others condense: between 1/N of N = 100 and 800 it leaves up to log(8)/(2 800)
    slack = math.log(8) / 1600 if lam > 1 else 1e-5
    assert abs(limit.value - ALPHA_1[name, lam]) < 5 * limit.error + slack
    assert limit.error < 0.01


@pytest.mark.parametrize(("name", "m", "value"), [("gaussian", 0.5, 0.125), ("sphere", 0.6, -0.5 * math.log(0.64))])
def test_disturbed_queries_are_lost_at_the_rate_of_their_overlap(name, m, value):
    """Extreme values: the load at which the largest overlap passes m, N alpha = -log P(overlap > m) + O(1)."""
    found = retrieval_loads(name, 2000, lam=4.0, overlap=m, samples=64)
    assert found.half.value == pytest.approx(value, abs=3 * math.log(2000) / 2000)


def test_probability_of_retrieval_sharpens():
    small, large = (retrieval_loads("gaussian", N, lam=2.0, samples=300) for N in (50, 500))
    assert small.values.std() > 2.0 * large.values.std()
    assert large.retrieved(0.3).value == 1.0
    assert large.retrieved(0.7).value == 0.0
    assert large.retrieved(0.3).error > 0.0


def test_noncentral_lengths():
    from numerics.diffusion.levels import _log_noncentral_chi

    for d, a in ((5, 0.7), (20, 4.0), (300, 11.0)):
        v = np.sqrt(ncx2.ppf([0.001, 0.3, 0.9], d, a * a))
        exact = ncx2.logpdf(v * v, d, a * a) + np.log(2 * v)
        assert _log_noncentral_chi(v, d, np.array(a)) == pytest.approx(exact, abs=1e-6)


def test_one_level_crosses_where_its_count_times_weight_is_one():
    levels = Levels(np.full((500, 1), -30.0), np.full((500, 1), 1.0))  # each pattern there is enough
    loads = crossing_loads(levels, 100, random("one level"))
    # the first arrival: log of an exponential variable, mean -Euler
    assert abs(loads.mean() - (0.30 - 0.005772)) < 5 * math.pi / math.sqrt(6 * 500) / 100


def test_same_seed_same_samples():
    one, two = (retrieval_loads("sphere", 40, lam=3.0, samples=70, seed=9).values for _ in range(2))
    assert (one == two).all()
    assert (retrieval_loads("sphere", 40, lam=3.0, samples=64, seed=9).values == one[:64]).all()


def test_collapse_approaches_its_time_with_dimension():
    theory = 0.5 * math.log1p(1 / math.expm1(1.0))
    sizes = (20, 60, 180)
    found = [counted_collapse_time(d, 0.5, near=0.23, samples=256, seed=4) for d in sizes]
    limit = extrapolate(sizes, [f.value for f in found], [f.error for f in found])
    assert abs(limit.value - theory) < 5 * limit.error
    assert limit.error < 0.04 * theory
    # Small systems collapse at more noise: at the time of infinite d the planted point still outweighs exp(d/2) others.
    small = collapse_loads(10, theory, samples=1000, seed=5).half
    assert small.value - 0.5 > 3 * small.error


@pytest.mark.slow
def test_collapse_with_all_points_drawn():
    for d, samples in ((10, 2000), (16, 1000), (20, 300)):
        drawn = median(drawn_collapse_times(d, 0.5, samples=samples, seed=7))
        counted = counted_collapse_time(d, 0.5, near=0.23, samples=1000, seed=8)
        assert abs(drawn.value - counted.value) < 5 * math.hypot(drawn.error, counted.error)


def test_variance_exploding_noise():
    d, alpha = 400, 0.5
    found = collapse_loads(d, 1 / math.expm1(2 * alpha), process="ve", samples=200)
    assert abs(found.half.value - alpha) < 5 * found.half.error + 2 / d


def test_other_variances_scale():
    theory = 0.5 * math.log1p(0.25 / math.expm1(1.0))
    assert abs(collapse_loads(400, theory, sigma2=0.25, samples=200).half.value - 0.5) < 0.02


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: retrieval_loads("spere", 100, lam=1.0), "did you mean 'sphere'"),
        (lambda: retrieval_loads("sphere", 2, lam=1.0), "N = 2"),
        (lambda: retrieval_loads("sphere", 100, lam=0.0), "lambda = 0"),
        (lambda: retrieval_loads("sphere", 100, lam=1.0, overlap=1.1), "overlap = 1.1"),
        (lambda: retrieval_loads("sphere", 100, lam=1.0, samples=0), "samples = 0"),
        (lambda: collapse_loads(1, 0.2), "d = 1"),
        (lambda: collapse_loads(10, -0.2), "t = -0.2"),
        (lambda: collapse_loads(10, 0.2, process="x"), "choose vp or ve"),
        (lambda: drawn_collapse_times(60, 0.5), "too many to draw"),
        (lambda: drawn_collapse_times(10, math.nan), "alpha = nan"),
    ],
)
def test_misuse_is_told_in_one_sentence(call, words):
    with pytest.raises(InvalidInput, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
