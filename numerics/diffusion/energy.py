r"""Energy, score, Hessian and softmax covariance of the exact empirical diffusion law.

With the softmax weights ``w_mu(x) ~ exp(-|x - xi_mu|^2/(2 sigma^2))`` and their mean <xi>,

    E        = -(1/beta) log sum_mu exp(-beta |x - xi_mu|^2),          beta = 1/(2 sigma^2),
    score    = grad log p = -beta grad E = (<xi> - x)/sigma^2,
    Hess E   = 2 - (2/sigma^2) Cov_w(xi),

so that x is a minimum if ``x = <xi>`` and the largest eigenvalue of the covariance is below sigma^2.  The sum is over
memories, not their mean: the energy of an isolated memory is 0.  Blocks of at most 32 MB are held at a time.

Source: Pham and others, arXiv:2505.21777; the mean-shift form is Cheng, IEEE PAMI 17, 790 (1995).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh, eigvalsh

from numerics.diffusion.memories import BLOCK, Memories, beta_of, blocks, checked_sigma
from theory.errors import InvalidInput

__all__ = [
    "Softmax",
    "curvatures",
    "divergence",
    "energies",
    "hessian",
    "scores",
    "softest",
    "softmax",
    "softmax_covariance",
    "weights",
]

Array = NDArray[np.float64]

# Weights below this share of the sum change nothing in double precision, however many there are.
_NEGLIGIBLE = 1e-22


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
    """

    energy: Array
    mean: Array
    largest: Array
    nearest: NDArray[np.int64]


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
    bias = known.log_counts - beta * known.squares
    # Tall blocks: all memories at once where they fit, else as many as leave room for 64 points.
    columns = blocks(K, 64, limit=limit)
    for rows in blocks(size, min(K, columns[0].stop), limit=limit):
        a = points[rows] - known.centre
        top, total = np.full(len(a), -np.inf), np.zeros(len(a))
        shift, best = np.zeros_like(a), np.full(len(a), -np.inf)
        scaled = 2.0 * beta * a
        offset = (scaled @ known.centre)[:, None]
        for part in columns:
            exponent = scaled @ known.points[part].T
            exponent -= offset
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
            shift = shift * fade[:, None] + exponent @ known.points[part]
            top = new
        mean[rows] = shift / total[:, None]
        energy[rows] = np.einsum("ij,ij->i", a, a) - (top + np.log(total)) / beta
        largest[rows] = np.exp(best - top) / total
    return Softmax(energy, mean, largest, nearest)


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


