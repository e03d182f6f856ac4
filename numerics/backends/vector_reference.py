r"""Vector spins at a temperature, slowly: couplings written out, every field summed anew, laws by the book.

It shares no kernel with the compiled backend and follows the same trajectory within rounding: double precision loses
about 1e-16 (1 + kappa) of the angles here (kappa = |h|/T), where sums of small numbers are not written apart.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.backends.literal import log_ratio, philox
from numerics.backends.literal_vectors import literal_couplings
from numerics.vector_interactions import VectorInteractions

__all__ = ["VectorWalkers", "law", "vector_advance", "vector_walkers"]

Floats = NDArray[np.float64]


@dataclass(eq=False)
class VectorWalkers:
    """R states and the couplings between all components.

    Attributes
    ----------
    couplings : (N, d, N, d) float64 array
    state : (R, N, d) float64 array
    """

    couplings: Floats
    state: Floats

    def spins(self) -> Floats:
        """Return a copy of the states."""
        return self.state.copy()

    def energies(self, threads: int = 1) -> Floats:
        """Return energies per spin, (R,)."""
        N = self.state.shape[1]
        return np.array([-0.5 * np.einsum("ia,iajb,jb", s, self.couplings, s, optimize=True) / N for s in self.state])


def vector_walkers(interactions: VectorInteractions, spins: Floats) -> VectorWalkers:
    """Return walkers at the (R, N, d) unit vectors `spins`.

    Raises
    ------
    InvalidInput
        If the couplings written out would take more than 2 GB.
    """
    return VectorWalkers(literal_couplings(interactions) * interactions.scale, spins.astype(np.float64))


def vector_advance(
    walkers: VectorWalkers,
    *,
    beta: Floats,
    keys: NDArray[np.uint32],
    first_sweep: int,
    sweeps: int,
    over_relaxations: int,
    threads: int,
) -> None:
    """Make sweeps from number `first_sweep` on, in place, walker r at inverse temperature beta[r]."""
    N = walkers.state.shape[1]
    for r, s in enumerate(walkers.state):
        for sweep in range(first_sweep, first_sweep + sweeps):
            for i in range(N):
                s[i] = law(np.einsum("ajb,jb->a", walkers.couplings[i], s), float(beta[r]), keys[r], sweep, i)
            for i in list(range(N)) * over_relaxations:
                h = np.einsum("ajb,jb->a", walkers.couplings[i], s)
                e = h / math.sqrt(h @ h) if h @ h > 0 else s[i]
                s[i] = 2.0 * (e @ s[i]) * e - s[i]
                s[i] /= math.sqrt(s[i] @ s[i])


def law(h: Floats, beta: float, key: NDArray[np.uint32], sweep: int, site: int) -> Floats:
    """Return the heat bath's draw in the field `h` (d,), from the words that belong to it."""
    k0, k1, tag = (int(word) for word in key)
    d = h.size

    def block(number: int) -> tuple[int, int, int, int]:
        return philox((site, number, sweep, tag), (k0, k1))

    if d == 1:
        word = philox((site >> 2, 0, sweep, tag), (k0, k1))[site & 3]
        odds = log_ratio((0xFFFFFFFF - word) + 0.5, word + 0.5)
        return np.array([1.0 if h[0] > -odds / (2.0 * beta) else -1.0])
    size = math.sqrt(h @ h)
    kappa = beta * size
    e = h / size if size > 0 else np.eye(d)[0]
    if d == 3:
        return _three(kappa, e, block(2))
    m = d - 1
    b = (
        (math.sqrt(4.0 * kappa**2 + m**2) - 2.0 * kappa) / m
        if kappa < m
        else m / (2.0 * kappa + math.sqrt(4.0 * kappa**2 + m**2))
    )
    x0 = (1.0 - b) / (1.0 + b)
    c = kappa * x0 + m * math.log(1.0 - x0**2)
    attempt = 2
    while True:
        words = block(attempt)
        y, angle, u = _proposal(d, words)
        Z = (1.0 - y) / 2.0
        W = (1.0 - (1.0 + b) * Z) / (1.0 - (1.0 - b) * Z)
        if kappa * W + m * math.log(1.0 - x0 * W) - c >= math.log(u):
            break
        attempt += 1
    across = math.sqrt(1.0 - W**2)
    if d == 2:
        return W * e + math.copysign(across, math.sin(angle)) * np.array([-e[1], e[0]])
    gaussians: list[float] = []
    for number in range(-(-m // 4)):
        w = block(2**31 + number)
        for first, second in ((w[0], w[1]), (w[2], w[3])):
            radius, turn = math.sqrt(-2.0 * math.log((first + 0.5) / 2**32)), 2.0 * math.pi * (second + 0.5) / 2**32
            gaussians += [radius * math.cos(turn), radius * math.sin(turn)]
    t = np.array(gaussians[:m])
    point = np.concatenate([[W], across * t / math.sqrt(t @ t)])
    sign = math.copysign(1.0, e[0]) if size > 0 else 1.0
    axis = e + sign * np.eye(d)[0]
    if size == 0:
        return point
    return np.asarray(sign * (2.0 * (axis @ point) / (axis @ axis) * axis - point))


def _uniform(high: int, low: int) -> float:
    """The first 52 of 64 bits, and a half."""
    return (((high << 32 | low) >> 12) + 0.5) / 2**52


def _proposal(d: int, words: tuple[int, int, int, int]) -> tuple[float, float, float]:
    """Return a coordinate of a uniform point on the sphere, its angle at d = 2, and the number that accepts."""
    if d == 2:
        angle = 2.0 * math.pi * _uniform(words[0], words[1])
        return math.cos(angle), angle, _uniform(words[2], words[3])
    radius = math.sqrt(1.0 - _uniform(words[0], words[1]) ** (2.0 / (d - 2)))
    return radius * math.cos(2.0 * math.pi * (words[2] + 0.5) / 2**32), 0.0, (words[3] + 0.5) / 2**32


def _three(kappa: float, e: Floats, words: tuple[int, int, int, int]) -> Floats:
    v, angle = _uniform(words[0], words[1]), 2.0 * math.pi * _uniform(words[2], words[3])
    x = 1.0 - 2.0 * v if kappa == 0.0 else 1.0 + math.log1p(v * math.expm1(-2.0 * kappa)) / kappa
    sign = math.copysign(1.0, e[2])
    # The rotation about an axis across that takes the third axis to +-e.
    first = np.array([1.0 - e[0] ** 2 / (1.0 + abs(e[2])), -sign * e[0] * e[1] / (sign + e[2]), -sign * e[0]])
    first[1] = sign * (-e[0] * e[1] / (sign + e[2]))
    second = np.array([-e[0] * e[1] / (sign + e[2]), sign - e[1] ** 2 / (sign + e[2]), -e[1]])
    across = math.sqrt(max(0.0, 1.0 - x**2))
    return x * e + across * (math.cos(angle) * first + math.sin(angle) * second)
