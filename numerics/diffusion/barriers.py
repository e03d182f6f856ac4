r"""Barriers between attractors: the energy to climb on the way from one to another.

Two attractors are joined by a path: up from one minimum against the descent of a memory of its basin, along a straight
line to a memory of the other basin (both after one mean-shift step, which brings them near the valley floor), and
down.  Its highest point bounds the barrier from above, to 1e-3/beta.  From there a saddle is solved for, by Newton's
method uphill along the softest direction and downhill in all others; where a stationary point with one negative
eigenvalue is found, not above the bound, and the descents from both of its sides end in two attractors, its energy
replaces the bound of that pair (`exact`), to rounding.  A lower path elsewhere is not excluded: a barrier is exact for
the best saddle found, and a bound of the lowest.  Saddles are sought for the lowest few hundred climbs, and barriers
below 1e-9/beta are left as bounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.diffusion.attractors import Attractors, attractors
from numerics.diffusion.curvature import half_spectrum
from numerics.diffusion.energy import energies, local, softmax
from numerics.diffusion.lines import heaviest, tops
from numerics.diffusion.memories import Memories, Progress, beta_of, blocks

__all__ = ["Barriers", "barriers"]

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

_NODES = 1000  # memories through which paths may lead
_REFINED = 400  # saddles that are solved for at most
_STEPS = 60
_LONGEST = 0.3  # of a step towards a saddle, in units of sigma
_THERE = 1e-8  # step, in units of sigma: what it changes in energy is its square
_SAME = 1e-2  # way over which the memories that matter are the same, in units of sigma
_SOFTEST = 1e-3  # half a curvature below which steps are damped
_LEVEL = 1e-9  # half a curvature that counts as none, and a climb in units of sigma^2
_CLOSE = 2e-3  # of sigma^2: error of bounds
_ASIDE = 0.1  # of sigma: where the ways down from a saddle begin


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
    owner = np.concatenate([np.arange(n), image_of])
    edges = _edges(nodes, owner, n)
    heavy = heaviest(known, nodes, found.sigma)
    a, b = edges.T
    heights, places = tops(known, nodes[a], nodes[b], (heavy[a], heavy[b]), found.sigma, progress=progress)
    pairs, height, top = _best(np.sort(owner[edges], axis=1), heights, places)
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
    order = [k for k in np.argsort(climb) if climb[k] > _LEVEL * sigma**2][:_REFINED]
    saddles, sides = [], []
    for done, k in enumerate(order):
        at = _saddle(known, sigma, top[k])
        if at is not None:
            x, direction = at
            saddles.append(x)
            sides += [x + sign * _ASIDE * sigma * direction for sign in (1.0, -1.0)]
        if progress is not None:
            progress("saddles", done + 1, len(order))
    if not saddles:
        return pairs, height, np.zeros(len(pairs), dtype=bool)
    level = energies(known, np.array(saddles), sigma)
    ends = attractors(known, sigma, starts=np.array(sides), progress=progress)
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
        if h <= bound + _CLOSE * sigma**2:
            table[i, j] = (h, True)
    keys = sorted(table)
    values = [table[key] for key in keys]
    return np.array(keys), np.array([v[0] for v in values]), np.array([v[1] for v in values])


def _saddle(known: Memories, sigma: float, start: Array) -> tuple[Array, Array] | None:
    """Stationary point with one negative eigenvalue near a start, and its unstable direction; None if none is met."""
    x = anchor = np.array(start)
    chosen = None
    for _ in range(_STEPS):
        # Far memories hardly matter, and which they are changes little over short steps.
        if np.linalg.norm(x - anchor) > _SAME * sigma:
            chosen, anchor = None, x
        here = local(known, x, sigma, chosen)
        chosen = here.chosen
        values, directions = half_spectrum(known, x, sigma, here)
        if not len(values):  # one memory has all the weight: a parabola
            return None
        parts = directions.T @ here.shift
        scale = np.maximum(np.abs(values), _SOFTEST)
        scale[0] = -scale[0]
        step = directions @ (parts / scale) + (here.shift - directions @ parts)
        length = float(np.linalg.norm(step))
        if length <= _THERE * sigma:
            single = values[0] < -_LEVEL and (len(values) < 2 or values[1] > 0.0)
            return (x, directions[:, 0]) if single else None
        x = x + step * min(1.0, _LONGEST * sigma / length)
    return None
