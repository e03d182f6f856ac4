r"""The Hessian of vector spins minus a level, factorised through its channels: its inverse, and its inertia.

With patterns the Hessian is ``D - c F F^T``, blocks D of single sites minus a product with one column per channel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigvalsh, lu_factor, lu_solve

from numerics.tangent import Frame

__all__ = ["MOST_CHANNELS", "Shifted", "countable"]

Array = NDArray[np.float64]

MOST_CHANNELS = 8192
_KEPT = 2**30  # bytes of all columns of F that are kept between products
_WORKSPACE = 2**27  # bytes of columns of F at a time


def countable(frame: Frame) -> bool:
    """Whether couplings are made of patterns with few enough channels."""
    return frame.channels is not None and frame.channels <= MOST_CHANNELS


class Shifted:
    """``Hess - level``, factorised: ``D - level - c F F^T`` through the matrix ``1 - c F^T (D - level)^{-1} F``."""

    def __init__(self, frame: Frame, level: float) -> None:
        self.frame, self.level = frame, level
        blocks = (frame.along - level)[:, None, None] * np.eye(frame.d - 1) + frame.own_blocks()
        self.inverse = np.linalg.inv(blocks)
        channels = frame.channels or 0
        core = np.eye(channels)
        for sites, F in self._columns():
            weighed = self.inverse[sites] @ F
            core -= frame.interactions.scale * (F.reshape(-1, channels).T @ weighed.reshape(-1, channels))
        self.core = 0.5 * (core + core.T)
        # Inertia is additive over both Schur complements of [[D - level, c^(1/2) F], [c^(1/2) F^T, 1]].
        self.below = int((np.linalg.eigvalsh(blocks) < 0.0).sum() + (eigvalsh(self.core) < 0.0).sum())

    def _columns(self) -> Iterator[tuple[slice, Array]]:
        """F, some sites at a time."""
        step = max(1, _WORKSPACE // (8 * (self.frame.d - 1) * (self.frame.channels or 1)))
        for first in range(0, self.frame.N, step):
            sites = slice(first, min(self.frame.N, first + step))
            yield sites, self.frame.columns(sites)

    def solver(self) -> Callable[[Array], Array]:
        """``(Hess - level)^{-1} v`` for (n,) vectors."""
        frame, factors = self.frame, lu_factor(self.core)
        small = 8 * frame.size * (frame.channels or 1) <= _KEPT
        kept = list(self._columns()) if small else None

        def solve(v: Array) -> Array:
            first = self.inverse @ v.reshape(frame.N, frame.d - 1, 1)
            projected = sum(np.einsum("nac,na->c", F, first[sites, :, 0]) for sites, F in kept or self._columns())
            amplitudes = lu_solve(factors, projected)
            for sites, F in kept or self._columns():
                first[sites] += frame.interactions.scale * (self.inverse[sites] @ (F @ amplitudes[:, None]))
            return np.asarray(first.ravel())

        return solve
