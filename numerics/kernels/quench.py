"""Zero-temperature dynamics with maintained local fields, for dense couplings.

A rejected proposal costs O(1) and an accepted one O(N), the row of couplings added to the fields; recomputing
the field of every proposal costs O(N) each time.  Fields are integers whenever couplings are, so nothing
drifts.

Common arguments: `matrix` (N, N) holds (N J - parity) / 2 if it is int8, else N J; `spins` (N,) int8 of +-1 change in
place; `fields` (N,) of int32, int64 or float64 are those of `spins` on entry; fields of at most `zero` in size are
ties, in which a spin turns to +1 (`plus`) or keeps its value.  All return (sweeps, flips), with sweeps = -1 if
`max_sweeps` did not suffice.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from numerics.kernels.compile import kernel, merged
from numerics.kernels.philox import permutation
from numerics.kernels.rows import aligned, flip

__all__ = ["greedy", "quench", "synchronous"]

_CHUNK = 32  # proposals scanned at once


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
    ahead: Any,
) -> Any:
    """Visit spins one at a time and flip those against their field, until a whole sweep flips none.

    Parameters
    ----------
    key : (3,) uint32 array
        Philox key of the visiting order; sweep n is lane n.
    shuffled : bool
        A fresh random permutation for every sweep, or 0, 1, ..., N-1.
    ahead : int
        Proposals among which the next row is looked for, to be fetched in time; 0 if rows are in the cache anyway.
    """
    N = spins.size
    order = np.arange(N).astype(np.int32)
    state = spins.astype(fields.dtype)  # 32 bits, so that vectors of them can be gathered
    fields = aligned(fields)
    flips = 0
    for sweep in range(max_sweeps):
        if shuffled:
            permutation(key, sweep, order)
        before = flips
        k = _unstable(state, fields, order, 0, N, zero, plus)
        while k < N:
            i = order[k]
            flips += 1
            state[i] = -state[i]
            # The spin that flips next is probably the next unstable one: its row is fetched while this one is added.
            last = min(N, k + 1 + ahead)
            then = _unstable(state, fields, order, k + 1, last, zero, plus)
            upcoming = order[then] if then < last else i
            flip(matrix, parity, i, state[i], fields, upcoming)
            k = _unstable(state, fields, order, k + 1, N, zero, plus)
        if flips == before:
            spins[:] = state
            return sweep + 1, flips
    spins[:] = state
    return -1, flips


@merged
def _some(state: Any, fields: Any, order: Any, first: Any, zero: Any, plus: Any) -> Any:
    """Return whether a spin is unstable among _CHUNK places from `first` on, by vectors of gathered numbers."""
    # Unsigned indices cannot count from the end, and products are taken in the type of the fields, which numba would
    # widen: both would cost the vectors.
    kind = fields.dtype.type
    least = kind(-zero)
    count = np.int32(0)
    if plus:
        for q in range(np.uint64(first), np.uint64(first + _CHUNK)):
            i = np.uint32(order[q])
            s, h = state[i], fields[i]
            count = np.int32(count + np.int32((kind(s * h) < least) | ((s < 0) & (h >= least))))
    else:
        for q in range(np.uint64(first), np.uint64(first + _CHUNK)):
            i = np.uint32(order[q])
            count = np.int32(count + np.int32(kind(state[i] * fields[i]) < least))
    return count > 0


@merged
def _unstable(state: Any, fields: Any, order: Any, first: Any, last: Any, zero: Any, plus: Any) -> Any:
    """Return the first place k, first <= k < last, in the order whose spin is unstable; `last` if there is none."""
    k = first
    while k < last:
        # Chunk by chunk from the second on: a gather would wait for the fields that a flip has just written.
        end = min(last, (k // _CHUNK + 1) * _CHUNK)
        if k % _CHUNK or end - k < _CHUNK or _some(state, fields, order, k, zero, plus):
            while k < end:
                s, h = state[order[k]], fields[order[k]]
                if s * h < -zero or (plus and s < 0 and h >= -zero):
                    return k
                k += 1
        k = end
    return last


@kernel
def greedy(matrix: Any, parity: Any, spins: Any, fields: Any, zero: Any, plus: Any, max_sweeps: Any) -> Any:
    """Flip the unstable spin in the largest field, the first of them if there are several, until none is left.

    N flips count as a sweep.
    """
    N = spins.size
    fields = aligned(fields)
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
        flip(matrix, parity, found, spins[found], fields, found)


@kernel
def synchronous(matrix: Any, parity: Any, spins: Any, fields: Any, zero: Any, plus: Any, max_sweeps: Any) -> Any:
    """Turn all spins to their fields at once, until none moves or the same ones move back.

    Returns
    -------
    (sweeps, flips, period)
        The period is 1 at a fixed point, 2 in a two-cycle.
    """
    N = spins.size
    fields = aligned(fields)
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
                flip(matrix, parity, i, spins[i], fields, i)
        if moved == 0:
            return sweep + 1, flips, 1
        if same:
            return sweep + 1, flips, 2
    return -1, flips, 0
