"""Sums of consecutive measurements of a run of unknown length, in bounded memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.errors import InvalidInput

__all__ = ["CAPACITY", "TimeBins"]

Floats = NDArray[np.float64]

CAPACITY = 2**12


class TimeBins:
    """Sums of consecutive measurements, in at most `capacity` bins of equal and growing width.

    Parameters
    ----------
    shape : tuple of int
        Shape of one measurement.
    capacity : int
        Even; when so many bins are full they merge in pairs.

    Attributes
    ----------
    width : int
        Measurements per bin: a power of two.
    n : int
        Measurements so far.

    Examples
    --------
    >>> bins = TimeBins((1,), capacity=4)
    >>> bins.extend([[x] for x in range(9)])
    >>> bins.width, bins.sums[:, 0].tolist()
    (4, [6.0, 22.0])
    """

    def __init__(self, shape: tuple[int, ...], *, capacity: int = CAPACITY) -> None:
        if capacity < 2 or capacity % 2:
            raise InvalidInput(f"capacity = {capacity} is not allowed; give an even number of bins, 2 or more.")
        self.capacity, self.width, self.n = capacity, 1, 0
        self._count = 0  # bins that are full
        self._sums = np.zeros((min(capacity, 64), *shape))
        self._open = np.zeros(shape)

    @property
    def sums(self) -> Floats:
        """Sums of the full bins, (count, *shape), oldest first; the last, incomplete bin is left out."""
        return self._sums[: self._count]

    def extend(self, values: ArrayLike) -> None:
        """Add consecutive measurements, (n, *shape)."""
        rest = np.asarray(values)
        while len(rest):
            taken = min(self.width - self.n % self.width, len(rest))
            self._open += rest[:taken].sum(axis=0)
            self.n += taken
            if self.n % self.width == 0:
                self._close()
            rest = rest[taken:]

    def _close(self) -> None:
        if self._count == len(self._sums):  # memory grows with the run, up to the capacity
            longer = min(2 * self._count, self.capacity) - self._count
            self._sums = np.concatenate([self._sums, np.zeros((longer, *self._open.shape))])
        self._sums[self._count] = self._open
        self._open[...] = 0.0
        self._count += 1
        if self._count == self.capacity:
            self._count //= 2
            self._sums[: self._count] = self._sums[0::2] + self._sums[1::2]
            self.width *= 2
