"""The slow backend, in plain NumPy and Python: every field is computed anew, every random word by the
definition.

It shares no kernel with the compiled backend and must follow the identical trajectory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.backends.literal import matrix, philox
from numerics.backends.reference_sweeps import Walkers, advance, walkers
from numerics.interactions import Interactions

__all__ = ["Walkers", "advance", "matrix", "permutation", "philox", "quench", "walkers"]


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
