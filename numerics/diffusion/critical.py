r"""Critical noise, basin size and basin volume of points, for any score.

A point x_0 is noised to level sigma and taken back by the probability flow; the trial is *recovered* if it returns to
x_0.  The same noise direction is used at all levels of one trial, and a trial that was lost stays lost.  The critical
noise of a point is where the recovered fraction crosses `survive`, the basin radius the distance that noise of this
level moves it.  Nothing here asks where points and scores come from.

Source: the U-turn of Pham and others, arXiv:2505.21777, as in their code (p = 0.9, trials in place of restarts).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, logsumexp

from numerics.diffusion.flow import Score, noise_levels, probability_flow
from numerics.diffusion.memories import blocks
from numerics.rng import gaussians, stream
from theory.errors import InvalidInput

__all__ = ["Critical", "Volume", "critical_noise", "flow_back", "log_basin_volume"]

Array = NDArray[np.float64]

_TOGETHER = 2**20  # numbers in the points that go back together


@dataclass(frozen=True, eq=False)
class Critical:
    """Recovery of B points from noise.

    Attributes
    ----------
    levels : (L,) array
        Noise levels, rising.
    recovered : (L, B) array
        Fraction of trials that came back at this level and all below.
    level : (B,) array
        Critical noise: where the fraction crosses `survive`, between two levels by interpolation; the lowest level
        where the point is lost at once, the highest where it never is (`kind`).
    error : (B,) array
        Half the gap between the two levels, plus the binomial error of the fraction through the slope; nan without a
        crossing.
    kind : (B,) array of {'crossing', 'below', 'above'}
    radius : (B,) array
        Root mean square distance that noise of the critical level moves the point.
    reach : (trials, B) array
        How far the noise of the highest level survived moved the point, in each trial; 0 if it was lost at once.
    survive : float
    trials : int
    """

    levels: Array
    recovered: Array
    level: Array
    error: Array
    kind: NDArray[np.str_]
    radius: Array
    reach: Array
    survive: float
    trials: int

    @property
    def t_c(self) -> Array:
        """Critical time log(1 + sigma_c^2)/2 of an Ornstein-Uhlenbeck process, (B,)."""
        return np.asarray(0.5 * np.log1p(self.level**2))


@dataclass(frozen=True)
class Volume:
    """Logarithm of the volume of a basin inside a ball.

    Attributes
    ----------
    log_volume : float
        Of the part that is seen from the attractor along straight rays.
    error : float
        Standard error over rays (of the mean of r^N, through the logarithm); in many dimensions the mean is carried by
        few rays, and the estimate is a lower bound in practice.
    capped : float
        Fraction of rays that reach the ball's surface.
    mean_radius : float
    """

    log_volume: float
    error: float
    capped: float
    mean_radius: float


def flow_back(score: Score, *, low: float, steps: int = 40) -> Callable[[Array, float], Array]:
    """Return ``back(x, sigma)``: the probability flow from sigma down to `low`, and the denoised estimate there.

    Examples
    --------
    >>> from numerics.diffusion.flow import exact_score
    >>> from numerics.diffusion.memories import memories
    >>> back = flow_back(exact_score(memories([[-1.0], [1.0]])), low=0.05)
    >>> back(np.array([[0.3], [-2.0]]), 0.5).round(6).tolist()
    [[1.0], [-1.0]]
    """

    def back(x: Array, sigma: float) -> Array:
        at = probability_flow(score, x, noise_levels(sigma, low, steps)) if sigma > low * (1.0 + 1e-12) else x
        return np.asarray(at + low**2 * score(at, low), dtype=np.float64)

    return back


def critical_noise(
    points: ArrayLike,
    levels: Sequence[float] | Array,
    back: Callable[[Array, float], Array],
    *,
    delta: float,
    base: float = 0.0,
    survive: float = 0.9,
    trials: int = 50,
    seed: int = 0,
) -> Critical:
    """Critical noise of every point.

    Parameters
    ----------
    points : (B, N) array
        Memories, attractors or samples, of the law at noise `base`.
    levels : sequence of float
        Rising, above `base`.
    back : callable
        ``back(x, sigma)``: where noisy points return to; see `flow_back`, or the descent to attractors.
    delta : float
        Returned: within this distance of the point.
    base : float
        Noise that the points already carry: at level sigma noise of variance sigma^2 - base^2 is added.
    survive : float
        Recovered fraction at the critical noise.
    trials, seed : int

    Returns
    -------
    Critical

    Raises
    ------
    InvalidInput
        For numbers out of range.

    Examples
    --------
    >>> from numerics.diffusion.flow import exact_score
    >>> from numerics.diffusion.memories import memories
    >>> back = flow_back(exact_score(memories([[-1.0], [1.0]])), low=0.05, steps=20)
    >>> found = critical_noise([[1.0]], np.linspace(0.2, 2.0, 10), back, delta=0.1, trials=100)
    >>> bool(abs(found.level[0] - 1 / 1.2816) < 0.2)  # lost where 1 + sigma z < 0, for a tenth of the z
    True
    """
    x = np.asarray(points, dtype=np.float64)
    rising = np.asarray(levels, dtype=np.float64)
    if x.ndim != 2 or not len(x):
        raise InvalidInput(f"points have shape {x.shape}; give (B, N), one point a row.")
    if rising.ndim != 1 or len(rising) < 2 or not np.all(np.diff(rising) > 0.0) or not rising[0] > base >= 0.0:
        raise InvalidInput(f"levels must rise, two at least, and lie above base = {base:g}.")
    if not 0.0 < survive < 1.0 or trials < 2 or not delta > 0.0:
        raise InvalidInput(
            f"survive = {survive}, trials = {trials}, delta = {delta} are not allowed; give 0 < survive < 1, "
            "trials >= 2 and delta > 0."
        )
    size, width = x.shape
    alive = np.ones((trials, size), dtype=bool)
    fraction, reach = np.zeros((len(rising), size)), np.zeros((trials, size))
    noise = np.stack([gaussians(stream("critical", int(seed), k), rows=size, columns=width) for k in range(trials)])
    length = np.linalg.norm(noise, axis=2)
    for row, level in enumerate(rising):
        added = math.sqrt(level**2 - base**2)
        trial, live = np.nonzero(alive)
        for rows in blocks(len(live), width, limit=_TOGETHER):
            which = live[rows]
            end = back(x[which] + added * noise[trial[rows], which], float(level))
            alive[trial[rows], which] = np.linalg.norm(end - x[which], axis=1) <= delta
        reach[alive] = added * length[alive]
        fraction[row] = alive.mean(0)
        if not alive.any():
            break
    found = [_crossing(rising, fraction[:, b], survive, trials) for b in range(size)]
    critical = np.array([f[0] for f in found])
    moved = np.sqrt(np.maximum(critical**2 - base**2, 0.0)) * math.sqrt(width)
    return Critical(
        rising,
        fraction,
        critical,
        np.array([f[1] for f in found]),
        np.array([f[2] for f in found]),
        moved,
        reach,
        survive,
        trials,
    )


def _crossing(levels: Array, fraction: Array, survive: float, trials: int) -> tuple[float, float, str]:
    below = np.flatnonzero(fraction < survive)
    if not len(below):
        return float(levels[-1]), math.nan, "above"
    k = int(below[0])
    if k == 0:
        return float(levels[0]), math.nan, "below"
    drop = fraction[k - 1] - fraction[k]
    share = (fraction[k - 1] - survive) / drop
    gap = levels[k] - levels[k - 1]
    spread = math.sqrt(survive * (1.0 - survive) / trials) / drop
    return float(levels[k - 1] + share * gap), float(gap * (0.5 + min(spread, 10.0))), "crossing"


def log_basin_volume(
    point: ArrayLike,
    inside: Callable[[Array], NDArray[np.bool_]],
    *,
    within: float,
    rays: int = 100,
    halvings: int = 12,
    seed: int = 0,
) -> Volume:
    """Estimate the volume of a basin inside a ball around its attractor, by bisection along random rays.

    The volume of a star-shaped set is that of the unit ball times the mean of r^N.  Basins reach to infinity, so that a
    ball has to be named.

    Parameters
    ----------
    point : (N,) array
    inside : callable
        For (B, N) points, whether each is of the basin.
    within : float
        Radius of the ball.
    rays, halvings, seed : int

    Returns
    -------
    Volume

    Examples
    --------
    >>> disc = log_basin_volume([0.0, 0.0], lambda x: np.linalg.norm(x, axis=1) < 2.0, within=5.0, halvings=40)
    >>> round(math.exp(disc.log_volume) / math.pi, 9)
    4.0
    """
    centre = np.asarray(point, dtype=np.float64)
    if centre.ndim != 1 or not 0.0 < within < math.inf or rays < 2 or halvings < 1:
        raise InvalidInput(
            f"point of shape {centre.shape}, within = {within}, rays = {rays}, halvings = {halvings} are not allowed; "
            "give one point (N,), a finite radius above 0, two rays and one halving at least."
        )
    width = len(centre)
    direction = gaussians(stream("rays", int(seed)), rows=rays, columns=width)
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    whole = np.asarray(inside(centre + within * direction), dtype=bool)
    low, high = np.zeros(rays), np.full(rays, float(within))
    low[whole] = within
    for _ in range(halvings):
        middle = 0.5 * (low + high)
        stays = np.asarray(inside(centre + middle[:, None] * direction), dtype=bool)
        low, high = np.where(stays, middle, low), np.where(stays, high, middle)
    radius = np.where(whole, within, 0.5 * (low + high))
    log_r = width * np.log(np.maximum(radius, 1e-300))
    mean = float(logsumexp(log_r)) - math.log(rays)
    relative = np.exp(log_r - mean)
    unit = 0.5 * width * math.log(math.pi) - float(gammaln(0.5 * width + 1.0))
    error = float(relative.std(ddof=1)) / math.sqrt(rays)
    return Volume(unit + mean, error, float(whole.mean()), float(radius.mean()))
