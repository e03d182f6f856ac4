"""Exact laws of the Monte Carlo moves of small systems, from the very functions that accept and not from a formula.

The words that accept a move are the first or the last of all 2^32, so their number is found by bisection, and their
share is the probability of the move.  From it follow transition matrices, and the exact law of walkers after any
number of sweeps: what kernels are tested against.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from numerics import exact
from numerics.kernels import montecarlo as kernels
from numerics.tempering import exchanged

__all__ = ["flip_probability", "share", "site_probabilities", "swap_probabilities", "swept"]

Floats = NDArray[np.float64]


def share(accepts: Callable[[int], bool]) -> float:
    """Return the fraction of words that are accepted, exactly."""
    low, high = accepts(0), accepts(2**32 - 1)
    if low == high:
        # Neither a proper start nor a proper end of all words: none, or all of them.
        assert all(accepts(word) == low for word in (1, 2**31, 2**32 - 2))
        return float(low)
    few, many = 0, 2**32 - 1
    while many - few > 1:
        middle = (few + many) // 2
        if accepts(middle) == low:
            few = middle
        else:
            many = middle
    return many / 2**32 if low else (2**32 - many) / 2**32


def flip_probability(spin: int, x: float, unit: float, heat_bath: bool, largest: float) -> float:
    """Return the probability that the kernel's thresholds let a spin with s H = x flip."""
    spins = np.array([[spin]], dtype=np.int8)
    out = np.empty(1, dtype=np.int32 if largest else np.float64)
    words = np.empty(1, dtype=np.uint32)

    def accepts(word: int) -> bool:
        words[0] = word
        kernels._thresholds(spins, 0, words, 0, 0, 1, unit, largest, heat_bath, out)
        return bool(x < out[0])

    return share(accepts)


def site_probabilities(NJ: NDArray[np.int64], temperature: float, algorithm: str) -> Floats:
    """Return the probability to flip, (2^N, N), of each site in each configuration (of integer couplings)."""
    spins = exact.configurations(len(NJ))
    x = spins * (spins @ NJ)
    unit = len(NJ) / (2.0 / temperature)
    found = np.empty(x.shape)
    for spin in (-1, 1):
        for value in np.unique(x[spins == spin]):
            chosen = (spins == spin) & (x == value)
            found[chosen] = flip_probability(spin, value, unit, algorithm == "heat-bath", 2.0**31 - 2.0)
    return found


def swept(law: Floats, flips: Floats) -> Floats:
    """Return the law after one sweep; `law` (..., 2^N)."""
    for site in range(flips.shape[1]):
        moved = law * flips[:, site]
        law = law - moved + moved[..., np.arange(flips.shape[0]) ^ (1 << site)]
    return law


def swap_probabilities(cold: float, hot: float, energies: Floats) -> Floats:
    """Return the probability, (2^N, 2^N), that configurations a (cold) and b (hot) are exchanged."""
    beta = np.array([1.0 / cold, 1.0 / hot])
    pair = np.empty(2)

    def accepts(word: int) -> bool:
        return bool(exchanged(beta, pair, np.array([word], dtype=np.uint32))[0][0])

    found = np.empty((energies.size, energies.size))
    known: dict[float, float] = {}
    for a, E in enumerate(energies):
        for b, F in enumerate(energies):
            if E - F not in known:
                pair[:] = E, F
                known[E - F] = share(accepts)
            found[a, b] = known[E - F]
    return found
