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
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.diffusion.memories import BLOCK, Memories, beta_of, blocks, checked_memories, checked_sigma
from theory.errors import InvalidInput

__all__ = [
    "Local",
    "Softmax",
    "Weighted",
    "combined",
    "components",
    "energies",
    "local",
    "participation",
    "scores",
    "softmax",
    "weighted",
]

Array = NDArray[np.float64]

# Memories whose exponent lies so far below the largest change nothing in double precision, however many there are.
_NEGLIGIBLE = 55.0
_LEAST = {4: -80.0, 8: -600.0}  # exponents in single and in double precision that need not be told from lower ones
_ROWS = 64  # points of a block, enough for matrix products
_CACHE = 2**19  # elements of a block that stay near the processor


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
    variance : (B,) array
        Trace of the covariance; over sigma^2, a bound on how far the Hessian's eigenvalues lie below 2 (in halves).
    """

    energy: Array
    mean: Array
    variance: Array


def softmax(known: Memories, x: ArrayLike, sigma: float, *, single: bool = False, limit: int | None = None) -> Softmax:
    """Energy and softmax mean at every point, in blocks.

    Parameters
    ----------
    known : Memories
    x : (B, N) array
    sigma : float
        Standard deviation of the noise.
    single : bool
        Form exponents in single precision: weights are then off by 1e-7 times the exponents, (extent/sigma)^2 at most.
    limit : int or None
        Elements of one block of exponents; None: as fits the cache.

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
    s = checked_sigma(sigma) / known.unit
    size, N = len(points), known.N
    energy, mean, variance = np.empty(size), np.empty((size, N)), np.empty(size)
    limit = (_CACHE if known.kept else BLOCK) if limit is None else limit
    columns = blocks(known.K, max(_ROWS, N), limit=limit)
    for rows in blocks(size, min(known.K, columns[0].stop), limit=limit):
        a = (points[rows] - known.centre) / known.unit
        lifted = _lifted(a, s, single=single)
        top, moments = np.full(len(a), -np.inf), np.zeros(lifted.shape)
        for part in columns:
            near = known.lifted(part, single=single)
            exponent = lifted @ near.T
            new = np.maximum(top, exponent.max(1))
            moments *= np.exp(top - new)[:, None]
            moments += _weights(exponent, new) @ near
            top = new
        total = moments[:, N]
        shift = moments[:, :N] / total[:, None]
        mean[rows] = shift * known.unit + known.centre
        energy[rows] = np.einsum("ij,ij->i", a, a) * known.unit**2 - 2.0 * sigma**2 * (top + np.log(total))
        variance[rows] = np.maximum(moments[:, N + 1] / total - (shift**2).sum(1), 0.0) * known.unit**2
    return Softmax(energy, mean, variance)


def _lifted(a: Array, s: float, *, single: bool) -> NDArray[Any]:
    """What `Memories.lifted` is multiplied with to give exponents, less what all memories share, (b, N + 3)."""
    out = np.empty((len(a), a.shape[1] + 3), dtype=np.float32 if single else np.float64)
    out[:, :-3] = a / s**2
    out[:, -3:] = 0.0, -0.5 / s**2, 1.0
    return out


def _weights(exponent: NDArray[Any], top: Array) -> NDArray[Any]:
    """Exponentials, in place of their exponents less the largest.

    Numbers near the end of the range would slow the products down, and add nothing.
    """
    exponent -= top[:, None].astype(exponent.dtype)
    np.maximum(exponent, _LEAST[exponent.dtype.itemsize], out=exponent)
    np.exp(exponent, out=exponent)
    return exponent


