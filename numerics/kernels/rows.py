"""Maintained local fields of dense couplings: what one flip does to all of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from numerics.kernels.compile import kernel, merged
from numerics.kernels.row_adds import add_row

__all__ = ["aligned", "flip"]


@merged
def flip(matrix: Any, parity: Any, i: Any, spin: Any, fields: Any, upcoming: Any) -> None:
    """Turn spin i to `spin` = +-1: add twice its row of N J to `fields` (N,), or subtract it.

    `matrix` (N, N) holds (N J - parity) / 2 if it is int8, else N J; whatever its diagonal, J_ii = 0.  Row `upcoming`
    is fetched into the cache meanwhile.
    """
    own = fields[i]
    add_row(fields, matrix, i, spin > 0, parity, upcoming)
    fields[i] = own


@kernel
def aligned(values: Any) -> Any:
    """Return a copy of a (N,) array of 4 or 8 bytes a value that begins with a cache line.

    A vector of 64 bytes would otherwise always lie on two lines, which halves the speed of a flip.
    """
    room = np.empty(values.size + 16, dtype=values.dtype)
    first = (-room.ctypes.data % 64) // room.itemsize
    copy = room[first : first + values.size]
    copy[:] = values
    return copy
