r"""What is asked of samples of any score: how much noise they survive, how large and how sharp their basins are.

The score is a function of points and noise, exact or learnt.  With the denoised estimate ``D(x) = x + sigma^2 score``,
half the Hessian of the energy ``E = -2 sigma^2 log p`` is ``1 - dD/dx`` (for the exact score, ``1 - Cov_w/sigma^2``).
The Jacobian of a network need not be symmetric, and its symmetric part is taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

from numerics.diffusion.critical import Critical, critical_noise, flow_back
from numerics.diffusion.flow import Score, denoised, noise_levels
from numerics.diffusion.memories import checked_sigma
from numerics.estimate import Measurement, fraction, mean

__all__ = ["Probes", "log_survived_volume", "probe", "score_curvatures", "survival"]

Array = NDArray[np.float64]

_STEP = 1e-4  # of sigma, for differences


@dataclass(frozen=True, eq=False)
class Probes:
    """Measurements at B points.

    Attributes
    ----------
    critical : Critical
    log_volume : (B,) array
        See `log_survived_volume`; -inf where no trial came back at the lowest level.
    curvature : (B, N) array
        Eigenvalues of the Hessian of E, rising.
    """

    critical: Critical
    log_volume: Array
    curvature: Array


def score_curvatures(score: Score, x: Array, sigma: float) -> Array:
    """Eigenvalues of the Hessian of E at every point, for any score, by central differences.

    Parameters
    ----------
    score : callable
    x : (B, N) array
    sigma : float

    Returns
    -------
    values : (B, N) array
        Rising; 2 in every direction at an isolated memory, 0 along a flat valley.

    Examples
    --------
    >>> score_curvatures(lambda x, sigma: -x / (1.0 + sigma**2), np.zeros((1, 2)), 1.0).round(6).tolist()
    [[1.0, 1.0]]
    """
    h = _STEP * checked_sigma(sigma)
    B, N = x.shape
    out = np.empty((B, N))
    for b in range(B):
        shifted = np.concatenate([x[b] + h * np.eye(N), x[b] - h * np.eye(N)])
        at = denoised(score, shifted, sigma)
        jacobian = (at[:N] - at[N:]) / (2.0 * h)  # row i: derivative in direction i
        out[b] = np.linalg.eigvalsh(2.0 * np.eye(N) - (jacobian + jacobian.T))
    return out


def log_survived_volume(found: Critical, N: int) -> Array:
    """Logarithm of the volume of the points from which the flow leads back, as far as trials saw it, (B,).

    Noise has all directions alike, and the volume of a star-shaped set is that of the unit ball times the mean of r^N
    over directions.  Along each trial's direction r is where the highest level survived ended, up to one level less
    than the truth; in many dimensions the mean is that of the best direction, and a lower bound in practice.

    Parameters
    ----------
    found : Critical
        With base = 0.
    N : int
        Dimension.

    Returns
    -------
    log_volume : (B,) array

    Examples
    --------
    >>> from numerics.diffusion.critical import critical_noise
    >>> back = lambda x, sigma: np.where(np.abs(x) < 1.0, 0.0, 9.0)
    >>> found = critical_noise([[0.0]], np.geomspace(0.01, 100, 2000), back, delta=0.1, trials=20)
    >>> bool(abs(np.exp(log_survived_volume(found, 1)[0]) - 2.0) < 0.02)
    True
    """
    with np.errstate(divide="ignore"):
        radius = N * np.log(found.reach)
    ball = 0.5 * N * math.log(math.pi) - float(gammaln(0.5 * N + 1.0))
    return np.asarray(ball - math.log(len(radius)) + logsumexp(radius, axis=0), dtype=np.float64)


def survival(found: Critical, N: int) -> dict[str, Measurement]:
    """Means over points of what noise does to them, with standard errors over the points.

    Parameters
    ----------
    found : Critical
        With base = 0.
    N : int
        Dimension.

    Returns
    -------
    dict of Measurement
        `critical_noise`, `t_c`, `radius`; `survived`, the fraction of points that are not lost at the lowest level, and
        `capped`, of trials that came back from the highest, beyond which nothing was tried; `log_volume`, of the points
        that ever came back, if any did.
    """
    out = {"critical_noise": mean(found.level), "t_c": mean(found.t_c), "radius": mean(found.radius)}
    out["survived"] = fraction(found.level > found.levels[0] * (1.0 + 1e-12))
    whole = np.round(found.recovered[-1] * found.trials)
    out["capped"] = fraction((np.arange(found.trials)[:, None] < whole).ravel())
    volume = log_survived_volume(found, N)
    if np.isfinite(volume).any():
        out["log_volume"] = mean(volume[np.isfinite(volume)])
    return out


def probe(
    score: Score,
    x: Array,
    sigma: float,
    *,
    delta: float,
    high: float,
    trials: int = 10,
    levels: int = 24,
    steps: int = 12,
    seed: int = 0,
) -> Probes:
    """Noise to `high` and back, and curvatures at sigma, of every point.

    Parameters
    ----------
    score : callable
    x : (B, N) array
    sigma : float
        Where flows end and curvatures are taken.
    delta : float
        Returned: within this distance.
    high : float
        Highest noise; the lowest is a quarter of sigma, below which a step of denoising does what the flow does.
    trials, levels, steps, seed : int

    Returns
    -------
    Probes

    Examples
    --------
    >>> from numerics.diffusion.flow import exact_score
    >>> from numerics.diffusion.memories import memories
    >>> at = np.array([[1.0, 0.0]])
    >>> found = probe(exact_score(memories([[-1.0, 0.0], [1.0, 0.0]])), at, 0.1, delta=0.1, high=5.0)
    >>> found.curvature.round(6).tolist()
    [[2.0, 2.0]]
    """
    rising = noise_levels(high, 0.25 * sigma, levels - 1)[::-1]
    back = flow_back(score, low=sigma, steps=steps)
    found = critical_noise(x, rising, back, delta=delta, trials=trials, seed=seed)
    return Probes(found, log_survived_volume(found, x.shape[1]), score_curvatures(score, x, sigma))
