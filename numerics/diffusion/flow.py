r"""Samplers that take any score: the reverse stochastic equation and the probability flow.

Variance exploding: ``x_sigma = x_0 + sigma z`` and ``score(x, sigma) = grad log p_sigma``.  With the denoised estimate
``D = x + sigma^2 score`` (for the exact empirical score the softmax mean),

    probability flow    dx/dsigma = (x - D)/sigma,
    reverse step        x' = D + (s'^2/s^2)(x - D) + sqrt(s'^2 (s^2 - s'^2))/s z.

The step of the flow (Heun) and the reverse step are exact where D does not change over the step.  Variance preserving
(Ornstein-Uhlenbeck, ``y_t = e^-t x_0 + sqrt(1 - e^-2t) z``) is the same law in other units: ``y_t = e^-t x_sigma`` with
``sigma^2 = e^2t - 1``.

Sources: Song and others, ICLR 2021 (arXiv:2011.13456); Karras and others, NeurIPS 2022 (arXiv:2206.00364), Algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.diffusion.energy import scores
from numerics.diffusion.memories import Memories, checked_sigma
from numerics.rng import gaussians, stream
from theory.errors import InvalidInput

__all__ = [
    "Score",
    "denoised",
    "exact_score",
    "noise_levels",
    "probability_flow",
    "reverse_sde",
    "vp_score",
    "vp_sigma",
]

Array = NDArray[np.float64]
Score = Callable[[Array, float], Array]
"""``score(x, sigma)`` at points (B, N) and one noise level: exact, or learnt."""


def exact_score(known: Memories) -> Score:
    """Score of the empirical law of the memories."""
    return lambda x, sigma: scores(known, x, sigma)


def denoised(score: Score, x: Array, sigma: float) -> Array:
    """Estimate of the clean point, x + sigma^2 score."""
    return np.asarray(x + sigma**2 * score(x, sigma), dtype=np.float64)


def noise_levels(high: float, low: float, steps: int) -> Array:
    """Geometric sequence of noise levels from high to low, (steps + 1,).

    Examples
    --------
    >>> noise_levels(8.0, 1.0, 3).round(6).tolist()
    [8.0, 4.0, 2.0, 1.0]
    """
    top, bottom = checked_sigma(high), checked_sigma(low)
    if not bottom < top or isinstance(steps, bool) or steps < 1:
        raise InvalidInput(f"levels from {high} to {low} in {steps} steps are none; give high > low and steps >= 1.")
    return np.asarray(np.geomspace(top, bottom, int(steps) + 1), dtype=np.float64)


def _levels(levels: Sequence[float] | Array) -> list[float]:
    values = [float(v) for v in levels]
    falling = all(a > b > 0.0 for a, b in pairwise(values))
    if len(values) < 2 or not falling or not math.isfinite(values[0]):
        raise InvalidInput("noise levels must fall and be positive, two at least; make them with noise_levels.")
    return values


def probability_flow(score: Score, x: ArrayLike, levels: Sequence[float] | Array) -> Array:
    """Follow the deterministic flow through falling noise levels, by Heun's method; the last level is not left.

    Parameters
    ----------
    score : callable
    x : (B, N) array
        At the first level.
    levels : sequence of float

    Returns
    -------
    x : (B, N) array
        At the last level.
    """
    values = _levels(levels)
    at = np.array(x, dtype=np.float64)
    for s, t in pairwise(values):
        slope = (at - denoised(score, at, s)) / s
        guess = at + (t - s) * slope
        at = at + (t - s) * 0.5 * (slope + (guess - denoised(score, guess, t)) / t)
    return at


def reverse_sde(
    score: Score, x: ArrayLike, levels: Sequence[float] | Array, *, seed: int = 0, name: str = "reverse"
) -> Array:
    """Follow the reverse stochastic equation through falling noise levels, with named noise.

    Parameters
    ----------
    score : callable
    x : (B, N) array
        At the first level.
    levels : sequence of float
    seed : int
    name : str
        The noise of step k is that of (name, seed, k); row b of it belongs to point b.

    Returns
    -------
    x : (B, N) array
        At the last level.
    """
    values = _levels(levels)
    at = np.array(x, dtype=np.float64)
    for k, (s, t) in enumerate(pairwise(values)):
        clean = denoised(score, at, s)
        noise = gaussians(stream(name, int(seed), k), rows=at.shape[0], columns=at.shape[1])
        at = clean + (t / s) ** 2 * (at - clean) + t * math.sqrt(1.0 - (t / s) ** 2) * noise
    return at


def vp_sigma(t: float) -> float:
    """Noise level sigma = sqrt(e^2t - 1) of the time t of the Ornstein-Uhlenbeck process.

    Examples
    --------
    >>> round(vp_sigma(0.5 * math.log(2.0)), 12)
    1.0
    """
    if isinstance(t, bool) or not isinstance(t, (int, float, np.floating)) or not 0.0 < t < 300.0:
        raise InvalidInput(f"t = {t} is not allowed; give a diffusion time with 0 < t < 300.")
    return math.sqrt(math.expm1(2.0 * t))


def vp_score(score: Score) -> Score:
    """Score of the variance-preserving law at (y, t), from that of the variance-exploding one."""
    return lambda y, t: math.exp(t) * np.asarray(score(math.exp(t) * y, vp_sigma(t)), dtype=np.float64)
