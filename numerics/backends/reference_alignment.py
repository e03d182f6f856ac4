"""Zero-temperature sweeps of vector spins in plain NumPy: literal couplings, every field computed anew, float64.

It shares no kernel with the compiled sweeps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from numerics.backends.literal_vectors import literal_couplings
from numerics.vector_interactions import VectorInteractions

__all__ = ["Run"]


class Run:
    """A configuration on its way down."""

    def __init__(self, interactions: VectorInteractions, spins: NDArray[np.float64], dtype: str) -> None:
        self._J = literal_couplings(interactions)
        self._zero = interactions.zero
        self.load(spins)

    def load(self, spins: NDArray[np.float64]) -> None:
        """Go on from (N, d) spins."""
        self._state = spins.copy()

    def spins(self) -> NDArray[np.float64]:
        """Return the configuration, (N, d)."""
        return self._state.copy()

    def sweep(self, order: NDArray[np.int32]) -> float:
        """Visit the sites in this order; return the largest distance that a spin moved."""
        largest = 0.0
        for i in order:
            h = np.tensordot(self._J[i], self._state, axes=((1, 2), (0, 1)))
            length = float(np.linalg.norm(h))
            if length > self._zero:
                largest = max(largest, float(np.linalg.norm(h / length - self._state[i])))
                self._state[i] = h / length
        return largest
