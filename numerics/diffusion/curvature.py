r"""Curvature of the energy of dense associative memory: the softmax covariance, and the Hessian that it makes.

With the covariance of the memories under the softmax weights at x,

    Hess E      = 2 - (2/sigma^2) Cov_w(xi),
    div score   = -N/sigma^2 + Tr Cov_w(xi)/sigma^4,

so that a fixed point ``x = <xi>`` is a minimum where the largest eigenvalue of the covariance is below sigma^2.  The
covariance has the rank of the memories that have weight: where these are fewer than dimensions, their Gram matrix
serves in its place.

Source: Pham and others, arXiv:2505.21777.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.diffusion.energy import Local, local
from numerics.diffusion.memories import BLOCK, Memories, blocks, checked_sigma

__all__ = [
    "curvatures",
    "divergence",
    "half_inverse",
    "half_spectrum",
    "hessian",
    "softest",
    "softmax_covariance",
]

Array = NDArray[np.float64]

_LIGHT = 1e-17  # weights that second moments can do without
_SINGULAR = 1e-9


def softmax_covariance(known: Memories, x: ArrayLike, sigma: float, *, at: Local | None = None) -> Array:
    """Covariance of the memories under the softmax weights at one point.

    Returns
    -------
    covariance : (N, N) array

    Examples
    --------
    >>> from numerics.diffusion.memories import memories
    >>> pair = memories([[-1.0, 0.0], [1.0, 0.0]])
    >>> softmax_covariance(pair, [0.0, 0.0], 0.5).tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """
    point = np.asarray(x, dtype=np.float64)
    here = local(known, point, sigma) if at is None else at
    mean = point + here.shift
    if here.differences is not None:
        heavy = here.w > _LIGHT
        d = here.differences[heavy]
        d -= here.shift
        d *= np.sqrt(here.w[heavy])[:, None]
        return np.asarray(d.T @ d)
    out = np.zeros((known.N, known.N))
    for rows in blocks(len(here.chosen), known.N, limit=BLOCK // 4):
        d = known.points[here.chosen[rows]] - mean
        d *= np.sqrt(here.w[rows])[:, None]
        out += d.T @ d
    return out


def hessian(known: Memories, x: ArrayLike, sigma: float) -> Array:
    """Hessian of E at one point, (N, N); an isolated memory has twice the unit matrix.

    Examples
    --------
    >>> from numerics.diffusion.memories import memories
    >>> pair = memories([[-1.0, 0.0], [1.0, 0.0]])
    >>> hessian(pair, [0.0, 0.0], 2.0).tolist()  # half-way: Cov_w is 1 along the line, and E = 2 - 2 Cov_w/sigma^2
    [[1.5, 0.0], [0.0, 2.0]]
    """
    covariance = softmax_covariance(known, x, sigma)
    return 2.0 * np.eye(known.N) - 2.0 / checked_sigma(sigma) ** 2 * covariance


def divergence(known: Memories, x: ArrayLike, sigma: float) -> float:
    """Divergence of the score at one point, -N/sigma^2 + Tr Cov_w/sigma^4.

    Examples
    --------
    >>> from numerics.diffusion.memories import memories
    >>> pair = memories([[-1.0, 0.0], [1.0, 0.0]])
    >>> divergence(pair, [0.0, 0.0], 2.0)
    -0.4375
    """
    s2 = checked_sigma(sigma) ** 2
    return -known.N / s2 + float(np.trace(softmax_covariance(known, x, sigma))) / s2**2


def _rows(known: Memories, x: Array, at: Local) -> Array:
    """Rows d such that the covariance is d' d; one per memory whose weight is not negligible, (k, N)."""
    return np.asarray((known.points[at.chosen] - (x + at.shift)) * np.sqrt(at.w)[:, None])


def half_spectrum(known: Memories, x: Array, sigma: float, at: Local) -> tuple[Array, Array]:
    """Eigenvalues of half the Hessian, 1 - Cov_w/sigma^2, that differ from 1, rising, and their directions.

    From the smaller of two matrices: N x N, or one row per memory whose weight is not negligible.

    Returns
    -------
    values : (r,) array
    directions : (N, r) array
        Orthonormal columns; in the space orthogonal to them the eigenvalue is 1.
    """
    s2 = checked_sigma(sigma) ** 2
    if len(at.chosen) >= known.N:
        value, vector = np.linalg.eigh(softmax_covariance(known, x, sigma, at=at))
        return 1.0 - value[::-1] / s2, vector[:, ::-1]
    d = _rows(known, x, at)
    value, vector = np.linalg.eigh(d @ d.T)
    # Directions of tiny variance are left out: their eigenvalue is 1 and their direction would be rounding.
    keep = value > max(1e-13 * float(value[-1]), 1e-300)
    value, vector = value[keep][::-1], vector[:, keep][:, ::-1]
    return 1.0 - value / s2, d.T @ (vector / np.sqrt(value))


