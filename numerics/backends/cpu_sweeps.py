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
    state : (R, N) int8 array
    fields : (R, N) array, or (R, M) of overlaps for the overlap engines
    pools : dict
        Threads that wait for the next call, by their number.
    """

    interactions: Interactions
    state: NDArray[np.int8]
    fields: NDArray[Any]
    pools: dict[int, ThreadPoolExecutor] = field(default_factory=dict)

    def spins(self) -> NDArray[np.int8]:
        """Return a copy of the spins, (R, N)."""
        return self.state.copy()

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
    own = interactions.fields if interactions.matrix is not None else interactions.overlaps
    return Walkers(interactions, spins.astype(np.int8, copy=True), np.stack([own(row) for row in spins]))


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
    # Clamped thresholds are beyond every field: 2^31 - 1, or 2^62.
    largest = {"int32": 2.0**31 - 1.0, "int64": 2.0**62, "float64": 0.0}[kind.name]
    parity = J.parity if J.engine == "dense-int8" else None

    def run(part: slice) -> None:
        state, fields = walkers.state[part], walkers.fields[part]
        rest = (units[part], largest, heat_bath, keys[part], first_sweep, sweeps)
        if overlap_form:
            kernels.overlaps(J.bits, J.patterns, J.P, state, fields, *rest, accepted[part])
        else:
            assert J.matrix is not None
            kernels.dense(J.matrix, parity, state, fields, *rest, accepted[part])

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
