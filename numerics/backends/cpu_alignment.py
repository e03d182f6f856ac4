"""Compiled zero-temperature sweeps of vector spins: which kernel, in which precision, and how much at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.kernels import alignment as kernels
from numerics.kernels.vector_fields import PhasorDense, ScalarDense, ScalarOverlap, TensorOverlap
from numerics.vector_interactions import VectorInteractions
from numerics.vector_systems import components, refresh, system

__all__ = ["Run"]

_WIDE = 16  # components from which on the sums of a block no longer stay in registers, and columns are taken in panels
_MANY = 8  # components from which on fields by overlaps of a block of sites are one matrix product
_BLOCK = 64  # sites in it at most: their patterns must fit into a core's own cache
_CACHED = 2**20
_ANEW = {"float32": 8, "float64": 64}  # sweeps after which maintained overlaps are taken anew


class Run:
    """A configuration on its way down, in float32 or float64.

    Where couplings come from patterns, float64 goes by these whatever the engine: a matrix in float32 is rounded.
    """

    def __init__(self, interactions: VectorInteractions, spins: NDArray[np.float64], dtype: str) -> None:
        rounded = dtype == "float64" and interactions.precision == "float32" and interactions.patterns is not None
        self._engine = "overlap" if rounded else interactions.engine
        self._lazy = interactions.kind == "scalar" and self._engine == "overlap" and interactions.d >= _MANY
        self._interactions, self._dtype = interactions, dtype
        self.load(spins)

    def load(self, spins: NDArray[np.float64]) -> None:
        """Go on from (N, d) spins."""
        apart = components(spins, self._dtype)
        self._system = system(self._interactions, apart, engine=self._engine)
        if self._lazy:
            self._state = np.ascontiguousarray(apart.T)
        else:  # by overlaps, a visit sees one spin only: its components side by side
            self._state = np.asfortranarray(apart) if self._engine == "overlap" else apart
        self._sweeps = 0

    def spins(self) -> NDArray[np.float64]:
        """Return the configuration, (N, d)."""
        wide = np.array(self._state if self._lazy else self._state.T, dtype=np.float64, order="C")
        wide /= np.sqrt(np.einsum("na,na->n", wide, wide))[:, None]
        return wide

    def sweep(self, order: NDArray[np.int32]) -> float:
        """Visit the sites in this order; return the largest distance that a spin moved."""
        known, zero = self._system, self._interactions.zero
        maintained = isinstance(known, ScalarOverlap | TensorOverlap)
        if maintained and self._sweeps and self._sweeps % _ANEW[self._dtype] == 0:
            refresh(known, np.ascontiguousarray(self._state.T) if self._lazy else self._state)
        self._sweeps += 1
        if self._lazy:
            squared = _by_overlaps(known, self._state, order, zero)
        elif isinstance(known, ScalarDense):
            sweep = kernels.wide_sweep if self._interactions.d >= _WIDE else kernels.matrix_sweep
            squared = sweep(known.couplings, self._state, order, zero)
        elif isinstance(known, PhasorDense):
            squared = kernels.phasor_sweep(known.real, known.imaginary, self._state, order, zero)
        else:
            squared = kernels.sweep(known, self._state, order, zero * self._interactions.scale)
        return float(np.sqrt(squared))


def _by_overlaps(known: ScalarOverlap, spins: NDArray[Any], order: NDArray[np.int32], zero: float) -> float:
    """Sweep (N, d) spins with scalar couplings by overlaps; a block's couplings are products of its patterns."""
    X, M = known.patterns, known.overlaps
    N, d = spins.shape
    # The couplings of a block cost its size per pattern number, the fields d.
    size = min(_block_size(M.itemsize * X.shape[1]), max(16, d // 2))
    moves = np.empty((size, d), dtype=M.dtype)
    largest = 0.0
    for first in range(0, N, size):
        sites = order[first : first + size]
        part = X[sites].astype(M.dtype, copy=False)
        block = spins[sites]
        largest = max(largest, kernels.block(part @ M.T, part @ part.T, block, moves, True, zero))
        spins[sites] = block
        M += moves[: len(sites)].T @ part
    return largest


def _block_size(bytes_each: int) -> int:
    return max(16, min(_BLOCK, _CACHED // bytes_each))