def half_inverse(known: Memories, x: Array, sigma: float, at: Local) -> tuple[Array, float] | None:
    """Half the Hessian's inverse times the mean shift (Newton's step), and its smallest eigenvalue.

    None where the Hessian is not positive, or nearly singular.  The smaller of the two matrices is factorised.
    """
    s2 = sigma**2
    if len(at.chosen) >= known.N:
        half = np.eye(known.N) - softmax_covariance(known, x, sigma, at=at) / s2
        low = float(np.linalg.eigvalsh(half)[0])
        return (np.asarray(np.linalg.solve(half, at.shift), float), low) if low > _SINGULAR else None
    d = _rows(known, x, at)
    dual = np.eye(len(d)) - d @ d.T / s2
    low = float(np.linalg.eigvalsh(dual)[0])  # its other eigenvalues are one, as those of the Hessian
    return (at.shift + d.T @ np.linalg.solve(dual, d @ at.shift) / s2, min(low, 1.0)) if low > _SINGULAR else None


def curvatures(known: Memories, x: ArrayLike, sigma: float) -> Array:
    """Eigenvalues of the Hessian of E at one point, rising.

    Returns
    -------
    eigenvalues : (N,) array

    Examples
    --------
    >>> from numerics.diffusion.memories import memories
    >>> pair = memories([[-1.0, 0.0], [1.0, 0.0]])
    >>> curvatures(pair, [0.0, 0.0], 2.0).tolist()
    [1.5, 2.0]
    """
    point = np.asarray(x, dtype=np.float64)
    values, _ = half_spectrum(known, point, sigma, local(known, point, sigma))
    return np.sort(np.concatenate([2.0 * values, np.full(known.N - len(values), 2.0)]))


def softest(known: Memories, x: ArrayLike, sigma: float, *, lanczos_above: int = 1000) -> tuple[float, Array]:
    """Smallest eigenvalue of the Hessian of E at one point, and its direction.

    Where both the dimension and the number of memories that matter exceed `lanczos_above`, no matrix is formed: Lanczos
    iteration on products of the covariance with vectors.

    Returns
    -------
    eigenvalue : float
    direction : (N,) array
        Of unit length.

    Examples
    --------
    >>> from numerics.diffusion.memories import memories
    >>> pair = memories([[-1.0, 0.0], [1.0, 0.0]])
    >>> value, direction = softest(pair, [0.0, 0.0], 0.5)  # negative: a saddle between the two
    >>> value, abs(direction).tolist()
    (-6.0, [1.0, 0.0])
    """
    point = np.asarray(x, dtype=np.float64)
    at = local(known, point, sigma)
    if min(known.N, len(at.chosen)) > lanczos_above:
        return _softest_by_lanczos(known, point, sigma, at)
    values, directions = half_spectrum(known, point, sigma, at)
    if not len(values):
        return 2.0, np.eye(1, known.N)[0]
    return 2.0 * float(values[0]), directions[:, 0]


def _softest_by_lanczos(known: Memories, point: Array, sigma: float, at: Local) -> tuple[float, Array]:
    from scipy.sparse.linalg import LinearOperator, eigsh

    mean = point + at.shift

    def times(v: Array) -> Array:
        out = np.zeros(known.N)
        for rows in blocks(len(at.chosen), known.N, limit=BLOCK // 4):
            d = known.points[at.chosen[rows]] - mean
            out += d.T @ (at.w[rows] * (d @ v.ravel()))
        return out

    operator = LinearOperator((known.N, known.N), matvec=times, dtype=np.float64)
    start = 1.0 + 0.5 * np.cos(np.arange(known.N))
    value, vector = eigsh(operator, k=1, which="LA", v0=start, tol=1e-12)
    return 2.0 - 2.0 / sigma**2 * float(value[0]), vector[:, 0] / float(np.linalg.norm(vector[:, 0]))
