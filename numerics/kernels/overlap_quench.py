"""Zero-temperature dynamics in the overlap form, move for move that of :mod:`numerics.kernels.quench`.

`bits`, `patterns`, `P` and `overlaps` as in :mod:`numerics.kernels.overlap`; `spins` (N,) int8 of +-1 and `overlaps`
change in place; in zero field a spin turns to +1 (`plus`) or keeps its value.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from numerics.kernels import overlap
from numerics.kernels.compile import kernel
from numerics.kernels.philox import permutation

__all__ = ["greedy", "quench", "synchronous"]

_AHEAD = 4  # patterns are asked for this many proposals before they are needed

_ask, _field, _flip, _row, _total = overlap.ask, overlap.field, overlap.flip, overlap.row, overlap.total


@kernel
def quench(
    bits: Any, patterns: Any, P: Any, spins: Any, overlaps: Any, key: Any, shuffled: Any, plus: Any, max_sweeps: Any
) -> Any:
    """Visit spins one at a time and flip those against their field, until a whole sweep flips none."""
    N = spins.size
    order = np.arange(N).astype(np.int32)
    total = _total(P, overlaps)
    flips = 0
    for sweep in range(max_sweeps):
        if shuffled:
            permutation(key, sweep, order)
        before = flips
        for k in range(N):
            i = order[k]
            if k + _AHEAD < N:
                _ask(bits, patterns, order[k + _AHEAD])
            s = spins[i]
            h = _field(bits, patterns, P, i, s, overlaps, total)
            if s * h < 0 or (plus and s < 0 and h == 0):
                flips += 1
                spins[i] = -s
                total += _flip(bits, patterns, P, i, -s, overlaps)
        if flips == before:
            return sweep + 1, flips
    return -1, flips


@kernel
def greedy(bits: Any, patterns: Any, P: Any, spins: Any, overlaps: Any, plus: Any, max_sweeps: Any) -> Any:
    """Flip the unstable spin in the largest field, the first of them if there are several, until none is left."""
    N = spins.size
    fields = np.empty(N, dtype=np.int64)
    overlap.fields(bits, patterns, P, spins, overlaps, fields)
    couplings = np.empty(N, dtype=np.int64)
    flips = 0
    while True:
        found, largest = -1, np.int64(0)
        for i in range(N):
            s, h = spins[i], fields[i]
            if s * h < 0 or (plus and s < 0 and h == 0):
                size = abs(h)
                if found < 0 or size > largest:
                    found, largest = i, size
        if found < 0:
            return max(1, -(-flips // N)), flips
        if flips == N * max_sweeps:
            return -1, flips
        flips += 1
        spins[found] = -spins[found]
        # All fields are needed before the next flip: the row of N J is made for this one.
        _row(bits, patterns, P, found, couplings)
        step = np.int64(2 * spins[found])
        for j in range(N):
            fields[j] += step * couplings[j]


@kernel
def synchronous(bits: Any, patterns: Any, P: Any, spins: Any, overlaps: Any, plus: Any, max_sweeps: Any) -> Any:
    """Turn all spins to their fields at once, until none moves or the same ones move back."""
    N = spins.size
    turned = np.zeros(N, dtype=np.bool_)
    flips = 0
    for sweep in range(max_sweeps):
        total = _total(P, overlaps)
        moved, same = 0, True
        for i in range(N):
            s = spins[i]
            h = _field(bits, patterns, P, i, s, overlaps, total)
            turns = s * h < 0 or (plus and s < 0 and h == 0)
            same &= turns == turned[i]
            turned[i] = turns
            moved += turns
        flips += moved
        for i in range(N):
            if turned[i]:
                spins[i] = -spins[i]
                _flip(bits, patterns, P, i, spins[i], overlaps)
        if moved == 0:
            return sweep + 1, flips, 1
        if same:
            return sweep + 1, flips, 2
    return -1, flips, 0
