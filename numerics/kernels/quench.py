"""Zero-temperature dynamics with maintained local fields, for dense couplings.

A rejected proposal costs O(1) and an accepted one O(N), the row of couplings added to the fields; recomputing
the field of every proposal costs O(N) each time.  Fields are integers whenever couplings are, so nothing
drifts.

Common arguments: `matrix` (N, N) holds (N J - parity) / 2, or N J if `parity` is None; `spins` (N,) int8 of +-1 and
`fields` (N,) of int32, int64 or float64 change in place; fields of at most `zero` in size are ties, in which a spin
turns to +1 (`plus`) or keeps its value.  All return (sweeps, flips), with sweeps = -1 if `max_sweeps` did not
suffice.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from numerics.kernels.compile import kernel
from numerics.kernels.philox import permutation
from numerics.kernels.rows import flip

__all__ = ["greedy", "quench", "synchronous"]

_CHUNK = 32  # proposals scanned at once; a chunk without an unstable spin is skipped


@kernel
def quench(
    matrix: Any,
    parity: Any,
    spins: Any,
    fields: Any,
    key: Any,
    zero: Any,
    shuffled: Any,
    plus: Any,
    max_sweeps: Any,
) -> Any:
    """Visit spins one at a time and flip those against their field, until a whole sweep flips none.

    Parameters
    ----------
    key : (3,) uint32 array
        Philox key of the visiting order; sweep n is lane n.
    shuffled : bool
        A fresh random permutation for every sweep, or 0, 1, ..., N-1.
    """
    N = spins.size
    order = np.arange(N).astype(np.int32)
    flips = 0
    for sweep in range(max_sweeps):
        if shuffled:
            permutation(key, sweep, order)
        before = flips
        for first in range(0, N, _CHUNK):
            last = min(N, first + _CHUNK)
            unstable = 0
            for k in range(first, last):
                s, h = spins[order[k]], fields[order[k]]
                unstable += (s * h < -zero) | (plus & (s < 0) & (h >= -zero))
            if unstable == 0:
                continue
            for k in range(first, last):
                i = order[k]
                s, h = spins[i], fields[i]
                if s * h < -zero or (plus and s < 0 and h >= -zero):
                    flips += 1
                    spins[i] = -s
                    flip(matrix, parity, i, -s, fields)
        if flips == before:
            return sweep + 1, flips
    return -1, flips


@kernel
def greedy(matrix: Any, parity: Any, spins: Any, fields: Any, zero: Any, plus: Any, max_sweeps: Any) -> Any:
    """Flip the unstable spin in the largest field, the first of them if there are several, until none is left.

    N flips count as a sweep.
    """
    N = spins.size
    flips = 0
    while True:
        found, largest = -1, zero
        for i in range(N):
            s, h = spins[i], fields[i]
            if s * h < -zero or (plus and s < 0 and h >= -zero):
                size = abs(h)
                if found < 0 or size > largest:
                    found, largest = i, size
        if found < 0:
            return max(1, -(-flips // N)), flips
        if flips == N * max_sweeps:
            return -1, flips
        flips += 1
        spins[found] = -spins[found]
        flip(matrix, parity, found, spins[found], fields)


@kernel
def synchronous(matrix: Any, parity: Any, spins: Any, fields: Any, zero: Any, plus: Any, max_sweeps: Any) -> Any:
    """Turn all spins to their fields at once, until none moves or the same ones move back.

    Returns
    -------
    (sweeps, flips, period)
        The period is 1 at a fixed point, 2 in a two-cycle.
    """
    N = spins.size
    turned = np.zeros(N, dtype=np.bool_)
    flips = 0
    for sweep in range(max_sweeps):
        moved, same = 0, True
        for i in range(N):
            s, h = spins[i], fields[i]
            turns = s * h < -zero or (plus and s < 0 and h >= -zero)
            same &= turns == turned[i]
            turned[i] = turns
            moved += turns
        flips += moved
        for i in range(N):
            if turned[i]:
                spins[i] = -spins[i]
                flip(matrix, parity, i, spins[i], fields)
        if moved == 0:
            return sweep + 1, flips, 1
        if same:
            return sweep + 1, flips, 2
    return -1, flips, 0
