"""The compiled backend: maintained fields on one core."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from numerics.couplings import Couplings, local_fields, zero_field
from numerics.kernels import quench as kernels

__all__ = ["quench"]


def quench(
    couplings: Couplings,
    spins: NDArray[np.int8],
    key: NDArray[np.uint32],
    *,
    shuffled: bool,
    plus: bool,
    max_sweeps: int,
) -> tuple[NDArray[np.int8], int, int]:
    """See :class:`numerics.backends.Backend`."""
    fields = local_fields(couplings, spins)
    state = spins.astype(fields.dtype)
    zero = fields.dtype.type(zero_field(couplings))
    sweeps, flips = kernels.quench(couplings, state, fields, key, zero, shuffled, plus, max_sweeps)
    return state.astype(np.int8), sweeps, flips
