"""Sweeps at a temperature on the processor: walkers in threads, each with its fields (or overlaps) kept up to date."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.interactions import Interactions
from numerics.kernels import montecarlo as kernels

__all__ = ["Walkers", "advance", "anneal", "walkers"]

_TOGETHER = 2**20  # bytes of fields of walkers that advance together


@dataclass(eq=False)
class Walkers:
    """States with maintained fields.

    Attributes
    ----------
    interactions : Interactions
    state : (R, M) int8 array
        For dense engines padded with zeros to whole stretches of sites.
    fields : (R, M) array
        Or overlaps, for the overlap engines.
    totals : (R,) float64 array
        sum_i s_i H_i of each walker.
    pools : dict
        Threads that wait for the next call, by their number.
    """

    interactions: Interactions
    state: NDArray[np.int8]
    fields: NDArray[Any]
    totals: NDArray[np.float64]
    pools: dict[int, ThreadPoolExecutor] = field(default_factory=dict)

    def spins(self) -> NDArray[np.int8]:
        """Return a copy of the spins, (R, N)."""
        return self.state[:, : self.interactions.N].copy()

    def energies(self) -> NDArray[np.float64]:
        """Return energies per spin, (R,)."""
        return _per_spin(self.interactions, self.totals)


def walkers(interactions: Interactions, spins: NDArray[np.int8]) -> Walkers:
    """See :class:`numerics.backends.Backend`."""
    J = interactions
    R, N = spins.shape
    if J.matrix is None:
        assert J.P is not None
        overlaps = np.stack([J.overlaps(row) for row in spins])
        totals = (overlaps[:, : J.P].astype(np.float64) ** 2).sum(axis=1) - float(N) * J.P
        return Walkers(J, spins.copy(), overlaps, totals)
    state, fields = _aligned(R, N, np.dtype(np.int8)), _aligned(R, N, J.field_dtype)
    for r, row in enumerate(spins):
        state[r, :N], fields[r, :N] = row, J.fields(row)
    return Walkers(J, state, fields, np.einsum("ri,ri->r", state, fields, dtype=np.float64))


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
    """See :class:`numerics.backends.Backend`."""
    accepted, _ = anneal(
        walkers,
        algorithm=algorithm,
        betas=beta[None],
        keys=keys,
        first_sweep=first_sweep,
        each=sweeps,
        threads=threads,
    )
    return np.asarray(accepted[0])


def anneal(
    walkers: Walkers,
    *,
    algorithm: str,
    betas: NDArray[np.float64],
    keys: NDArray[np.uint32],
    first_sweep: int,
    each: int,
    threads: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Make `each` sweeps at every row of `betas` (n, R): n calls of :func:`advance` at the cost of one.

    Returns
    -------
    accepted : (n, R) int64 array
    energies : (n, R) float64 array
        Per spin, at the end of every row.
    """
    J = walkers.interactions
    n, R = betas.shape
    with np.errstate(divide="ignore"):  # beta = 0 accepts everything
        units = J.normalisation / (2.0 * betas)
    accepted, totals = np.empty((n, R), dtype=np.int64), np.empty((n, R))
    overlap_form = J.matrix is None
    kind = np.dtype(np.int64) if overlap_form else walkers.fields.dtype
    # Clamped thresholds are beyond every field: 2^31 - 2, or 2^62.
    largest = (2.0**31 - 2.0 if kind == np.int32 else 2.0**62) if J.whole else 0.0

    def run(part: slice) -> None:
        state, fields, own = walkers.state[part], walkers.fields[part], np.ascontiguousarray(units[:, part])
        flips, sums = np.zeros(own.shape, dtype=np.int64), np.empty(own.shape)
        rest = (own, largest, algorithm == "heat-bath", keys[part], first_sweep, each, flips, sums)
        if overlap_form:
            kernels.overlaps(J.bits, J.patterns, J.P, state, fields, *rest)
        else:
            assert J.matrix is not None
            kernels.dense(J.matrix, J.parity, J.N, state, fields, *rest)
        accepted[:, part], totals[:, part] = flips, sums

    size = max(1, min(-(-R // threads), _TOGETHER // (walkers.fields[0].nbytes + J.N)))
    parts = [slice(first, min(R, first + size)) for first in range(0, R, size)]
    if threads == 1 or len(parts) == 1:
        for part in parts:
            run(part)
    else:
        if threads not in walkers.pools:
            walkers.pools[threads] = ThreadPoolExecutor(threads)
        list(walkers.pools[threads].map(run, parts))
    walkers.totals = totals[-1].copy()
    return accepted, _per_spin(J, totals)


def _per_spin(interactions: Interactions, totals: NDArray[np.float64]) -> NDArray[np.float64]:
    return -0.5 * totals / (interactions.N * interactions.normalisation)


def _aligned(rows: int, columns: int, kind: np.dtype[Any]) -> NDArray[Any]:
    """Return zeros, a (rows, M) array with M >= columns, whose rows begin with a cache line."""
    width = -(-columns // 64) * 64
    room = np.zeros(rows * width * kind.itemsize + 64, dtype=np.uint8)
    first = -room.ctypes.data % 64
    return room[first : first + rows * width * kind.itemsize].view(kind).reshape(rows, width)
