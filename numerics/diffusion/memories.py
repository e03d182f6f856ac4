r"""The memories of a dense associative memory: data points, checked once.

Every data point xi_mu is a memory of the energy ``E(x) = -(1/beta) log sum_mu exp(-beta |x - xi_mu|^2)``, and the
law that diffusion with the exact empirical score samples is ``p(x) ~ exp(-beta E)`` with ``beta = 1/(2 sigma^2)``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.rng import gaussians, stream, words
from theory.errors import InvalidInput

__all__ = ["Memories", "Progress", "beta_of", "checked_sigma", "circle", "memories", "nearest_distances"]

Array = NDArray[np.float64]
Progress = Callable[[str, int, int], None]
"""Called as ``progress(label, done, total)``."""

# Elements of one block of squared distances (32 MB): large enough for BLAS, small beside the data.
BLOCK = 2**22
_LARGEST = 1e150  # numbers whose squares are finite, and those of their inverses
_TWICE = ("refuse", "count", "drop")


@dataclass(frozen=True, eq=False)
class Memories:
    """Distinct points in N dimensions, with how often each occurs.

    Attributes
    ----------
    points : (K, N) float64 array
    counts : (K,) float64 array
        Multiplicities; a point that occurs twice has its energy lowered by (1/beta) log 2.
    """

    points: Array
    counts: Array

    @property
    def K(self) -> int:
        """Number of distinct memories."""
        return len(self.points)

    @property
    def N(self) -> int:
        """Dimension."""
        return int(self.points.shape[1])

    @functools.cached_property
    def centre(self) -> Array:
        """Mean of the memories, (N,): distances are formed from here, so that a common offset costs no digits."""
        return np.asarray(self.counts @ self.points / self.counts.sum())  # no copy of the data, unlike an average

    @functools.cached_property
    def unit(self) -> float:
        """Power of two near the data's extent: scaling by it costs no digit and keeps single precision in range."""
        return math.ldexp(1.0, math.frexp(self.extent)[1]) if self.extent > 0.0 else 1.0

    @property
    def kept(self) -> bool:
        """Whether the data are few enough to keep copies of them."""
        return self.points.size <= 4 * BLOCK

    def lifted(self, rows: slice, *, single: bool = False) -> NDArray[Any]:
        """Memories from the centre in `unit`, with columns of 1, their squares and log multiplicities, (k, N + 3).

        The exponents of a softmax are then one matrix product, its moments another.  In single precision if asked for;
        kept where the data are few, made anew for each block otherwise.
        """
        if not self.kept:
            return self._lift(rows).astype(np.float32 if single else np.float64, copy=False)
        return (self._single if single else self._double)[rows]

    def _lift(self, rows: slice) -> Array:
        out = np.empty((len(self.points[rows]), self.N + 3))
        np.subtract(self.points[rows], self.centre, out=out[:, : self.N])
        out[:, : self.N] /= self.unit
        out[:, self.N], out[:, self.N + 2] = 1.0, np.log(self.counts[rows])
        out[:, self.N + 1] = self.squares[rows] / self.unit / self.unit
        return out

    @functools.cached_property
    def _double(self) -> Array:
        return self._lift(slice(None))

    @functools.cached_property
    def _single(self) -> NDArray[np.float32]:
        return self._double.astype(np.float32)

    @functools.cached_property
    def squares(self) -> Array:
        """|xi_mu - centre|^2, (K,)."""
        out = np.empty(self.K)
        for rows in blocks(self.K, self.N):
            d = self.points[rows] - self.centre
            out[rows] = np.einsum("ij,ij->i", d, d)
        return out

    @functools.cached_property
    def log_counts(self) -> Array:
        """Logarithms of the multiplicities, (K,)."""
        return np.log(self.counts)

    @functools.cached_property
    def extent(self) -> float:
        """Largest distance of a memory from the centre."""
        return math.sqrt(float(self.squares.max()))


