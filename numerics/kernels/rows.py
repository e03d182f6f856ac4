"""Maintained local fields of dense couplings: what one flip does to all of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from numerics.kernels.compile import kernel
from numerics.kernels.masks import prefetch

__all__ = ["ask", "flip"]


@kernel
def flip(matrix: Any, parity: Any, i: Any, spin: Any, fields: Any) -> None:
    """Turn spin i to `spin` = +-1: add twice its row of N J to `fields` (N,), or subtract it.

    `matrix` (N, N) holds (N J - parity) / 2, or N J if `parity` is None; whatever its diagonal, J_ii = 0.
    """
    # Sums are taken in the type of the fields: numba would widen int32 + int32 to int64 and halve the speed.
    kind = fields.dtype.type
    row = matrix[i]
    own = fields[i]
    if parity is None:
        if spin > 0:
            for j in range(fields.size):
                step = kind(row[j])
                fields[j] = kind(fields[j] + kind(step + step))
        else:
            for j in range(fields.size):
                step = kind(row[j])
                fields[j] = kind(fields[j] - kind(step + step))
    else:
        odd = kind(2 * parity)
        if spin > 0:
            for j in range(fields.size):
                step = kind(row[j])
                step = kind(step + step)
                fields[j] = kind(fields[j] + kind(kind(step + step) + odd))
        else:
            for j in range(fields.size):
                step = kind(row[j])
                step = kind(step + step)
                fields[j] = kind(fields[j] - kind(kind(step + step) + odd))
    fields[i] = own  # J_ii = 0


@kernel
def ask(matrix: Any, i: Any) -> None:
    """Prefetch row i."""
    start = np.uintp(matrix.ctypes.data) + np.uintp(i * matrix.strides[0])
    for line in range(0, matrix.strides[0], 64):
        prefetch(start + np.uintp(line))