def weights(known: Memories, x: ArrayLike, sigma: float) -> Array:
    """Softmax weights at one point (N,), as a (K,) array, from the differences themselves."""
    point = checked_points(known, np.asarray(x, dtype=np.float64)[None, :])[0]
    beta = beta_of(sigma)
    exponent = known.log_counts.copy()
    for rows in blocks(known.K, known.N, limit=BLOCK // 4):
        d = known.points[rows] - point
        exponent[rows] -= beta * np.einsum("ij,ij->i", d, d)
    exponent -= exponent.max()
    np.exp(exponent, out=exponent)
    exponent /= exponent.sum()
    return exponent


def local_mean(known: Memories, point: Array, w: Array) -> Array:
    """<xi> - x at one point, summed over differences, so that it vanishes to rounding at a fixed point."""
    chosen = np.flatnonzero(w > _NEGLIGIBLE)
    shift = np.zeros(known.N)
    for rows in blocks(len(chosen), known.N, limit=BLOCK // 4):
        part = chosen[rows]
        shift += w[part] @ (known.points[part] - point)
    return shift


def softmax_covariance(known: Memories, x: ArrayLike, sigma: float, *, w: Array | None = None) -> Array:
    """Covariance of the memories under the softmax weights at one point.

    Returns
    -------
    covariance : (N, N) array
    """
    point = np.asarray(x, dtype=np.float64)
    share = weights(known, point, sigma) if w is None else w
    chosen = np.flatnonzero(share > _NEGLIGIBLE)
    shift = local_mean(known, point, share)
    out = np.zeros((known.N, known.N))
    for rows in blocks(len(chosen), known.N, limit=BLOCK // 4):
        part = chosen[rows]
        d = known.points[part] - (point + shift)
        d *= np.sqrt(share[part])[:, None]
        out += d.T @ d
    return out


def hessian(known: Memories, x: ArrayLike, sigma: float) -> Array:
    """Hessian of E at one point, (N, N); an isolated memory has twice the unit matrix."""
    covariance = softmax_covariance(known, x, sigma)
    return 2.0 * np.eye(known.N) - 2.0 / checked_sigma(sigma) ** 2 * covariance


def divergence(known: Memories, x: ArrayLike, sigma: float) -> float:
    """Divergence of the score at one point, -N/sigma^2 + Tr Cov_w/sigma^4."""
    s2 = checked_sigma(sigma) ** 2
    return -known.N / s2 + float(np.trace(softmax_covariance(known, x, sigma))) / s2**2


def curvatures(known: Memories, x: ArrayLike, sigma: float) -> Array:
    """Eigenvalues of the Hessian of E at one point, rising.

    The spectrum of the covariance is that of the smaller of two matrices: N x N, or one row per memory whose weight
    is not negligible (the other eigenvalues of the Hessian are then 2).

    Returns
    -------
    eigenvalues : (N,) array
    """
    s2 = checked_sigma(sigma) ** 2
    point = np.asarray(x, dtype=np.float64)
    share = weights(known, point, sigma)
    chosen = np.flatnonzero(share > _NEGLIGIBLE)
    if len(chosen) >= known.N:
        spread = eigvalsh(softmax_covariance(known, point, sigma, w=share))
    else:
        d = (known.points[chosen] - (point + local_mean(known, point, share))) * np.sqrt(share[chosen])[:, None]
        spread = np.concatenate([np.zeros(known.N - len(chosen)), eigvalsh(d @ d.T)])
    return 2.0 - 2.0 / s2 * np.sort(np.maximum(spread, 0.0))[::-1]


def softest(known: Memories, x: ArrayLike, sigma: float, *, iterate_above: int = 400) -> tuple[float, Array]:
    """Smallest eigenvalue of the Hessian of E at one point, and its direction.

    Above `iterate_above` dimensions the covariance is never formed: Lanczos iteration on its products with vectors.

    Returns
    -------
    eigenvalue : float
    direction : (N,) array
        Of unit length.
    """
    s2 = checked_sigma(sigma) ** 2
    point = np.asarray(x, dtype=np.float64)
    share = weights(known, point, sigma)
    if known.N <= iterate_above:
        covariance = softmax_covariance(known, point, sigma, w=share)
        last = known.N - 1
        value, vector = eigh(covariance, subset_by_index=(last, last))
        return 2.0 - 2.0 / s2 * float(value[0]), vector[:, 0]
    value_found, direction = _largest_by_lanczos(known, point, share)
    return 2.0 - 2.0 / s2 * value_found, direction


def _largest_by_lanczos(known: Memories, point: Array, share: Array) -> tuple[float, Array]:
    from scipy.sparse.linalg import LinearOperator, eigsh

    chosen = np.flatnonzero(share > _NEGLIGIBLE)
    shift = local_mean(known, point, share)
    centre = point + shift
    if len(chosen) <= known.N // 4:  # the Gram matrix is the smaller one
        d = (known.points[chosen] - centre) * np.sqrt(share[chosen])[:, None]
        value, vector = eigh(d @ d.T)
        direction = d.T @ vector[:, -1]
        length = float(np.linalg.norm(direction))
        if length <= 1e-150:
            return 0.0, np.eye(1, known.N)[0]
        return float(value[-1]), direction / length

    def times(v: Array) -> Array:
        v = v.ravel()
        out = np.zeros(known.N)
        for rows in blocks(len(chosen), known.N, limit=BLOCK // 4):
            part = chosen[rows]
            d = known.points[part] - centre
            out += d.T @ (share[part] * (d @ v))
        return out

    operator = LinearOperator((known.N, known.N), matvec=times, dtype=np.float64)
    start = np.ones(known.N) + 0.5 * np.cos(np.arange(known.N))
    value, vector = eigsh(operator, k=1, which="LA", v0=start, tol=1e-10)
    return float(value[0]), vector[:, 0] / math.sqrt(float(vector[:, 0] @ vector[:, 0]))