def checked_points(known: Memories, x: ArrayLike) -> Array:
    """Return points as a (B, N) float64 array.

    Raises
    ------
    InvalidInput
        If their shape does not fit the memories.
    """
    checked_memories(known)
    points = np.asarray(x, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != known.N:
        raise InvalidInput(f"x has shape {points.shape}; give points of the memories' dimension, shape (B, {known.N}).")
    return points


def energies(known: Memories, x: ArrayLike, sigma: float) -> Array:
    """Energy E at every point, (B,).

    Examples
    --------
    >>> from numerics.diffusion.memories import memories
    >>> pair = memories([[-1.0], [1.0]])
    >>> energies(pair, [[1.0]], 0.1).tolist()  # |x - xi|^2 of the nearest, where memories are far apart
    [0.0]
    """
    return softmax(known, x, sigma).energy


def scores(known: Memories, x: ArrayLike, sigma: float) -> Array:
    """Exact empirical score, the gradient of log p at noise sigma, (B, N).

    Examples
    --------
    >>> from numerics.diffusion.memories import memories
    >>> pair = memories([[-1.0], [1.0]])
    >>> scores(pair, [[0.0], [3.0]], 0.5).tolist()
    [[0.0], [-8.0]]
    """
    points = checked_points(known, x)
    return (softmax(known, points, sigma).mean - points) / checked_sigma(sigma) ** 2


class Weighted(NamedTuple):
    """The softmax at a block of points, with all its weights.

    Attributes
    ----------
    rows : slice
        Which points.
    x : (b, N) array
    w : (b, K) array
        Weights.
    energy : (b,) array
    shift : (b, N) array
        <xi> - x.
    variance : (b,) array
        Trace of the covariance.
    """

    rows: slice
    x: Array
    w: Array
    energy: Array
    shift: Array
    variance: Array


def _exponents(known: Memories, x: Array, sigma: float) -> tuple[Array, Array]:
    """Exponents at few points, the part that all memories share left out, and the points seen from the centre."""
    a = (x - known.centre) / known.unit
    lifted = _lifted(a, sigma / known.unit, single=False)
    exponent = np.empty((len(a), known.K))
    for part in _parts(known):
        np.matmul(lifted, known.lifted(part).T, out=exponent[:, part])
    return exponent, a


def _parts(known: Memories) -> list[slice]:
    return [slice(None)] if known.kept else blocks(known.K, known.N)


def components(known: Memories, directions: Array) -> Array:
    """Memories, seen from their centre, along some directions (p, N): their components, (p, K)."""
    out = np.empty((len(directions), known.K))
    for part in _parts(known):
        np.matmul(directions, known.lifted(part)[:, : known.N].T, out=out[:, part])
    out *= known.unit
    return out


def combined(known: Memories, w: Array) -> Array:
    """Sums of memories, seen from their centre, with some weights (p, K), (p, N)."""
    out = np.zeros((len(w), known.N))
    for part in _parts(known):
        out += w[:, part] @ known.lifted(part)[:, : known.N]
    return out * known.unit


def weighted(known: Memories, x: Array, sigma: float) -> Iterator[Weighted]:
    """Yield the softmax at points (B, N) with the weights of all memories, in blocks of points."""
    N = known.N
    for rows in blocks(len(x), known.K, limit=_CACHE if known.kept else BLOCK):
        w, a = _exponents(known, x[rows], sigma)
        top = w.max(1)
        _weights(w, top)
        moments = np.zeros((len(w), N + 3))
        for part in _parts(known):
            moments += w[:, part] @ known.lifted(part)
        total = w.sum(1)
        w /= total[:, None]
        mean = moments[:, :N] / total[:, None]
        variance = np.maximum(moments[:, N + 1] / total - (mean**2).sum(1), 0.0) * known.unit**2
        energy = np.einsum("ij,ij->i", a, a) * known.unit**2 - 2.0 * sigma**2 * (top + np.log(total))
        yield Weighted(rows, x[rows], w, energy, (mean - a) * known.unit, variance)


def participation(known: Memories, x: ArrayLike, sigma: float) -> Array:
    """Number of memories that the softmax averages over at every point, 1/sum w^2, (B,).

    Examples
    --------
    >>> from numerics.diffusion.memories import memories
    >>> pair = memories([[-1.0], [1.0]])
    >>> participation(pair, [[0.0], [1.0]], 0.1).tolist()
    [2.0, 1.0]
    """
    points = checked_points(known, x)
    out = np.empty(len(points))
    for at in weighted(known, points, sigma):
        np.square(at.w, out=at.w)
        out[at.rows] = 1.0 / (at.w @ (1.0 / known.counts))
    return out


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
        exponent, _ = _exponents(known, checked_points(known, point[None, :]), sigma)
        chosen = np.flatnonzero(exponent[0] > exponent.max() - _NEGLIGIBLE)
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
