"""Distributions along a run, streamed: P(q) and the like."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.timebins import TimeBins
from theory.errors import InvalidInput

__all__ = ["Histogram"]

Floats = NDArray[np.float64]


class Histogram:
    """Distribution of a number in [low, high], streamed: the second half of a run, with errors.

    Parameters
    ----------
    edges : (K + 1,) array
        Rising edges of the cells; the last cell includes its upper edge.
    lattice : (n,) array, optional
        The values that are possible, if only those are (overlaps of N spins are multiples of 2/N).  The density of a
        cell is then its probability divided by the length that its values stand for, so that cells holding unequally
        many of them show no ripple.

    Examples
    --------
    >>> p = Histogram([0.0, 0.5, 1.0])
    >>> for x in (0.1, 0.2, 0.7, 0.2):
    ...     p.append([x, x])
    >>> p.density()[0].tolist()
    [1.0, 1.0]
    """

    def __init__(self, edges: ArrayLike, *, lattice: ArrayLike | None = None) -> None:
        self.edges = np.asarray(edges, dtype=np.float64)
        if self.edges.ndim != 1 or self.edges.size < 2 or not (np.diff(self.edges) > 0).all():
            raise InvalidInput("edges of a histogram must rise; give two or more increasing numbers.")
        self._lengths = np.diff(self.edges)
        if lattice is not None:
            values = np.asarray(lattice, dtype=np.float64)
            spacing = (values[-1] - values[0]) / (values.size - 1)
            self._lengths = spacing * self._cells(values)
        self._bins = TimeBins((self.edges.size - 1,), capacity=64)

    @classmethod
    def of_overlaps(cls, N: int, *, cells: int = 101) -> Histogram:
        """Return a histogram for overlaps of N spins: N + 1 values from -1 to 1, in at most `cells` cells."""
        count = min(cells, N + 1)
        half = 1.0 / N
        return cls(np.linspace(-1.0 - half, 1.0 + half, count + 1), lattice=1.0 - 2.0 * np.arange(N, -1, -1) / N)

    @property
    def n(self) -> int:
        """Measurements so far."""
        return self._bins.n

    def append(self, values: ArrayLike) -> None:
        """Add the values of one measurement, any number of them (one per pair of replicas, say).

        Raises
        ------
        InvalidInput
            If a value is outside the edges.
        """
        x = np.asarray(values, dtype=np.float64).ravel()
        if x.size == 0 or not ((x >= self.edges[0]) & (x <= self.edges[-1])).all():
            raise InvalidInput(
                f"a value is outside [{self.edges[0]:g}, {self.edges[-1]:g}], or there is none; widen the edges."
            )
        self._bins.append(self._cells(x) / x.size)

    def density(self) -> tuple[Floats, Floats]:
        """Return the density in each cell over the second half of the run, and its standard error, both (K,).

        The error comes from blocks of an eighth of the second half; NaN for fewer than 16 measurements.
        """
        if self.n == 0:
            raise InvalidInput("the histogram is empty; measure at least once.")
        kept = self._bins.sums[len(self._bins.sums) // 2 :] / self._bins.width / self._lengths
        if len(kept) < 8:
            return kept.mean(axis=0), np.full(self.edges.size - 1, np.nan)
        size = len(kept) // 8
        blocks = kept[len(kept) - 8 * size :].reshape(8, size, -1).mean(axis=1)
        return kept.mean(axis=0), blocks.std(axis=0, ddof=1) / math.sqrt(8)

    def to_json(self) -> dict[str, Any]:
        """Return edges, density and errors for JSON; unknown errors are null."""
        density, errors = self.density()
        known = [e if math.isfinite(e) else None for e in errors.tolist()]
        return {"edges": self.edges.tolist(), "density": density.tolist(), "errors": known, "measurements": self.n}

    def _cells(self, x: Floats) -> Floats:
        return np.histogram(x, bins=self.edges)[0].astype(np.float64)
