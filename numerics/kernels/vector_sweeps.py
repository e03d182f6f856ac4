r"""Sweeps of walkers of unit vectors over one set of couplings, at a temperature.

A sweep visits sites 0, 1, ..., N-1 for a heat bath, and as often again for each over-relaxation.  The law of one update
is that of :mod:`numerics.kernels.vector_laws`, the field that of :mod:`numerics.kernels.vector_fields`.

What a walker does is a function of its spins, its key and the number of the sweep alone, bit for bit: fields of dense
couplings are summed anew at each visit, and overlaps, which follow the spins, at the beginning of each sweep.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.extending import overload

from numerics.kernels.compile import kernel
from numerics.kernels.vector_fields import ScalarOverlap, TensorOverlap, field, moved
from numerics.kernels.vector_laws import draw, reflect

__all__ = ["energy", "gather", "sweeps"]


def gather(system: Any, spins: Any) -> None:
    """Sum the overlaps of `spins` (d, N) anew, if couplings have overlaps; for compiled callers only."""
    raise NotImplementedError("gather is called from kernels")


@overload(gather)
def _gather(system: Any, spins: Any) -> Any:
    kind: Any = getattr(system, "instance_class", None)
    return _GATHERED.get(kind, _nothing_to_gather)


def _tensor_gathered(system: Any, spins: Any) -> Any:
    overlaps = system.overlaps
    overlaps[:] = 0.0
    for i in range(spins.shape[1]):
        for a in range(spins.shape[0]):
            row, s = system.patterns[i, a], spins[a, i]
            for c in range(overlaps.size):
                overlaps[c] += row[c] * s


def _scalar_gathered(system: Any, spins: Any) -> Any:
    system.overlaps[:] = 0.0
    for i in range(spins.shape[1]):
        row = system.patterns[i]
        for a in range(spins.shape[0]):
            overlaps, s = system.overlaps[a], spins[a, i]
            for c in range(overlaps.size):
                overlaps[c] += row[c] * s


def _nothing_to_gather(system: Any, spins: Any) -> Any:
    pass


_GATHERED = {TensorOverlap: _tensor_gathered, ScalarOverlap: _scalar_gathered}


@kernel
def sweeps(system: Any, spins: Any, beta: Any, keys: Any, first_sweep: Any, count: Any, over_relaxations: Any) -> None:
    """Make `count` sweeps: `spins` (R, d, N) change in place.

    Walkers visit a site together, so that couplings which one of them has fetched serve the others.

    Parameters
    ----------
    system : tuple of arrays
        Of :mod:`numerics.kernels.vector_fields`; one with overlaps serves one walker.
    beta : (R,) float64 array
    keys : (R, 3) uint32 array
    """
    R, d, N = spins.shape
    kind = spins.dtype.type
    s, h, delta = np.empty(d, spins.dtype), np.empty(d, spins.dtype), np.empty(d, spins.dtype)
    wide, old, new = np.empty(d), np.empty(d), np.empty(d)
    for sweep in range(first_sweep, first_sweep + count):
        for r in range(R):
            gather(system, spins[r])
        for turn in range(over_relaxations + 1):
            for i in range(N):
                upcoming = i + 1 if i + 1 < N else 0
                for r in range(R):
                    for a in range(d):
                        s[a] = spins[r, a, i]
                    field(system, spins[r], s, i, upcoming if r == R - 1 else i, h)
                    for a in range(d):
                        wide[a], old[a] = h[a], s[a]
                    if turn == 0:
                        draw(wide, beta[r], keys[r, 0], keys[r, 1], keys[r, 2], sweep, i, new)
                    else:
                        reflect(wide, old, new)
                    for a in range(d):
                        after = kind(new[a])
                        delta[a] = after - s[a]
                        s[a] = after
                        spins[r, a, i] = after
                    moved(system, s, i, delta)


@kernel
def energy(system: Any, spins: Any) -> Any:
    """Return -(1/2) sum_i s_i . h_i of `spins` (d, N)."""
    d, N = spins.shape
    s, h, nothing = np.empty(d, spins.dtype), np.empty(d, spins.dtype), np.zeros(d, spins.dtype)
    gather(system, spins)
    total = 0.0
    for i in range(N):
        for a in range(d):
            s[a] = spins[a, i]
        field(system, spins, s, i, i + 1 if i + 1 < N else 0, h)
        for a in range(d):
            total += np.float64(h[a]) * np.float64(s[a])
        moved(system, s, i, nothing)  # a field may have taken the spin out of the overlaps
    return -0.5 * total
