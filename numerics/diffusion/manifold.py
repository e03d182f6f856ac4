r"""Patterns on a hidden manifold, sampled: the overlap with a planted pattern under ``exp(lambda xi.xi_1)``.

With ``xi(z) = act(F z/sqrt(D))`` the average of ``xi.xi_1/N`` over the law tilted by ``exp(lambda xi(z).xi_1)`` is the
derivative of ``zeta_N(lambda) = (1/N) log E_z exp(lambda xi(z).xi_1)`` at finite N, exactly; no thermodynamic
integration and no rare events are needed.  The law is sampled by elliptical slices, which need no tuning: along the
ellipse ``z cos(theta) + nu sin(theta)`` the latent fields are known from two products with F.

References
----------
I. Murray, R. P. Adams, D. J. C. MacKay, AISTATS, JMLR W&CP 9, 541 (2010).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.diffusion.levels import above_zero, random, whole
from numerics.estimate import Measurement, mean
from theory.diffusion.constants import Activation, activation, gaussian_constants

__all__ = ["tilted_overlap"]

Array = NDArray[np.float64]


def tilted_overlap(
    N: int,
    *,
    gamma: float,
    lam: float,
    act: str | Activation | Callable[[Array], Any] = "tanh",
    samples: int = 64,
    steps: int = 3000,
    planted: bool = False,
    seed: int = 0,
) -> Measurement:
    """Mean overlap with the planted pattern under the law tilted by lambda.

    Parameters
    ----------
    N : int
        Components of a pattern; ``D = round(gamma N)``.
    gamma, lam : float
    act : str, Activation or callable
        Normalised here to unit second moment.
    samples : int
        Independent features F and planted z_1.
    steps : int
        Slices per sample; the first third is left out.
    planted : bool
        Whether chains start at the planted z_1 instead of an independent one: the two bracket the equilibrium.
    seed : int

    Returns
    -------
    Measurement
        Its error is over samples.

    Raises
    ------
    InvalidInput
        For numbers out of range or an unknown activation.

    Examples
    --------
    >>> found = tilted_overlap(40, gamma=1.0, lam=0.2, act="linear", samples=8, steps=150)
    >>> abs(found.value - 0.4) < 0.2  # lambda (1 + 1/gamma) for N -> infinity
    True
    """
    N, samples, steps = whole("N", N, 2, 20_000), whole("samples", samples, 2, 100_000), whole("steps", steps, 3, 10**7)
    D = max(1, round(above_zero("gamma", gamma) * N))
    lam = above_zero("lambda", lam)
    made = activation(act)
    scale = math.sqrt(gaussian_constants(made, t=0.5, sigma2=1.0).second_moment)
    values = np.empty(samples)
    block = max(1, 4_000_000 // (N * D))
    for start in range(0, samples, block):
        size = min(block, samples - start)
        generator = random(seed, "manifold", N, D, str(lam), made.name, start)
        F = generator.normal(size=(size, N, D)) / math.sqrt(D)
        z1, other = generator.normal(size=(2, size, D))
        y = made(_fields(F, z1)) / scale
        z = z1 if planted else other
        values[start : start + size] = _tilted(F, lambda h: made(h) / scale, y, z, lam, steps, generator)
    return mean(values)


def _fields(F: Array, z: Array) -> Array:
    return np.asarray(np.matmul(F, z[:, :, None])[:, :, 0])


def _tilted(
    F: Array,
    act: Callable[[Array], Array],
    y: Array,
    z: Array,
    lam: float,
    steps: int,
    generator: np.random.Generator,
) -> Array:
    """Time averages of the overlap of all samples of a block."""
    size, N, D = F.shape
    h = _fields(F, z)
    overlap: Array = (act(h) * y).sum(axis=1)
    total: Array = np.zeros(size)
    counted = 0
    for step in range(steps):
        nu = generator.normal(size=(size, D))
        k = _fields(F, nu)
        threshold = lam * overlap - generator.exponential(size=size)
        angle: Array = np.asarray(generator.uniform(0.0, 2.0 * math.pi, size))
        low, high = angle - 2.0 * math.pi, angle.copy()
        live = np.arange(size)
        taken = np.zeros(size)
        while live.size:
            c, s = np.cos(angle[live])[:, None], np.sin(angle[live])[:, None]
            new = (act(h[live] * c + k[live] * s) * y[live]).sum(axis=1)
            inside = lam * new > threshold[live]
            overlap[live[inside]], taken[live[inside]] = new[inside], angle[live[inside]]
            live = live[~inside]
            below = angle[live] < 0.0
            low[live[below]], high[live[~below]] = angle[live[below]], angle[live[~below]]
            angle[live] = generator.uniform(low[live], high[live])
        c, s = np.cos(taken)[:, None], np.sin(taken)[:, None]
        z, h = z * c + nu * s, h * c + k * s
        if step % 50 == 49:
            h = _fields(F, z)  # rounding does not add up
        if 3 * step >= steps:
            total, counted = total + overlap, counted + 1
    return np.asarray(total / (N * counted))
