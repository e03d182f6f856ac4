"""Zero-temperature asynchronous dynamics with maintained local fields.

A rejected proposal costs O(1) and an accepted one O(N), the row of couplings added to the fields; recomputing
the field of every proposal costs O(N) each time.  Fields are integers whenever couplings are, so nothing
drifts.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from numerics.kernels.compile import inlined, kernel
from numerics.kernels.philox import permutation

__all__ = ["quench"]

_CHUNK = 32  # proposals scanned at once; a chunk without an unstable spin is skipped


@inlined
def _raise(fields: Any, row: Any) -> None:
    # The sum is taken in the type of the fields: numba would widen int32 + int32 to int64 and halve the
    # speed.
    kind = fields.dtype.type
    for j in range(fields.size):
        step = kind(row[j])
        fields[j] = kind(fields[j] + kind(step + step))


@inlined
def _lower(fields: Any, row: Any) -> None:
    kind = fields.dtype.type
    for j in range(fields.size):
        step = kind(row[j])
        fields[j] = kind(fields[j] - kind(step + step))


@kernel
def quench(
    couplings: Any, spins: Any, fields: Any, key: Any, zero: Any, shuffled: Any, plus: Any, max_sweeps: Any
) -> Any:
    """Flip spins against their field until a whole sweep flips none; `spins` and `fields` change in place.

    Parameters
    ----------
    couplings : (N, N) int16, int32 or float64 array, symmetric, zero diagonal
    spins : (N,) array of +-1, same dtype as `fields`
    fields : (N,) int32, int64 or float64 array, couplings @ spins on entry
    key : (3,) uint32 array
        Philox key of the visiting order; sweep n is lane n.
    zero : scalar, dtype of `fields`
        Fields of at most this size are ties: 0 for integers, a rounding bound for floating point.
    shuffled : bool
        A fresh random permutation for every sweep, or 0, 1, ..., N-1.
    plus : bool
        A spin in zero field (a tie) turns to +1; otherwise it keeps its value.
    max_sweeps : int

    Returns
    -------
    (sweeps, flips) : tuple of int
        `sweeps` counts the last one, without flips; it is -1 if `max_sweeps` did not suffice.
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
                    if s < 0:
                        _raise(fields, couplings[i])
                    else:
                        _lower(fields, couplings[i])
        if flips == before:
            return sweep + 1, flips
    return -1, flips
