r"""The collapse of the exact empirical score, simulated: with all data points drawn, and by counting them per level.

A sample is a data point x_1 with its noise and ``n = exp(alpha d)`` other data points; ``x_t = e^{-t} x_1 + sqrt(Delta)
xi``.  It collapses at the time at which its posterior weight crosses 1/2; t_C(d) is the median over samples.  Both ways
have the same law: the fraction of samples that have collapsed later than t at a load alpha is the fraction that bears a
load above alpha at t.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from numerics.diffusion.levels import above_zero, collapse_loads, random
from numerics.estimate import Measurement
from theory.errors import InvalidInput, whole_number

__all__ = ["counted_collapse_time", "drawn_collapse_times"]

Array = NDArray[np.float64]
MOST = 40_000_000  # numbers that one sample may hold


def drawn_collapse_times(d: int, alpha: float, *, sigma2: float = 1.0, samples: int = 200, seed: int = 0) -> Array:
    """Collapse time of every sample, with all its Gaussian data points drawn (VP).

    Parameters
    ----------
    d : int
        Dimensions; ``d exp(alpha d)`` numbers must fit into memory.
    alpha : float
        ``log(n)/d``; n is rounded.
    sigma2 : float
        Variance of a component of the data.
    samples, seed : int

    Returns
    -------
    (samples,) array
        0 where the planted point does not have half of the weight at any time.

    Raises
    ------
    InvalidInput
        For numbers out of range or too many data points.

    Examples
    --------
    >>> times = drawn_collapse_times(12, 0.5, samples=50)
    >>> 0.1 < float(np.median(times)) < 0.4
    True
    """
    d, samples = whole_number("d", d, 1, 100_000), whole_number("samples", samples, 1, 1_000_000)
    alpha, sigma2 = above_zero("alpha", alpha), above_zero("sigma2", sigma2)
    if alpha * d > math.log(MOST / d):
        raise InvalidInput(
            f"d = {d} at alpha = {alpha:g} means exp({alpha * d:.3g}) data points, too many to draw; give a smaller d, "
            "or count levels (counted_collapse_time)."
        )
    others = max(1, round(math.exp(alpha * d)))
    times = np.empty(samples)
    for k in range(samples):
        generator = random(seed, "drawn", d, str(alpha), k)
        x1, xi = math.sqrt(sigma2) * generator.normal(size=d), generator.normal(size=d)
        away = x1 - math.sqrt(sigma2) * generator.normal(size=(others, d))
        times[k] = _crossing((away * away).sum(axis=1), away @ xi)
    return times


def _crossing(distance: Array, along: Array) -> float:
    """Largest noise at which the others have the weight of the planted point, in time of the VP process.

    At noise-to-signal ratio r^2 the weight of another point at ``x_1 - D`` is ``exp(-|D|^2/2r^2 - D.xi/r)``.
    """

    def excess(log_r: float) -> float:
        r = math.exp(log_r)
        exponent = -0.5 * distance / (r * r) - along / r
        top = float(exponent.max())
        return top + math.log(float(np.exp(exponent - top).sum()))

    low, high = -12.0, 12.0
    if excess(high) < 0.0:
        return math.inf  # a single other point that is lighter at any noise
    if excess(low) > 0.0:
        return 0.0
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if excess(middle) > 0.0 else (middle, high)
    return 0.5 * math.log1p(math.exp(low + high))


def counted_collapse_time(
    d: int, alpha: float, *, near: float, sigma2: float = 1.0, process: str = "vp", samples: int = 400, seed: int = 0
) -> Measurement:
    """Median collapse time at any d, by counting levels.

    Parameters
    ----------
    d : int
    alpha : float
        ``log(n)/d``.
    near : float
        A time to begin with.
    sigma2 : float
    process : {'vp', 've'}
    samples, seed : int

    Returns
    -------
    Measurement
        The error is that of the median load, divided by its slope in time.

    Raises
    ------
    InvalidInput
        For numbers out of range.

    Examples
    --------
    >>> found = counted_collapse_time(200, 0.5, near=0.23, samples=40)
    >>> bool(abs(found.value - 0.229338) < 0.03)  # d -> infinity
    True
    """
    alpha, t = above_zero("alpha", alpha), above_zero("near", near)

    def load(time: float) -> Measurement:
        # The same seed at every time: differences of loads carry little noise.
        return collapse_loads(d, time, sigma2=sigma2, process=process, samples=samples, seed=seed).half

    for _ in range(20):
        # The load is smooth in log t: a parabola through three times far enough apart for their noise.
        x = math.log(t) + np.array([-0.25, 0.0, 0.25])
        y = [load(math.exp(v)).value - alpha for v in x]
        slope = (y[2] - y[0]) / (x[2] - x[0])
        bend = (y[2] - 2.0 * y[1] + y[0]) / (x[1] - x[0]) ** 2
        step = -y[1] / slope
        step = -y[1] / (slope + 0.5 * bend * step)
        t *= math.exp(min(max(step, -1.0), 1.0))
        if abs(step) < 0.25:
            break
    found = load(t)
    slope = (slope + bend * step) / t
    return Measurement(t - (found.value - alpha) / slope, abs(found.error / slope), samples)
