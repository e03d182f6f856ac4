"""Couplings of vector spins in the form in which kernels take them, with a configuration's overlaps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.kernels.vector_fields import PhasorDense, ScalarDense, ScalarOverlap, TensorDense, TensorOverlap
from numerics.vector_input import aligned
from numerics.vector_interactions import VectorInteractions

__all__ = ["components", "refresh", "system"]


def components(spins: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """Return (N, d) spins as a structure of arrays, (d, N), a copy."""
    return aligned(spins.T, dtype)


def system(interactions: VectorInteractions, spins: NDArray[Any], *, engine: str | None = None) -> Any:
    """Return the tuple that :mod:`numerics.kernels.vector_fields` works on.

    Parameters
    ----------
    spins : (d, N) float32 or float64 array
        The configuration; overlaps are kept in its type.
    engine : {'overlap', 'dense'}, optional
        If not that of `interactions` ('overlap', where there are patterns).
    """
    kind, dtype = interactions.kind, spins.dtype
    scale = dtype.type(interactions.scale)
    if (engine or interactions.engine) == "overlap":
        assert interactions.patterns is not None
        X = interactions.patterns
        own = np.empty((0, 0, 0), dtype=dtype) if interactions.own is None else -interactions.own.astype(dtype)
        if kind == "scalar":
            flat = X.reshape(interactions.N, -1)
            made: Any = ScalarOverlap(flat, own, np.empty((interactions.d, flat.shape[1]), dtype=dtype), scale)
        else:
            made = TensorOverlap(X, own, np.empty(X.shape[2], dtype=dtype), scale)
        refresh(made, spins)
        return made
    assert interactions.couplings is not None
    J = interactions.couplings
    if kind == "tensor":
        return TensorDense(J.reshape(interactions.N, interactions.d, -1), scale)
    return ScalarDense(J, scale) if kind == "scalar" else PhasorDense(J[0], J[1], scale)


def refresh(system: Any, spins: NDArray[Any]) -> None:
    """Take the overlaps of (d, N) spins anew, in place; maintained ones gather rounding."""
    if isinstance(system, ScalarOverlap):
        np.matmul(spins, system.patterns, out=system.overlaps, casting="same_kind")
    elif isinstance(system, TensorOverlap):
        system.overlaps[:] = 0
        step = max(1, 2**22 // system.patterns[0].size)
        for first in range(0, spins.shape[1], step):
            part = system.patterns[first : first + step]
            flat = np.ascontiguousarray(spins[:, first : first + step].T).reshape(-1)
            system.overlaps[:] += flat @ part.reshape(flat.size, -1)
