"""Sweeps at a temperature by the definition: every field computed anew, every word and logarithm one by one.

It shares no kernel with the compiled backend and must follow the identical trajectory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.backends.literal import log_ratio, matrix, philox
from numerics.interactions import Interactions

__all__ = ["Walkers", "advance", "threshold", "walkers", "word"]


@dataclass(eq=False)
class Walkers:
    """States, and the couplings they feel as one explicit matrix."""

    matrix: NDArray[np.float64]
    normalisation: float
    integer: bool
    state: NDArray[np.int8]

    def spins(self) -> NDArray[np.int8]:
        """Return a copy of the spins, (R, N)."""
        return self.state.copy()

    def energies(self) -> NDArray[np.float64]:
        """Return energies per spin, (R,)."""
        spins = self.state.astype(np.float64)
        return np.asarray(
            -0.5 * np.einsum("ri,ij,rj->r", spins, self.matrix, spins) / (spins.shape[1] * self.normalisation)
        )


def walkers(interactions: Interactions, spins: NDArray[np.int8]) -> Walkers:
    """See :class:`numerics.backends.Backend`."""
    return Walkers(
        matrix(interactions).astype(np.float64),
        interactions.normalisation,
        interactions.whole,
        spins.astype(np.int8, copy=True),
    )


def advance(
    walkers: Walkers,
    *,
    algorithm: str,
    beta: NDArray[np.float64],
    keys: NDArray[np.uint32],
    first_sweep: int,
    sweeps: int,
    threads: int,
) -> NDArray[np.int64]:
    """See :class:`numerics.backends.Backend`; `threads` is of no use here."""
    accepted = np.zeros(len(walkers.state), dtype=np.int64)
    for r, spins in enumerate(walkers.state):
        unit = walkers.normalisation / (2.0 * float(beta[r])) if beta[r] > 0 else math.inf
        for sweep in range(first_sweep, first_sweep + sweeps):
            for i in range(spins.size):
                field = float(walkers.matrix[i] @ spins)
                bar = threshold(word(keys[r], sweep, i), unit, algorithm, walkers.integer)
                if algorithm == "heat-bath":
                    wanted = 1 if field > -bar else -1
                else:
                    wanted = -int(spins[i]) if spins[i] * field < bar else int(spins[i])
                accepted[r] += wanted != spins[i]
                spins[i] = wanted
    return accepted


def word(key: NDArray[np.uint32], sweep: int, site: int) -> int:
    """Return the random word of one site in one sweep."""
    return philox((site >> 2, 0, sweep, int(key[2])), (int(key[0]), int(key[1])))[site & 3]


def threshold(word: int, unit: float, algorithm: str, integer: bool) -> float:
    """Return what s_i H_i must stay below (Metropolis), or minus what H_i must exceed for +1 (heat bath)."""
    log = log_ratio(0xFFFFFFFF - word + 0.5 if algorithm == "heat-bath" else 2.0**32, word + 0.5)
    value = unit * log
    if not integer or not math.isfinite(value):
        return value
    bar = float(math.ceil(value))
    # A move that costs nothing is refused with probability 1/2 at most: see numerics.kernels.montecarlo.
    return 0.0 if algorithm == "metropolis" and bar == 1.0 and word >= 2**31 else bar
