r"""Exponentially many patterns, simulated exactly by counting how many there are at each level.

What ``P = exp(alpha N)`` patterns do to a query is a sum over them of a weight that depends on one number, their
overlap with it (or their distance from it).  The numbers of patterns per level are independent Poisson variables (P
itself is Poisson; its fluctuation shifts alpha by ``exp(-alpha N/2)/N``), so no pattern is drawn, and N = 1000 costs
what N = 10 does.  Continuous overlaps are binned finely.  Counts above 10^12 are replaced by their mean.

One sample is a query with patterns that are *added one after another*: Poisson increments while alpha grows, and
binomial thinning to place the crossing.  So every sample has its own load ``alpha_*`` at which the others outweigh the
planted pattern (its softmax weight falls below 1/2), and the fraction of samples with ``alpha_* > alpha`` is the
probability of retrieval at alpha.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, ive, logsumexp

from numerics.estimate import Measurement, fraction
from numerics.rng import stream
from theory.errors import InvalidInput, is_number, nearest, whole_number

__all__ = [
    "ENSEMBLES",
    "Levels",
    "Loads",
    "above_zero",
    "collapse_loads",
    "crossing_loads",
    "median",
    "random",
    "retrieval_loads",
]

Array = NDArray[np.float64]
ENSEMBLES = ("gaussian", "sphere", "binary")
LARGE = 1e12  # counts beyond are taken at their mean: their relative fluctuation is below 1e-6
COARSE, BINS = 200, 400
DOUBLINGS = 12  # of the resolution with which a crossing is placed, from 3/N
_CHUNK = 64  # samples at once


def random(*name: str | int) -> np.random.Generator:
    """Generator of a named random object."""
    words = stream(*name).astype(np.uint64)
    return np.random.Generator(np.random.Philox(key=np.array([words[0] << np.uint64(32) | words[1], words[2]])))


def median(values: Array) -> Measurement:
    """Median with its standard error, half the distance of the order statistics one deviation to either side."""
    x = np.sort(np.asarray(values, float))
    n = x.size
    low, high = (int(np.clip(round(0.5 * n + s * 0.5 * math.sqrt(n)), 0, n - 1)) for s in (-1.0, 1.0))
    return Measurement(float(np.median(x)), float(0.5 * (x[high] - x[low])), n)


@dataclass(frozen=True)
class Loads:
    """The load that every sample bears.

    Attributes
    ----------
    N : int
        Components of a pattern.
    values : (samples,) array
        alpha_* of every sample.
    """

    N: int
    values: Array

    @property
    def half(self) -> Measurement:
        """The load at which half of the samples are retrieved."""
        found = median(self.values)
        placed = 3.0 / self.N / 2**DOUBLINGS
        return Measurement(found.value, math.hypot(found.error, placed), found.n)

    def retrieved(self, alpha: float) -> Measurement:
        """Probability of retrieval at a load, with its error."""
        return fraction(self.values > alpha)


class Levels(NamedTuple):
    """Log-probability per pattern and logarithm of the weight (in units of the planted pattern's); (samples, k)."""

    log_probability: Array
    log_weight: Array


def crossing_loads(levels: Levels, N: int, generator: np.random.Generator) -> Array:
    """Load of every sample at which the weights of the patterns reach that of the planted one.

    Parameters
    ----------
    levels : Levels
    N : int
        alpha is the logarithm of the number of patterns over N.
    generator : numpy Generator

    Returns
    -------
    (samples,) array
        Placed to 1e-3/N.

    Examples
    --------
    >>> sure = Levels(np.zeros((1, 1)), np.full((1, 1), -200.0))  # every pattern has the weight exp(-200)
    >>> round(float(crossing_loads(sure, 100, random("doc"))[0]), 3)
    2.0
    """
    log_p, log_w = levels
    weight = np.exp(np.minimum(log_w, 700.0))
    # Patterns so few that the mean of their weights is exp(-20) do not suffice (probability 2e-9, Markov), levels that
    # will stay empty left out.
    enough = _enough(levels)
    filled = np.where(log_p > -enough[:, None] - 30.0, log_p + log_w, -np.inf)
    low = (-logsumexp(filled, axis=1) - 20.0) / N

    def means(alpha: Array) -> Array:
        return np.asarray(np.exp(np.minimum(N * alpha[:, None] + log_p, 700.0)))

    def poisson(mean: Array) -> Array:
        """Where the mean is below 1e-13 there is nothing."""
        drawn = np.zeros_like(mean)
        some = mean > 1e-13
        drawn[some] = generator.poisson(np.minimum(mean[some], 4.0 * LARGE))
        return drawn

    def thinned(extra: Array, share: Array) -> Array:
        left = np.zeros_like(extra)
        some = extra > 0.0
        left[some] = generator.binomial(extra[some].astype(np.int64), share[some])
        return left

    def grown(count: Array, before: Array, after: Array) -> Array:
        return np.where(after > LARGE, after, count + poisson(np.where(after > LARGE, 0.0, after - before)))

    rows = np.arange(len(low))
    mean_low = means(low)
    count_low = grown(np.zeros_like(mean_low), np.zeros_like(mean_low), mean_low)
    high, mean_high, count_high = low.copy(), mean_low.copy(), count_low.copy()
    live = rows
    while live.size:
        low[live], mean_low[live], count_low[live] = high[live], mean_high[live], count_high[live]
        high[live] += 3.0 / N
        mean_high[live] = np.exp(np.minimum(N * high[live, None] + log_p[live], 700.0))
        count_high[live] = grown(count_low[live], mean_low[live], mean_high[live])
        live = live[(count_high[live] * weight[live]).sum(axis=1) < 1.0]
    for _ in range(DOUBLINGS):
        middle = 0.5 * (low + high)
        mean = means(middle)
        share = np.clip((mean - mean_low) / np.maximum(mean_high - mean_low, 1e-300), 0.0, 1.0)
        # Out of a number that is as good as infinite, a binomial variable is a Poisson variable.
        endless = mean_high > LARGE
        extra = thinned(np.where(endless, 0.0, np.maximum(count_high - count_low, 0.0)), share)
        extra += poisson(np.where(endless & (mean <= LARGE), mean - mean_low, 0.0))
        count = np.where(mean > LARGE, mean, count_low + extra)
        over = (count * weight).sum(axis=1) >= 1.0
        high, low = np.where(over, middle, high), np.where(over, low, middle)
        for old, new, where in ((mean_high, mean, over), (count_high, count, over)):
            old[where] = new[where]
        for old, new, where in ((mean_low, mean, ~over), (count_low, count, ~over)):
            old[where] = new[where]
    return np.asarray(0.5 * (low + high))


def _enough(levels: Levels) -> Array:
    """Logarithm of a number of patterns that suffices to outweigh the planted one, per sample.

    One level with ``exp(5)`` times the number that its weight needs is enough but for exp(-exp(5)).
    """
    log_p, log_w = levels
    return np.asarray((np.maximum(-log_w, 0.0) - log_p).min(axis=1) + 5.0)


def _windowed(
    log_density: Callable[[Array], Array], log_weight: Callable[[Array], Array], low: Array, high: Array
) -> Levels:
    """Bins of a continuous level in the window that matters, per sample.

    Left out are levels that stay empty (but for exp(-30)) until the planted pattern is lost, and those that hold less
    than exp(-40) of its weight then.
    """
    for points in (COARSE, COARSE, BINS):
        edges = low[:, None] + (high - low)[:, None] * np.linspace(0.0, 1.0, points + 1)
        x, width = 0.5 * (edges[:, 1:] + edges[:, :-1]), (high - low)[:, None] / points
        levels = Levels(log_density(x) + np.log(width), log_weight(x))
        enough = _enough(levels)[:, None]
        matters = (levels.log_probability > -enough - 30.0) & (sum(levels) > -enough - 40.0)
        first, last = matters.argmax(axis=1), points - 1 - matters[:, ::-1].argmax(axis=1)
        if points != BINS:
            rows = np.arange(len(x))
            low, high = edges[rows, np.maximum(first - 1, 0)], edges[rows, np.minimum(last + 2, points)]
    return levels


def above_zero(name: str, value: float, high: float = math.inf) -> float:
    """A positive number, or one sentence."""
    if not is_number(value) or not 0.0 < value <= high or math.isinf(value):
        bound = "infinity" if math.isinf(high) else f"{high:g}"
        raise InvalidInput(f"{name} = {value} is not allowed; give a number with 0 < {name} <= {bound}.")
    return float(value)


def retrieval_loads(
    ensemble: str, N: int, *, lam: float, overlap: float = 1.0, samples: int = 400, seed: int = 0
) -> Loads:
    """Loads at which a pattern of an exponential Hopfield network loses against all others.

    Parameters
    ----------
    ensemble : {'gaussian', 'sphere', 'binary'}
    N : int
        Components, 4 to 20000.
    lam : float
        lambda of the energy.
    overlap : float
        Overlap of the query with the pattern; below 1 the query has squared norm N.
    samples, seed : int

    Raises
    ------
    InvalidInput
        For numbers out of range or an unknown ensemble.

    Examples
    --------
    >>> loads = retrieval_loads("binary", 200, lam=1.0, samples=20)
    >>> round(loads.half.value, 3)  # 0.566 for N -> infinity
    0.566
    """
    if ensemble not in ENSEMBLES:
        close = nearest(str(ensemble), ENSEMBLES)
        hint = f"; did you mean '{close}'?" if close else "."
        raise InvalidInput(f"ensemble '{ensemble}' is unknown; choose one of {', '.join(ENSEMBLES)}{hint}")
    N, samples = whole_number("N", N, 4, 20_000), whole_number("samples", samples, 1, 1_000_000)
    lam, overlap = above_zero("lambda", lam), above_zero("overlap", overlap, 1.0)
    found = []
    for block in range(0, samples, _CHUNK):
        size = min(_CHUNK, samples - block)
        generator = random(seed, "retrieval", ensemble, N, str(lam), str(overlap), block)
        levels = _overlap_levels(ensemble, N, lam, overlap, size, generator)
        found.append(crossing_loads(levels, N, generator))
    return Loads(N, np.concatenate(found))


def _overlap_levels(
    ensemble: str, N: int, lam: float, overlap: float, size: int, generator: np.random.Generator
) -> Levels:
    """Levels of the overlaps of independent patterns with the query of every sample."""
    if ensemble == "binary":
        k = np.arange(N + 1.0)
        log_p = gammaln(N + 1.0) - gammaln(k + 1.0) - gammaln(N - k + 1.0) - N * math.log(2.0)
        log_w = lam * N * ((2.0 * k - N) / N - overlap)
        return Levels(np.tile(log_p, (size, 1)), np.tile(log_w, (size, 1)))
    if ensemble == "sphere":
        norm = gammaln(0.5 * N) - gammaln(0.5 * (N - 1)) - 0.5 * math.log(math.pi)
        return _windowed(
            lambda e: norm + 0.5 * (N - 3) * np.log1p(-e * e),
            lambda e: lam * N * (e - overlap),
            np.full(size, -1.0),
            np.full(size, 1.0),
        )
    # The planted pattern is the query, and its squared norm N rho fluctuates.
    rho = generator.chisquare(N, size) / N if overlap == 1.0 else np.ones(size)
    target = rho if overlap == 1.0 else np.full(size, overlap)
    return _windowed(
        lambda e: 0.5 * (np.log(N / (2.0 * math.pi * rho))[:, None] - N * e * e / rho[:, None]),
        lambda e: lam * N * (e - target[:, None]),
        -2.0 * np.sqrt(rho),
        (2.0 + lam) * np.maximum(rho, 1.0),
    )


def collapse_loads(
    d: int, t: float, *, sigma2: float = 1.0, process: str = "vp", samples: int = 400, seed: int = 0
) -> Loads:
    """Loads ``log(n)/d`` at which n Gaussian data points hide the one that a noisy point came from.

    The exact empirical score at x_t weighs data points with ``exp(-|x_t - e^{-t} x|^2/2 Delta)``; it has collapsed
    where the planted one has more than half of the weight.

    Parameters
    ----------
    d : int
        Dimensions, 2 to 20000.
    t : float
        Diffusion time (for 've' the variance of the noise).
    sigma2 : float
        Variance of a component of the data.
    process : {'vp', 've'}
    samples, seed : int
        The same seed uses the same planted points and noises at every t.

    Raises
    ------
    InvalidInput
        For numbers out of range.

    Examples
    --------
    >>> loads = collapse_loads(400, 0.229338, samples=40)
    >>> 0.49 < loads.half.value < 0.53  # 1/2 for d -> infinity
    True
    """
    d, samples = whole_number("d", d, 2, 20_000), whole_number("samples", samples, 1, 1_000_000)
    t, sigma2 = above_zero("t", t), above_zero("sigma2", sigma2)
    if process not in ("vp", "ve"):
        raise InvalidInput(f"process '{process}' is unknown; choose vp or ve.")
    shrink, noise = (1.0, t) if process == "ve" else (math.exp(-2.0 * t), -math.expm1(-2.0 * t))
    found = []
    for block in range(0, samples, _CHUNK):
        size = min(_CHUNK, samples - block)
        generator = random(seed, "collapse", d, block)
        x1 = np.sqrt(sigma2 * generator.chisquare(d, size))
        along = generator.normal(size=size)
        xi2 = along**2 + generator.chisquare(d - 1, size)
        # squared length of x_t, and the cost of the planted point
        r2 = shrink * x1**2 + noise * xi2 + 2.0 * math.sqrt(shrink * noise) * x1 * along
        levels = _distance_levels(d, r2 / (shrink * sigma2), xi2, shrink * sigma2 / noise)
        found.append(crossing_loads(levels, d, generator))
    return Loads(d, np.concatenate(found))


def _distance_levels(d: int, offset: Array, xi2: Array, ratio: float) -> Levels:
    """Levels of v = |x_t - e^{-t} x|/s, a noncentral chi variable, with s the standard deviation of ``e^{-t} x``."""
    a = np.sqrt(offset)[:, None]
    return _windowed(
        lambda v: _log_noncentral_chi(v, d, a),
        lambda v: 0.5 * xi2[:, None] - 0.5 * ratio * v * v,
        np.zeros(len(offset)),
        np.sqrt(d + offset) + 12.0,
    )


def _log_noncentral_chi(v: Array, d: int, a: Array) -> Array:
    """Log-density of the length v of a d-dimensional standard Gaussian with mean of length a."""
    order = 0.5 * d - 1.0
    return np.asarray(np.log(a) + 0.5 * d * np.log(v / a) - 0.5 * (v - a) ** 2 + _log_ive(order, a * v))


def _log_ive(order: float, z: Array) -> Array:
    """``log(exp(-z) I_order(z))``; by Debye's expansion where the order is large (relative error of I below 1e-8)."""
    if order < 60.0:
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(ive(order, z)))
    x = z / order
    root = np.sqrt(1.0 + x * x)
    p = 1.0 / root
    u1 = (3.0 * p - 5.0 * p**3) / 24.0
    u2 = (81.0 * p**2 - 462.0 * p**4 + 385.0 * p**6) / 1152.0
    u3 = (30375.0 * p**3 - 369603.0 * p**5 + 765765.0 * p**7 - 425425.0 * p**9) / 414720.0
    eta = 1.0 / (root + x) + np.log(x / (1.0 + root))  # root - x without cancellation
    series = np.log1p(u1 / order + u2 / order**2 + u3 / order**3)
    return np.asarray(order * eta - 0.5 * np.log(2.0 * math.pi * order * root) + series)
