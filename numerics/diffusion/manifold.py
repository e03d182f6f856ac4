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
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from numerics.diffusion.levels import above_zero, random
from numerics.estimate import Measurement, mean
from theory.diffusion.constants import Activation, activation, gaussian_constants
from theory.errors import whole_number

__all__ = ["WeakPattern", "tilted_overlap", "weak_pattern"]

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
    N, samples = whole_number("N", N, 2, 20_000), whole_number("samples", samples, 2, 100_000)
    steps = whole_number("steps", steps, 3, 10**7)
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
        y = made(_fields(F, z1[:, None])[:, 0]) / scale
        z = z1 if planted else other
        values[start : start + size] = _tilted(F, lambda h: made(h) / scale, y, z, lam, steps, generator)
    return mean(values)


class WeakPattern(NamedTuple):
    """Averages of a pattern that is tilted towards being lost.

    Attributes
    ----------
    norm : Measurement
        ``|z_1|^2/D``.
    overlap : Measurement
        ``z.z_1/D`` with another pattern.
    gap : Measurement
        ``xi.xi_1/N - |xi_1|^2/N``.
    """

    norm: Measurement
    overlap: Measurement
    gap: Measurement


def weak_pattern(
    N: int,
    *,
    gamma: float,
    lam: float,
    tilt: int = 1,
    act: str | Activation | Callable[[Array], Any] = "tanh",
    samples: int = 64,
    steps: int = 3000,
    seed: int = 0,
) -> WeakPattern:
    """A pattern and `tilt` others under the law ``exp(lambda sum_b xi_b.xi_1 - tilt lambda |xi_1|^2)``, given F.

    This is z_1 under the weight ``exp(s N [zeta(lambda; z_1) - lambda rho(z_1)])`` for a whole number s, at finite N.

    Parameters
    ----------
    N, gamma, lam, act, samples, steps, seed
        As for `tilted_overlap`.
    tilt : int
        s, from 1 to 20.

    Raises
    ------
    InvalidInput
        For numbers out of range or an unknown activation.

    Examples
    --------
    >>> weak = weak_pattern(40, gamma=1.0, lam=0.3, act="linear", samples=8, steps=150)
    >>> 0.5 < weak.norm.value < 1.0  # lost patterns are short
    True
    """
    N, samples = whole_number("N", N, 2, 20_000), whole_number("samples", samples, 2, 100_000)
    steps = whole_number("steps", steps, 3, 10**7)
    s = whole_number("tilt", tilt, 1, 20)
    D = max(1, round(above_zero("gamma", gamma) * N))
    lam = above_zero("lambda", lam)
    made = activation(act)
    scale = math.sqrt(gaussian_constants(made, t=0.5, sigma2=1.0).second_moment)
    block = max(1, 4_000_000 // (N * max(D, s)))
    found = []
    for start in range(0, samples, block):
        size = min(block, samples - start)
        generator = random(seed, "weak", N, D, s, str(lam), made.name, start)
        F = generator.normal(size=(size, N, D)) / math.sqrt(D)
        z = generator.normal(size=(size, 1 + s, D))

        def gap(h: Array, rows: Any) -> Array:
            xi = made(h) / scale
            return np.asarray((xi[:, 0] * (xi[:, 1:].sum(axis=1) - s * xi[:, 0])).sum(axis=1))

        def observed(z: Array, gap: Array) -> Array:
            one = z[:, 0]
            overlap = (z[:, 1:].sum(axis=1) * one).sum(axis=1) / (s * D)
            return np.stack([(one * one).sum(axis=1) / D, overlap, gap / (s * N)], axis=1)

        found.append(_sliced(F, z, gap, observed, lam, steps, generator))
    values = np.concatenate(found)
    return WeakPattern(*(mean(values[:, k]) for k in range(3)))


def _fields(F: Array, z: Array) -> Array:
    """Latent fields of several latent vectors: F (size, N, D), z (size, k, D), to (size, k, N)."""
    return np.asarray(np.matmul(z, F.transpose(0, 2, 1)))


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
    N = F.shape[1]
    overlap = lambda h, rows: (act(h[:, 0]) * y[rows]).sum(axis=1)
    return _sliced(F, z[:, None], overlap, lambda z, overlap: overlap[:, None] / N, lam, steps, generator)[:, 0]


def _sliced(
    F: Array,
    z: Array,
    energy: Callable[[Array, Any], Array],
    observed: Callable[[Array, Array], Array],
    lam: float,
    steps: int,
    generator: np.random.Generator,
) -> Array:
    """Time averages of what is observed under ``exp(lam energy(F z))`` times the normal law of z.

    Parameters
    ----------
    F : (size, N, D) array
    z : (size, k, D) array
    energy : callable
        Fields (live, k, N) and the rows of the samples they are of, to (live,).
    observed : callable
        z and energies (size,), to (size, m).
    """
    size = len(F)
    h = _fields(F, z)
    value = energy(h, np.arange(size))
    total, counted = np.zeros_like(observed(z, value)), 0
    for step in range(steps):
        nu = generator.normal(size=z.shape)
        k = _fields(F, nu)
        threshold = lam * value - generator.exponential(size=size)
        angle: Array = np.asarray(generator.uniform(0.0, 2.0 * math.pi, size))
        low, high = angle - 2.0 * math.pi, angle.copy()
        live = np.arange(size)
        taken = np.zeros(size)
        while live.size:
            c, s = np.cos(angle[live])[:, None, None], np.sin(angle[live])[:, None, None]
            new = energy(h[live] * c + k[live] * s, live)
            inside = lam * new > threshold[live]
            value[live[inside]], taken[live[inside]] = new[inside], angle[live[inside]]
            live = live[~inside]
            below = angle[live] < 0.0
            low[live[below]], high[live[~below]] = angle[live[below]], angle[live[~below]]
            angle[live] = generator.uniform(low[live], high[live])
        c, s = np.cos(taken)[:, None, None], np.sin(taken)[:, None, None]
        z, h = z * c + nu * s, h * c + k * s
        if step % 50 == 49:
            h = _fields(F, z)  # rounding does not add up
        if 3 * step >= steps:
            total, counted = total + observed(z, value), counted + 1
    return np.asarray(total / counted)
