"""The slow backend, in plain NumPy and Python: every field is computed anew, every random word by the
definition.

It shares no kernel with the compiled backend and must follow the identical trajectory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.interactions import Interactions

__all__ = ["matrix", "permutation", "philox", "quench"]


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


def matrix(interactions: Interactions) -> NDArray[Any]:
    """Return the stored couplings, a (N, N) int64 or float64 array with zero diagonal, of any representation."""
    if interactions.matrix is not None:
        if interactions.engine == "dense-float64":
            return interactions.matrix
        found = interactions.matrix.astype(np.int64)
        if interactions.engine == "dense-int8":
            found = 2 * found + interactions.parity
    else:
        patterns = interactions.patterns
        if interactions.bits is not None:
            octets = np.ascontiguousarray(interactions.bits).astype("<u8").view(np.uint8)
            patterns = 2 * np.unpackbits(octets, axis=1, count=interactions.P, bitorder="little").astype(np.int8) - 1
        assert patterns is not None
        found = patterns.astype(np.int64) @ patterns.T.astype(np.int64)
    np.fill_diagonal(found, 0)
    return found


def quench(
    interactions: Interactions,
    spins: NDArray[np.int8],
    keys: NDArray[np.uint32],
    *,
    order: str,
    tie: str,
    max_sweeps: int,
    threads: int,
) -> tuple[NDArray[np.int8], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """See :class:`numerics.backends.Backend`."""
    NJ = matrix(interactions)
    zero = interactions.zero
    runs = [
        _run(NJ, state, key, order, tie == "plus", zero, max_sweeps) for state, key in zip(spins, keys, strict=True)
    ]
    counts = np.array([run[1:] for run in runs], dtype=np.int64).reshape(len(runs), 3)
    final = np.array([run[0] for run in runs], dtype=np.int8).reshape(np.shape(spins))
    return final, counts[:, 0], counts[:, 1], counts[:, 2]


def _run(
    NJ: NDArray[Any], start: NDArray[np.int8], key: NDArray[np.uint32], order: str, plus: bool, zero: float, limit: int
) -> tuple[NDArray[Any], int, int, int]:
    state = start.astype(NJ.dtype)
    if order == "greedy":
        return _greedy(NJ, state, plus, zero, limit)
    if order == "synchronous":
        return _synchronous(NJ, state, plus, zero, limit)
    flips = 0
    for sweep in range(limit):
        before = flips
        for i in permutation(key, sweep, state.size) if order == "random" else range(state.size):
            wanted = _wanted(NJ[i] @ state, state[i], plus, zero)
            if wanted != state[i]:
                state[i] = wanted
                flips += 1
        if flips == before:
            return state, sweep + 1, flips, 1
    return state, -1, flips, 0


def _greedy(
    NJ: NDArray[Any], state: NDArray[Any], plus: bool, zero: float, limit: int
) -> tuple[NDArray[Any], int, int, int]:
    flips = 0
    while True:
        fields = NJ @ state
        unstable = [i for i, h in enumerate(fields) if _wanted(h, state[i], plus, zero) != state[i]]
        if not unstable:
            return state, max(1, -(-flips // state.size)), flips, 1
        if flips == limit * state.size:
            return state, -1, flips, 0
        chosen = max(unstable, key=lambda i: abs(fields[i]))  # the first of equals
        state[chosen] = -state[chosen]
        flips += 1


def _synchronous(
    NJ: NDArray[Any], state: NDArray[Any], plus: bool, zero: float, limit: int
) -> tuple[NDArray[Any], int, int, int]:
    flips = 0
    before = None
    for sweep in range(limit):
        fields = NJ @ state
        after = np.array([_wanted(h, s, plus, zero) for h, s in zip(fields, state, strict=True)], dtype=state.dtype)
        flips += int((after != state).sum())
        if (after == state).all():
            return after, sweep + 1, flips, 1
        if before is not None and (after == before).all():
            return after, sweep + 1, flips, 2
        before, state = state, after
    return state, -1, flips, 0


def _wanted(field: Any, spin: Any, plus: bool, zero: float) -> int:
    if field > zero or (plus and field >= -zero):
        return 1
    return -1 if field < -zero else int(spin)
