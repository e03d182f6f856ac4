r"""Energy and score of the exact empirical diffusion law.

With the softmax weights ``w_mu(x) ~ exp(-|x - xi_mu|^2/(2 sigma^2))`` and their mean <xi>,

    E        = -(1/beta) log sum_mu exp(-beta |x - xi_mu|^2),          beta = 1/(2 sigma^2),
    score    = grad log p = -beta grad E = (<xi> - x)/sigma^2.

The sum is over memories, not their mean: the energy of an isolated memory is 0.  Blocks of at most 32 MB are held at a
time.

Source: Pham and others, arXiv:2505.21777; the mean-shift form is Cheng, IEEE PAMI 17, 790 (1995).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.diffusion.memories import BLOCK, Memories, beta_of, blocks, checked_sigma
from theory.errors import InvalidInput

__all__ = [
    "Local",
    "Softmax",
    "Weighted",
    "energies",
    "local",
    "neighbourhoods",
    "participation",
    "scores",
    "softmax",
    "weighted",
]

Array = NDArray[np.float64]

# Memories whose exponent lies so far below the largest change nothing in double precision, however many there are.
_NEGLIGIBLE = 55.0


class Local(NamedTuple):
    """The softmax at one point, summed over the differences themselves.

    Attributes
    ----------
    chosen : (k,) int array
        Memories whose weight is not negligible.
    w : (k,) array
        Their weights.
    energy : float
    shift : (N,) array
        <xi> - x, which vanishes to rounding at a fixed point.
    spread : float
        Mean distance of the memories from x under the weights.
    differences : (k, N) array or None
        chosen memories minus x, where they fit a block.
    """

    chosen: NDArray[np.int64]
    w: Array
    energy: float
    shift: Array
    spread: float
    differences: Array | None


class Softmax(NamedTuple):
    """Softmax averages at B points.

    Attributes
    ----------
    energy : (B,) array
    mean : (B, N) array
        <xi>, where one mean-shift step leads.
    largest : (B,) array
        Largest weight of a single memory.
    nearest : (B,) int array
        The memory that has it.
    variance : (B,) array
        Trace of the covariance; over sigma^2, a bound on how far the Hessian's eigenvalues lie below 2 (in halves).
    """

    energy: Array
    mean: Array
    largest: Array
    nearest: NDArray[np.int64]
    variance: Array


def softmax(known: Memories, x: ArrayLike, sigma: float, *, limit: int = BLOCK) -> Softmax:
    """Energy and softmax mean at every point, in blocks.

    Parameters
    ----------
    known : Memories
    x : (B, N) array
    sigma : float
        Standard deviation of the noise.
    limit : int
        Elements of one block of exponents.

    Returns
    -------
    Softmax

    Raises
    ------
    InvalidInput
        For points of another dimension, or sigma out of range.

    Examples
    --------
    >>> from numerics.diffusion.memories import memories
    >>> pair = memories([[-1.0], [1.0]])
    >>> found = softmax(pair, [[0.0]], 1.0)
    >>> round(float(found.energy[0]), 12) == round(1 - 2 * math.log(2), 12), float(found.mean[0, 0])
    (True, 0.0)
    """
    points = checked_points(known, x)
    beta = beta_of(sigma)
    size, K = len(points), known.K
    energy, mean = np.empty(size), np.empty((size, known.N))
    largest, nearest = np.empty(size), np.zeros(size, dtype=np.int64)
    variance = np.empty(size)
    bias = known.log_counts - beta * known.squares
    # Tall blocks: all memories at once where they fit, else as many as leave room for 64 points.
    columns = blocks(K, 64, limit=limit)
    for rows in blocks(size, min(K, columns[0].stop), limit=limit):
        a = points[rows] - known.centre
        top, total = np.full(len(a), -np.inf), np.zeros(len(a))
        shift, best, second = np.zeros_like(a), np.full(len(a), -np.inf), np.zeros(len(a))
        scaled = 2.0 * beta * a
        for part in columns:
            near = known.centred(part)
            exponent = scaled @ near.T
            exponent += bias[part]
            peak = exponent.max(1)
            where = exponent.argmax(1)
            better = peak > best
            nearest[rows][better] = where[better] + part.start
            best = np.maximum(best, peak)
            new = np.maximum(top, peak)
            exponent -= new[:, None]
            np.exp(exponent, out=exponent)
            fade = np.exp(top - new)
            total = total * fade + exponent.sum(1)
            shift = shift * fade[:, None] + exponent @ near
            second = second * fade + exponent @ known.squares[part]
            top = new
        shift /= total[:, None]
        mean[rows] = shift + known.centre
        energy[rows] = np.einsum("ij,ij->i", a, a) - (top + np.log(total)) / beta
        largest[rows] = np.exp(best - top) / total
        variance[rows] = np.maximum(second / total - (shift**2).sum(1), 0.0)
    return Softmax(energy, mean, largest, nearest, variance)


def checked_points(known: Memories, x: ArrayLike) -> Array:
    """Return points as a (B, N) float64 array.

    Raises
    ------
    InvalidInput
        If their shape does not fit the memories.
    """
    points = np.asarray(x, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != known.N:
        raise InvalidInput(f"x has shape {points.shape}; give points of the memories' dimension, shape (B, {known.N}).")
    return points


def energies(known: Memories, x: ArrayLike, sigma: float) -> Array:
    """Energy E at every point, (B,)."""
    return softmax(known, x, sigma).energy


def scores(known: Memories, x: ArrayLike, sigma: float) -> Array:
    """Exact empirical score, the gradient of log p at noise sigma, (B, N)."""
    points = checked_points(known, x)
    return (softmax(known, points, sigma).mean - points) / checked_sigma(sigma) ** 2


class Weighted(NamedTuple):
    """The softmax at a block of points, with all its weights.

    Attributes
    ----------
    rows : slice
        Which points.
    w : (b, K) array
        Weights.
    energy : (b,) array
    shift : (b, N) array
        <xi> - x.
    variance : (b,) array
        Trace of the covariance.
    """

    rows: slice
    w: Array
    energy: Array
    shift: Array
    variance: Array


def _exponents(known: Memories, x: Array, beta: float) -> tuple[Array, Array]:
    """Exponents at few points, the part that all memories share left out, and the points seen from the centre."""
    a = x - known.centre
    exponent = (2.0 * beta * a) @ known.centred(slice(None)).T
    exponent += known.log_counts - beta * known.squares
    return exponent, a


def weighted(known: Memories, x: Array, sigma: float) -> Iterator[Weighted]:
    """Yield the softmax at points (B, N) with the weights of all memories, in blocks of points."""
    beta = beta_of(sigma)
    for rows in blocks(len(x), known.K):
        w, a = _exponents(known, x[rows], beta)
        top = w.max(1)
        w -= top[:, None]
        np.exp(w, out=w)
        total = w.sum(1)
        w /= total[:, None]
        mean = w @ known.centred(slice(None))
        variance = np.maximum(w @ known.squares - (mean**2).sum(1), 0.0)
        energy = np.einsum("ij,ij->i", a, a) - (top + np.log(total)) / beta
        yield Weighted(rows, w, energy, mean - a, variance)


def participation(known: Memories, x: ArrayLike, sigma: float) -> Array:
    """Number of memories that the softmax averages over at every point, 1/sum w^2, (B,)."""
    points = checked_points(known, x)
    out = np.empty(len(points))
    for at in weighted(known, points, sigma):
        np.square(at.w, out=at.w)
        out[at.rows] = 1.0 / (at.w @ (1.0 / known.counts))
    return out


def neighbourhoods(known: Memories, x: Array, sigma: float) -> Iterator[NDArray[np.int64]]:
    """Yield for every point (B, N) the memories whose weight is not negligible, found in blocks of points."""
    beta = beta_of(sigma)
    for rows in blocks(len(x), known.K):
        exponent, _ = _exponents(known, x[rows], beta)
        exponent -= exponent.max(1)[:, None]
        for row in exponent:
            yield np.flatnonzero(row > -_NEGLIGIBLE)


def local(known: Memories, x: Array, sigma: float, chosen: NDArray[np.int64] | None = None) -> Local:
    """Energy, weights and mean shift at one point (N,).

    Parameters
    ----------
    chosen : (k,) int array or None
        Memories that matter; None: they are found.
    """
    point = np.asarray(x, dtype=np.float64)
    beta = beta_of(sigma)
    if chosen is None:
        chosen = next(neighbourhoods(known, checked_points(known, point[None, :]), sigma))
    square = np.empty(len(chosen))
    parts = blocks(len(chosen), known.N, limit=BLOCK // 4)
    for rows in parts:
        d = known.points[chosen[rows]]
        d -= point
        square[rows] = np.einsum("ij,ij->i", d, d)
    exponent = known.log_counts[chosen] - beta * square
    top = float(exponent.max())
    w = np.exp(exponent - top)
    total = float(w.sum())
    w /= total
    kept = d if len(parts) == 1 else None
    shift = w @ d if kept is not None else _mean_of(known, chosen, w, point)
    return Local(chosen, w, -(top + math.log(total)) / beta, shift, float(w @ np.sqrt(square)), kept)


def _mean_of(known: Memories, chosen: NDArray[np.int64], w: Array, point: Array) -> Array:
    shift = np.zeros(known.N)
    for rows in blocks(len(chosen), known.N, limit=BLOCK // 4):
        shift += w[rows] @ (known.points[chosen[rows]] - point)
    return shift
