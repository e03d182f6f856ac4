"""Zero-temperature sweeps of vector spins: each visited spin turns into its local field."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from numerics.kernels.compile import kernel, merged
from numerics.kernels.vector_fields import field, moved

__all__ = ["sweep"]


@merged
def turn(spins: Any, i: Any, h: Any, zero: Any, delta: Any) -> Any:
    """Turn spin i into its field `h`; write what it moved into `delta`, return the square of its length."""
    square = 0.0
    for a in range(h.size):
        square += np.float64(h[a]) * np.float64(h[a])
    length = math.sqrt(square)
    if not length > zero:
        delta[:] = 0.0
        return 0.0
    moved_by = 0.0
    for a in range(h.size):
        after = delta.dtype.type(np.float64(h[a]) / length)
        step = after - spins[a, i]
        delta[a] = step
        spins[a, i] = after
        moved_by += np.float64(step) * np.float64(step)
    return moved_by


@kernel
def sweep(system: Any, spins: Any, order: Any, zero: Any) -> Any:
    """Visit the sites of `order` (n,), in place; return the largest squared distance that a spin moved."""
    d = spins.shape[0]
    h, delta = np.empty(d, dtype=spins.dtype), np.empty(d, dtype=spins.dtype)
    largest = 0.0
    for i in order:
        field(system, spins, i, h)
        distance = turn(spins, i, h, zero, delta)
        if distance > 0.0:
            moved(system, i, delta)
            largest = max(largest, distance)
    return largest