def blocks(count: int, width: int, *, limit: int = BLOCK) -> list[slice]:
    """Slices of range(count) such that a slice times `width` has at most `limit` elements."""
    step = max(1, limit // max(width, 1))
    return [slice(first, min(first + step, count)) for first in range(0, count, step)]


def memories(data: ArrayLike, *, duplicates: str = "refuse") -> Memories:
    """Check data and make memories of it.

    Parameters
    ----------
    data : (K, N) array
        One point a row; (K, a, b, ...) arrays such as images are flattened.
    duplicates : {'refuse', 'count', 'drop'}
        What to do with points that occur more than once: refuse them, keep their multiplicity (each then counts as
        often as it occurs), or keep one of each.

    Raises
    ------
    InvalidInput
        For data that are no finite numbers or no points, and for points that occur twice.

    Examples
    --------
    >>> memories([[0.0, 1.0], [0.0, -1.0]]).K
    2
    """
    if duplicates not in _TWICE:
        raise InvalidInput(f"duplicates = '{duplicates}' is not known; choose one of {', '.join(_TWICE)}.")
    points = _points(data)
    bad = ~np.isfinite(points).all(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        raise InvalidInput(
            f"the data hold NaN or infinity in {int(bad.sum())} of {len(points)} points (first in row {row}), which "
            "make the energy undefined everywhere; remove these rows."
        )
    largest = max(float(points.max()), -float(points.min()))  # no copy of the data
    if largest > _LARGEST:
        raise InvalidInput(f"the data reach {largest:.3g}, whose square overflows; scale them down.")
    distinct, first, counts = _distinct(points)
    if len(distinct) == len(points):
        return Memories(points, np.ones(len(points)))
    if duplicates == "refuse":
        row = int(np.setdiff1d(np.arange(len(points)), first)[0])
        raise InvalidInput(
            f"{len(points) - len(distinct)} of {len(points)} data points occur more than once (such as row {row}), "
            "which lowers their energy by (1/beta) log(multiplicity) and makes nearest-neighbour distances 0; "
            "drop them (duplicates = 'drop') or keep their weight (duplicates = 'count')."
        )
    return Memories(distinct, counts if duplicates == "count" else np.ones(len(distinct)))


def _points(data: ArrayLike) -> Array:
    """The data as a (K, N) float64 array; no copy where it is one already."""
    try:
        raw = np.asarray(data)
        if raw.dtype.kind not in "fiub":
            raise TypeError
        points = np.ascontiguousarray(raw, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidInput("the data are no array of real numbers; give K points of N numbers, shape (K, N).") from None
    if points.ndim < 2:
        raise InvalidInput(
            f"the data have shape {points.shape}; give K points of N numbers, shape (K, N) (one dimension: (K, 1))."
        )
    if points.size == 0:
        raise InvalidInput(f"the data have shape {points.shape} and hold no point; give at least one.")
    return points.reshape(len(points), -1)


def _distinct(points: Array) -> tuple[Array, NDArray[np.int64], Array]:
    """Distinct points in the order of their first occurrence, where that is, and how often each occurs."""
    # Sums along a fixed direction differ for points that differ, up to coincidences, and need no copy of the data.
    direction = gaussians(stream("distinct points"), rows=1, columns=points.shape[1])[0]
    keys = points @ direction
    order = np.argsort(keys, kind="stable")
    close = np.diff(keys[order]) <= 1e-12 * max(float(np.abs(keys).max()), 1e-300)
    owner = np.arange(len(points))
    start = 0
    for end in [*(np.flatnonzero(~close) + 1), len(points)]:
        if end - start > 1:  # candidates: compare them exactly
            group = np.sort(order[start:end])
            _, inverse = np.unique(points[group], axis=0, return_inverse=True)
            for label in np.unique(inverse):
                same = group[inverse.ravel() == label]
                owner[same] = same[0]
        start = end
    first = np.unique(owner)
    if len(first) == len(points):
        return points, first, np.ones(len(points))
    return points[first], first, np.bincount(owner, minlength=len(points))[first].astype(np.float64)


def checked_memories(known: Memories) -> None:
    """Refuse data of which no memories were made.

    Raises
    ------
    InvalidInput
        Unless they are `Memories`.
    """
    if not isinstance(known, Memories):
        raise InvalidInput(f"memories are given as {type(known).__name__}; make them of the data by memories(data).")


def checked_sigma(sigma: float) -> float:
    """Return sigma as a float.

    Raises
    ------
    InvalidInput
        Unless 1e-150 <= sigma <= 1e150: its square would be 0 or infinite.
    """
    number = isinstance(sigma, (int, float, np.floating, np.integer)) and not isinstance(sigma, bool)
    if not number or not 0.0 < sigma < math.inf:
        raise InvalidInput(
            f"sigma = {sigma} is not allowed; give the noise's standard deviation, 0 < sigma < infinity."
        )
    if not 1.0 / _LARGEST <= sigma <= _LARGEST:
        raise InvalidInput(f"sigma = {sigma} has no square in double precision; scale data and sigma together.")
    return float(sigma)


def beta_of(sigma: float) -> float:
    """Return beta = 1/(2 sigma^2)."""
    return 0.5 / checked_sigma(sigma) ** 2


def circle(K: int, *, seed: int = 0, equispaced: bool = False) -> Array:
    """Points on the unit circle, at independent uniform angles (or equally spaced).

    Parameters
    ----------
    K : int
        Number of points.
    seed : int
        Points are named random numbers: those of K = 9 are the first nine of K = 1000.

    Returns
    -------
    points : (K, 2) array

    Examples
    --------
    >>> bool(abs(np.hypot(*circle(5).T) - 1).max() < 1e-15), bool((circle(9)[:2] == circle(2)).all())
    (True, True)
    """
    if isinstance(K, bool) or not isinstance(K, (int, np.integer)) or not 1 <= K <= 10**8:
        raise InvalidInput(f"K = {K} is not allowed; give a whole number of points, 1 to 10^8.")
    if equispaced:
        angles = 2.0 * np.pi * np.arange(K) / K
    else:
        drawn = words(stream("points on a circle", int(seed)), rows=int(K), columns=2).astype(np.float64)
        angles = 2.0 * np.pi * (drawn[:, 0] * 2.0**-32 + drawn[:, 1] * 2.0**-64)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def nearest_distances(points: Array, others: Array | None = None) -> Array:
    """Distance of every point to the nearest of the others; its own place in the same set is left out.

    Parameters
    ----------
    points : (B, N) array
    others : (K, N) array or None
        None: the same set, each point without itself.

    Returns
    -------
    distances : (B,) array
        Infinity where there is no other point.

    Examples
    --------
    >>> nearest_distances(np.array([[0.0], [1.0], [5.0]])).tolist()
    [1.0, 1.0, 4.0]
    """
    same = others is None
    pool = points if others is None else others
    centre = pool.mean(axis=0)
    out = np.empty(len(points))
    pool_squares = np.concatenate([((pool[rows] - centre) ** 2).sum(1) for rows in blocks(len(pool), pool.shape[1])])
    for rows in blocks(len(points), 4096):
        x = points[rows] - centre
        best = np.full(len(x), np.inf)
        where = np.zeros(len(x), dtype=np.int64)
        for columns in blocks(len(pool), len(x)):
            square = pool_squares[columns] - 2.0 * (x @ pool[columns].T - (x @ centre)[:, None])
            if same:
                own = np.arange(rows.start, rows.stop)
                inside = (own >= columns.start) & (own < columns.stop)
                square[np.flatnonzero(inside), own[inside] - columns.start] = np.inf
            local = square.argmin(1)
            value = square[np.arange(len(x)), local]
            better = value < best
            best[better], where[better] = value[better], local[better] + columns.start
        # The difference itself, where squares would cancel.
        exact = np.sqrt(((points[rows] - pool[where]) ** 2).sum(1))
        out[rows] = np.where(np.isfinite(best), exact, np.inf)
    return out
