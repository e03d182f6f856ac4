"""Training sets: K points of a named data set or of a file, as a seed draws them."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.diffusion.data import read_data
from numerics.diffusion.memories import circle, memories
from numerics.rng import permutation, stream
from theory.errors import InvalidInput

__all__ = ["Source", "default_loads", "describe"]

Array = NDArray[np.float64]


def describe(data: str, *, key: str | None = None) -> Source:
    """Look at a data set once.

    Raises
    ------
    InvalidInput
        For a file that is missing or holds no points, NaN, points that occur twice, or fewer than two.

    Examples
    --------
    >>> describe("circle").total is None  # any number of points
    True
    """
    if data == "circle" and key is None:
        return Source(data, None, 2, 1.0)
    known = memories(read_data(data, key=key))
    if known.K < 2:
        raise InvalidInput(f"'{data}' holds one point, which every score memorises; give at least 2 distinct points.")
    extent = math.sqrt(float(known.squares.mean()))
    mark = "" if data == "digits" else _mark(known.points)
    return Source(data, known.K, known.N, float(f"{extent:.12g}"), mark, key)


def default_loads(source: Source) -> list[int]:
    """Numbers of training points, tripling from 2 to all (to 1458 on the circle).

    Examples
    --------
    >>> default_loads(Source("points.npy", 100, 5, 1.0))
    [2, 6, 18, 54, 100]
    """
    last = 1458 if source.total is None else source.total
    return sorted({min(2 * 3**k, last) for k in range(20)})


def _mark(points: Array) -> str:
    """Name of a file's points."""
    return hashlib.sha256(points.tobytes()).hexdigest()[:12]


@dataclass(frozen=True)
class Source:
    """Where training sets come from.

    Attributes
    ----------
    data : str
        Name of a data set or a file.
    total : int or None
        Points there are; None: any number (circle).
    N : int
    extent : float
        Root mean square distance of the points from their mean.
    fingerprint : str
        Of the points of a file; empty for data sets by name.
    key : str or None
        Array of a .npz file.
    """

    data: str
    total: int | None
    N: int
    extent: float
    fingerprint: str = ""
    key: str | None = None

    def points(self, K: int, seed: int) -> Array:
        """Training set of K points, (K, N); smaller sets of one seed are parts of larger ones.

        Raises
        ------
        InvalidInput
            If the file holds other points than when it was described.
        """
        if self.data == "circle":
            return circle(K, seed=seed)
        if self.data == "digits":
            return memories(read_data("digits", K=K, seed=seed)).points
        known = memories(read_data(self.data, key=self.key)).points
        if _mark(known) != self.fingerprint:
            raise InvalidInput(f"'{self.data}' was changed while it was in use; run again with the points as they are.")
        return np.ascontiguousarray(known[permutation(stream("training set", int(seed)), len(known))[:K]])
