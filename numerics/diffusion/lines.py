r"""The highest energy along straight lines between points.

The exponents of the softmax, less what all memories share, are linear along a line: those at its ends say all.  Most
sums are first taken over the memories that are heaviest at the ends; leaving memories out only raises the energy, so
that what is found is a bound of the energy on the line, and where the sum over all at the top says that memories were
missed the line is done again with all of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from numerics.diffusion.energy import components, energies, weighted
from numerics.diffusion.memories import Memories, Progress, beta_of, blocks

__all__ = ["heaviest", "tops"]

Array = NDArray[np.float64]
Integers = NDArray[np.int64]
Along = Callable[[Array], tuple[Array, Array]]  # share of the way on every line -> energy, slope

_HEAVY = 128  # memories at each end of a line that are summed over first
_POINTS, _HALVINGS = 17, 12  # shares of a line, and how often the place of the highest is bisected
_MISSED = 1e-3  # of 1/beta: energy by which the heavy memories alone may be off
_CACHED = 2**18  # exponents of a block of lines
_LARGE = 1e3  # exponents up to which single precision leaves their sum right to a tenth of that


def heaviest(known: Memories, x: Array, sigma: float) -> Integers:
    """Indices of the memories of largest weight at every point, (B, h)."""
    if known.K <= _HEAVY:
        return np.tile(np.arange(known.K), (len(x), 1))
    out = np.empty((len(x), _HEAVY), dtype=np.int64)
    for at in weighted(known, x, sigma):
        out[at.rows] = np.argpartition(at.w, known.K - _HEAVY, axis=1)[:, -_HEAVY:]
    return out


def tops(
    known: Memories,
    a: Array,
    b: Array,
    heavy: tuple[Integers, Integers],
    sigma: float,
    *,
    progress: Progress | None = None,
) -> tuple[Array, Array]:
    """Highest energy on the line from every a to its b, ends included, and where that is.

    Parameters
    ----------
    known : Memories
    a, b : (e, N) arrays
    heavy : pair of (e, h) int arrays
        The `heaviest` memories at the ends.
    sigma : float
    progress : callable or None

    Returns
    -------
    height : (e,) array
    top : (e, N) array
    """
    height, share = np.empty(len(a)), np.empty(len(a))
    for rows in blocks(len(a), 2 * _HEAVY * max(known.N, _POINTS)):
        both = np.concatenate([heavy[0][rows], heavy[1][rows]], axis=1)
        height[rows], share[rows] = _highest(_of_heavy(known, a[rows], b[rows], both, sigma), len(both))
        if progress is not None:
            progress("paths", rows.stop, len(a))
    top = a + share[:, None] * (b - a)
    full = energies(known, top, sigma)
    missed = np.flatnonzero(full < height - _MISSED / beta_of(sigma))
    height = np.minimum(height, full)
    # In cache, unless that would mean to go through large data again and again.
    for rows in blocks(len(missed), known.K, limit=_CACHED if known.kept else 64 * known.K):
        k = missed[rows]
        share[k] = _highest(_of_all(known, a[k], b[k], sigma), len(k))[1]
        if progress is not None:
            progress("paths", rows.stop, len(missed))
    top[missed] = a[missed] + share[missed, None] * (b[missed] - a[missed])
    height[missed] = energies(known, top[missed], sigma)
    return height, top


def _highest(at: Along, size: int) -> tuple[Array, Array]:
    """Highest energy on every line and its share of the way: the best of even shares, and from there by bisection."""
    even = np.linspace(0.0, 1.0, _POINTS)
    level = np.stack([at(np.full(size, s))[0] for s in even], axis=1)
    k = level.argmax(1)
    best, share = level.max(1), even[k]
    low, high = even[np.maximum(k - 1, 0)], even[np.minimum(k + 1, _POINTS - 1)]
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        energy, slope = at(middle)
        low, high = np.where(slope > 0.0, middle, low), np.where(slope > 0.0, high, middle)
        share = np.where(energy > best, middle, share)
        best = np.maximum(energy, best)
    return best, share


def _of_heavy(known: Memories, a: Array, b: Array, heavy: Integers, sigma: float) -> Along:
    """Energy of some memories alone, and its slope."""
    beta = beta_of(sigma)
    index = np.sort(heavy, axis=1)
    d = known.points[index] - known.centre
    left, way = a - known.centre, b - a
    bias = known.log_counts[index] - beta * known.squares[index]
    at_left = 2.0 * beta * (d @ left[:, :, None])[..., 0] + bias
    rise = 2.0 * beta * (d @ way[:, :, None])[..., 0]
    at_left[:, 1:][index[:, 1:] == index[:, :-1]] = -np.inf  # heavy at both ends, once is enough

    def at(share: Array) -> tuple[Array, Array]:
        exponent = at_left + share[:, None] * rise
        peak = exponent.max(1)
        w = np.exp(exponent - peak[:, None])
        total = w.sum(1)
        x = left + share[:, None] * way
        energy = np.einsum("ij,ij->i", x, x) - (peak + np.log(total)) / beta
        slope = 2.0 * np.einsum("ij,ij->i", x, way) - np.einsum("ij,ij->i", w, rise) / (total * beta)
        return energy, slope

    return at


def _of_all(known: Memories, a: Array, b: Array, sigma: float) -> Along:
    """Energy of all memories, and its slope; to single precision where exponents are small enough for that."""
    beta = beta_of(sigma)
    left, way = a - known.centre, b - a
    at_left = components(known, 2.0 * beta * left) + (known.log_counts - beta * known.squares)
    at_left -= at_left.max(1, keepdims=True)
    rise = components(known, 2.0 * beta * way)
    base, slant = np.einsum("ij,ij->i", left, way), np.einsum("ij,ij->i", way, way)
    if max(float(-at_left.min()), float(np.abs(rise).max())) < _LARGE:
        at_left, rise = at_left.astype(np.float32), rise.astype(np.float32)
    exponent = np.empty_like(at_left)

    def at(share: Array) -> tuple[Array, Array]:
        np.multiply(rise, share.astype(rise.dtype)[:, None], out=exponent)
        np.add(exponent, at_left, out=exponent)
        peak = exponent.max(1)
        np.subtract(exponent, peak[:, None], out=exponent)
        np.exp(exponent, out=exponent)
        total = exponent.sum(1, dtype=np.float64)
        # Up to what does not change along the line.
        energy = share * (2.0 * base + share * slant) - (peak + np.log(total)) / beta
        slope = 2.0 * (base + share * slant) - np.einsum("ij,ij->i", exponent, rise) / (total * beta)
        return energy, slope

    return at
