"""Sweeps at a temperature on the processor: walkers in threads, each with its fields (or overlaps) kept up to date."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.interactions import Interactions
from numerics.kernels import montecarlo as kernels

__all__ = ["Walkers", "advance", "walkers"]

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
    pools : dict
        Threads that wait for the next call, by their number.
    """

    interactions: Interactions
    state: NDArray[np.int8]
    fields: NDArray[Any]
    pools: dict[int, ThreadPoolExecutor] = field(default_factory=dict)

    def spins(self) -> NDArray[np.int8]:
        """Return a copy of the spins, (R, N)."""
        return self.state[:, : self.interactions.N].copy()

    def energies(self) -> NDArray[np.float64]:
        """Return energies per spin, (R,)."""
        J = self.interactions
        if J.matrix is not None:
            total = np.einsum("ri,ri->r", self.state.astype(np.float64), self.fields.astype(np.float64))
        else:
            assert J.P is not None
            used = self.fields[:, : J.P].astype(np.float64)
            total = np.einsum("rm,rm->r", used, used) - float(J.N) * J.P
        return np.asarray(-0.5 * total / (J.N * J.normalisation))


def walkers(interactions: Interactions, spins: NDArray[np.int8]) -> Walkers:
    """See :class:`numerics.backends.Backend`."""
    if interactions.matrix is None:
        return Walkers(interactions, spins.copy(), np.stack([interactions.overlaps(row) for row in spins]))
    R, N = spins.shape
    state, fields = _aligned(R, N, np.dtype(np.int8)), _aligned(R, N, interactions.field_dtype)
    for r, row in enumerate(spins):
        state[r, :N], fields[r, :N] = row, interactions.fields(row)
    return Walkers(interactions, state, fields)


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
    J = walkers.interactions
    R = len(walkers.state)
    with np.errstate(divide="ignore"):
        units = J.normalisation / (2.0 * beta)
    accepted = np.zeros(R, dtype=np.int64)
    heat_bath = algorithm == "heat-bath"
    overlap_form = J.matrix is None
    kind = np.dtype(np.int64) if overlap_form else walkers.fields.dtype
    # Clamped thresholds are beyond every field: 2^31 - 2, or 2^62.
    largest = {"int32": 2.0**31 - 2.0, "int64": 2.0**62, "float64": 0.0}[kind.name]

    def run(part: slice) -> None:
        state, fields = walkers.state[part], walkers.fields[part]
        rest = (units[part], largest, heat_bath, keys[part], first_sweep, sweeps)
        if overlap_form:
            kernels.overlaps(J.bits, J.patterns, J.P, state, fields, *rest, accepted[part])
        else:
            assert J.matrix is not None
            kernels.dense(J.matrix, J.parity, J.N, state, fields, *rest, accepted[part])

    size = max(1, min(-(-R // threads), _TOGETHER // (walkers.fields[0].nbytes + J.N)))
    parts = [slice(first, min(R, first + size)) for first in range(0, R, size)]
    if threads == 1 or len(parts) == 1:
        for part in parts:
            run(part)
    else:
        if threads not in walkers.pools:
            walkers.pools[threads] = ThreadPoolExecutor(threads)
        list(walkers.pools[threads].map(run, parts))
    return accepted


def _aligned(rows: int, columns: int, kind: np.dtype[Any]) -> NDArray[Any]:
    """Return zeros, a (rows, M) array with M >= columns, whose rows begin with a cache line."""
    width = -(-columns // 64) * 64
    room = np.zeros(rows * width * kind.itemsize + 64, dtype=np.uint8)
    first = -room.ctypes.data % 64
    return room[first : first + rows * width * kind.itemsize].view(kind).reshape(rows, width)
