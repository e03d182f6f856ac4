"""The slow backend, in plain NumPy and Python: every field is computed anew, every random word by the
definition.

It shares no kernel with the compiled backend and must follow the identical trajectory.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from numerics.couplings import Couplings, zero_field

__all__ = ["permutation", "philox", "quench"]


def philox(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return one block of Philox4x32-10 (Salmon et al., SC11 (2011), section 3.3).

    Examples
    --------
    >>> [hex(word) for word in philox((0, 0, 0, 0), (0, 0))]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    mask = 0xFFFFFFFF
    a, b, c, d = counter
    k, l = key
    for _ in range(10):
        low, high = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (high >> 32) ^ b ^ k, high & mask, (low >> 32) ^ d ^ l, low & mask
        k, l = (k + 0x9E3779B9) & mask, (l + 0xBB67AE85) & mask
    return a, b, c, d


def permutation(key: NDArray[np.uint32], lane: int, size: int) -> list[int]:
    """Return the visiting order of sweep `lane`: Fisher-Yates from the top, one word per exchange."""
    k0, k1, tag = (int(word) for word in key)
    order = list(range(size))
    drawn = [word for block in range(-(-size // 4)) for word in philox((block, 0, lane, tag), (k0, k1))]
    for last, word in zip(range(size - 1, 0, -1), drawn, strict=False):
        pick = (word * (last + 1)) >> 32
        order[last], order[pick] = order[pick], order[last]
    return order


def quench(
    couplings: Couplings,
    spins: NDArray[np.int8],
    key: NDArray[np.uint32],
    *,
    shuffled: bool,
    plus: bool,
    max_sweeps: int,
) -> tuple[NDArray[np.int8], int, int]:
    """See :class:`numerics.backends.Backend`."""
    exact = np.float64 if couplings.dtype == np.float64 else np.int64
    state = spins.astype(exact)
    zero = zero_field(couplings)
    flips = 0
    for sweep in range(max_sweeps):
        before = flips
        for i in permutation(key, sweep, state.size) if shuffled else range(state.size):
            field = couplings[i].astype(exact) @ state
            if field > zero or (plus and field >= -zero):
                wanted = 1
            elif field < -zero:
                wanted = -1
            else:
                wanted = int(state[i])
            if wanted != state[i]:
                state[i] = wanted
                flips += 1
        if flips == before:
            return state.astype(np.int8), sweep + 1, flips
    return state.astype(np.int8), -1, flips
