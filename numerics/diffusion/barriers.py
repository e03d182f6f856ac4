r"""Barriers between attractors: the energy to climb on the way from one to another.

Two attractors are joined by a path: up from one minimum against the descent of a memory of its basin, along a straight
line to a memory of the other basin (both after one mean-shift step, which brings them near the valley floor), and
down.  Its highest point bounds the barrier from above.  From there a saddle is sought by Newton's method uphill along
the softest direction and downhill in all others; where a stationary point with one negative eigenvalue is found, and
the descents from both of its sides end in two attractors, its energy replaces the bound for that pair (`exact`).  A
lower path elsewhere is not excluded: a barrier is exact for the best saddle found, and a bound of the lowest.  Lines
are sampled at nine points, so that bounds that are not `exact` carry an error of some hundredths of 1/beta.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.diffusion.attractors import Attractors, attractors
from numerics.diffusion.curvature import half_spectrum
from numerics.diffusion.energy import energies, local, softmax
from numerics.diffusion.memories import Memories, Progress, beta_of, blocks
from numerics.diffusion.minimum import rounding_of

__all__ = ["Barriers", "barriers"]

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

_NODES = 1000  # memories through which paths may lead
_POINTS = 9  # of a straight line, between its ends
_REFINED = 400  # saddles that are solved for at most


@dataclass(frozen=True, eq=False)
class Barriers:
    """What separates attractors.

    Attributes
    ----------
    escape : (n,) array
        beta times the least energy to climb from each attractor to another: -log of the ratio of densities.
        Infinity where there is only one.
    exact : (n,) bool array
        The saddle was solved for; otherwise the number is the upper bound from a path.
    pairs : (m, 2) int array
        Pairs of attractors joined by a path.
    saddles : (m,) array
        Energy of its highest point.
    solved : (m,) bool array
        It is a saddle that was solved for.
    images : (r, N) array
        Memories after one mean-shift step, through which paths led.
    image_energy : (r,) array
    image_of : (r,) int array
        Attractor that each leads to.
    """

    escape: Array
    exact: NDArray[np.bool_]
    pairs: Integers
    saddles: Array
    solved: NDArray[np.bool_]
    images: Array
    image_energy: Array
    image_of: Integers


def barriers(known: Memories, found: Attractors, *, progress: Progress | None = None) -> Barriers:
    """Find what separates every attractor from its neighbours.

    Parameters
    ----------
    known : Memories
    found : Attractors
        Of the memories as starts.
    progress : callable or None

    Returns
    -------
    Barriers

    Examples
    --------
    >>> from numerics.diffusion.memories import memories
    >>> pair = memories([[-1.0, 0.0], [1.0, 0.0]])
    >>> found = barriers(pair, attractors(pair, 0.5))
    >>> found.exact.tolist(), bool(np.allclose(found.saddles, 1 - 0.5 * np.log(2)))  # E(0) = a^2 - log(2)/beta
    ([True, True], True)
    """
    images, image_energy, image_of = _images(known, found)
    n = len(found)
    if n < 2:
        empty = np.zeros((0, 2), dtype=np.int64)
        none = np.zeros(0)
        return Barriers(np.full(n, np.inf), np.ones(n, bool), empty, none, none > 0, images, image_energy, image_of)
    nodes = np.concatenate([found.points, images])
    level = np.concatenate([found.energy, image_energy])
    owner = np.concatenate([np.arange(n), image_of])
    edges = _edges(nodes, owner, n)
    heights, tops = _heights(known, nodes, level, edges, found.sigma, progress)
    pairs, height, top = _best(np.sort(owner[edges], axis=1), heights, tops)
    pairs, height, solved = _refined(known, found, pairs, height, top, progress)
    escape, exact = np.full(n, np.inf), np.zeros(n, dtype=bool)
    for side in (0, 1):
        for k in np.argsort(-height):  # the lowest is written last
            i = pairs[k, side]
            climb = max(float(height[k] - found.energy[i]), 0.0)
            if climb <= escape[i]:
                escape[i], exact[i] = climb, solved[k]
    return Barriers(escape * beta_of(found.sigma), exact, pairs, height, solved, images, image_energy, image_of)


def _images(known: Memories, found: Attractors) -> tuple[Array, Array, Integers]:
    """Some memories after one step of mean shift, with energy and attractor."""
    if len(found.start) != known.K:
        return np.zeros((0, known.N)), np.zeros(0), np.zeros(0, dtype=np.int64)
    # Evenly through the list; all of them where there are few.
    chosen = np.unique(np.linspace(0, known.K - 1, min(known.K, _NODES)).astype(np.int64))
    mean = softmax(known, known.points[chosen], found.sigma).mean
    return mean, energies(known, mean, found.sigma), found.start[chosen]


def _edges(nodes: Array, owner: Integers, n: int) -> Integers:
    """Each node with its nearest nodes of other attractors; minima also with more of the other minima."""
    out = [_nearest_others(nodes, owner, np.arange(len(nodes)), nodes, 2)]
    out.append(_nearest_others(nodes[:n], owner[:n], np.arange(n), nodes[:n], 4))
    return np.unique(np.sort(np.concatenate(out), axis=1), axis=0)


def _nearest_others(x: Array, owner: Integers, index: Integers, pool: Array, count: int) -> Integers:
    squares = ((pool - pool.mean(0)) ** 2).sum(1)
    found = []
    for rows in blocks(len(x), len(pool)):
        centred = x[rows] - pool.mean(0)
        distance = squares - 2.0 * centred @ (pool - pool.mean(0)).T
        distance[owner[rows][:, None] == owner[None, : len(pool)]] = np.inf
        take = min(count, len(pool) - 1)
        near = np.argpartition(distance, take, axis=1)[:, :take] if take < len(pool) else np.argsort(distance, axis=1)
        valid = np.isfinite(np.take_along_axis(distance, near, axis=1))
        left = np.repeat(index[rows][:, None], near.shape[1], axis=1)
        found.append(np.stack([left[valid], near[valid]], axis=1))
    return np.concatenate(found)


def _heights(
    known: Memories, nodes: Array, level: Array, edges: Integers, sigma: float, progress: Progress | None
) -> tuple[Array, Array]:
    """Highest energy along every straight line, ends included, and where that is."""
    share = np.arange(1, _POINTS + 1)[:, None] / (_POINTS + 1.0)
    heights, tops = np.empty(len(edges)), np.empty((len(edges), nodes.shape[1]))
    for rows in blocks(len(edges), _POINTS * known.N, limit=2**20):
        a, b = nodes[edges[rows, 0]], nodes[edges[rows, 1]]
        line = a[:, None, :] + share[None] * (b - a)[:, None, :]
        inner = energies(known, line.reshape(-1, known.N), sigma).reshape(len(a), _POINTS)
        every = np.concatenate([level[edges[rows, :1]], inner, level[edges[rows, 1:]]], axis=1)
        where = every.argmax(1)
        heights[rows] = every[np.arange(len(a)), where]
        tops[rows] = a + (where / (_POINTS + 1.0))[:, None] * (b - a)
        if progress is not None:
            progress("paths", rows.stop, len(edges))
    return heights, tops


def _best(pairs: Integers, heights: Array, tops: Array) -> tuple[Integers, Array, Array]:
    """The lowest path of every pair of attractors."""
    order = np.argsort(heights, kind="stable")
    kept, first = np.unique(pairs[order], axis=0, return_index=True)
    return kept, heights[order][first], tops[order][first]


def _refined(
    known: Memories,
    found: Attractors,
    pairs: Integers,
    height: Array,
    top: Array,
    progress: Progress | None,
) -> tuple[Integers, Array, NDArray[np.bool_]]:
    """Saddles solved for from the tops of paths, where the bound is not nothing already; the lowest climbs first."""
    sigma = found.sigma
    climb = height - found.energy[pairs].max(1)
    order = [k for k in np.argsort(climb) if climb[k] > 1e-9 * sigma**2][:_REFINED]
    saddles, sides = [], []
    for done, k in enumerate(order):
        at = _saddle(known, sigma, top[k])
        if at is not None:
            x, direction = at
            saddles.append(x)
            sides += [x + sign * 1e-2 * sigma * direction for sign in (1.0, -1.0)]
        if progress is not None:
            progress("saddles", done + 1, len(order))
    if not saddles:
        return pairs, height, np.zeros(len(pairs), dtype=bool)
    level = energies(known, np.array(saddles), sigma)
    ends = attractors(known, sigma, starts=np.array(sides))
    reached = ends.points[ends.start]
    distance = np.array([np.linalg.norm(found.points - x, axis=1) for x in reached])
    nearest = distance.argmin(1).reshape(-1, 2)
    known_end = (distance.min(1) <= 1e-3 * sigma).reshape(-1, 2).all(1)
    table = {(int(i), int(j)): (float(h), False) for (i, j), h in zip(pairs, height, strict=True)}
    lowest: dict[tuple[int, int], float] = {}
    for (i, j), h, fine in zip(np.sort(nearest, axis=1).tolist(), level, known_end, strict=True):
        if fine and i != j:
            lowest[i, j] = min(float(h), lowest.get((i, j), np.inf))
    for (i, j), h in lowest.items():
        bound = table.get((i, j), (np.inf, False))[0]
        # A sampled line may miss its own top by a little; a saddle clearly above it is not the one of that path.
        if h <= bound + max(0.2 * sigma**2, 0.25 * (bound - found.energy[[i, j]].max())):
            table[i, j] = (h, True)
    keys = sorted(table)
    values = [table[key] for key in keys]
    return np.array(keys), np.array([v[0] for v in values]), np.array([v[1] for v in values])


def _saddle(known: Memories, sigma: float, start: Array) -> tuple[Array, Array] | None:
    """Stationary point with one negative eigenvalue near a start, and its unstable direction; None if none is met."""
    x = np.array(start)
    for _ in range(60):
        here = local(known, x, sigma)
        values, directions = half_spectrum(known, x, sigma, here)
        if not len(values):  # one memory has all the weight: a parabola
            return None
        length = float(np.linalg.norm(here.shift))
        if length <= 10.0 * rounding_of(x, here):
            single = values[0] < -1e-9 and (len(values) < 2 or values[1] > 0.0)
            return (x, directions[:, 0]) if single else None
        parts = directions.T @ here.shift
        scale = np.maximum(np.abs(values), 1e-3)
        scale[0] = -scale[0]
        step = directions @ (parts / scale) + (here.shift - directions @ parts)
        x = x + step * min(1.0, 0.3 * sigma / float(np.linalg.norm(step)))
    return None
