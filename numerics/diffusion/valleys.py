r"""Valleys: what can be reached from an attractor without climbing more than a given depth.

The *valley* of an attractor at depth eps is the part of ``{x: E(x) <= E_min + eps/beta}`` that it lies in, E_min being
its own energy: the density nowhere on the way falls below exp(-eps) of what it is at the attractor.  Valleys are nested
or apart: that of a deep minimum may be part of that of a shallow one beside it, and not the other way round.  All of
them are read off the one tree in which attractors join as the level rises over the saddles between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.diffusion.attractors import Attractors
from numerics.diffusion.barriers import Barriers
from numerics.diffusion.memories import beta_of

__all__ = ["Valleys", "valleys"]

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Valleys:
    """The valley of every attractor, at one depth.

    Attributes
    ----------
    depth : float
        In units of 1/beta.
    bottom : (n,) int array
        Lowest attractor of each one's valley; it is the bottom of its own.
    span : (n,) array
        Extent of the valley: the largest distance, or a little less, between its minima and those images of memories
        (one mean-shift step later) that lie in it.
    order : (n,) int array
        Attractors in an order in which every valley is without gaps.
    first, last : (n,) int array
        The valley of attractor i holds the attractors ``order[first[i]:last[i]]``.
    """

    depth: float
    bottom: Integers
    span: Array
    order: Integers
    first: Integers
    last: Integers

    def members(self, i: int) -> Integers:
        """Attractors in the valley of one, itself among them."""
        return self.order[self.first[i] : self.last[i]]


def valleys(found: Attractors, walls: Barriers, depth: float) -> Valleys:
    """Find the valley of every attractor.

    Parameters
    ----------
    found : Attractors
    walls : Barriers
    depth : float
        In units of 1/beta: the density falls by exp(-depth).

    Returns
    -------
    Valleys

    Examples
    --------
    >>> from numerics.diffusion.attractors import attractors
    >>> from numerics.diffusion.barriers import barriers
    >>> from numerics.diffusion.memories import memories
    >>> row = memories([[0.0], [4.0], [6.5]])  # sigma = 1: the last two are 2.5 apart
    >>> found = attractors(row, 1.0)
    >>> low = valleys(found, barriers(row, found), 0.5)
    >>> sorted(sorted(found.points[low.members(i), 0].round(1).tolist()) for i in range(3))
    [[0.0], [4.1, 6.3], [4.1, 6.3]]
    """
    level = found.energy + depth / beta_of(found.sigma)
    order, first, last, bottom = _joined(walls.pairs, walls.saddles, level)
    return Valleys(depth, bottom, _spans(found, walls, level, order, first, last), order, first, last)


def _joined(pairs: Integers, saddles: Array, level: Array) -> tuple[Integers, Integers, Integers, Integers]:
    """Order of the attractors, first and last place in it of every valley, and its lowest attractor.

    Saddles join attractors in the order of their height.  What is joined is one list, to which others are appended
    whole, so that it stays without gaps.
    """
    n = len(level)
    parent, following = list(range(n)), [-1] * n
    head, tail, size, lowest = list(range(n)), list(range(n)), [1] * n, list(range(n))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    rising = iter(np.argsort(saddles, kind="stable").tolist())
    k = next(rising, None)
    start, count, bottom = [0] * n, [0] * n, [0] * n
    for i in np.argsort(level, kind="stable").tolist():
        while k is not None and saddles[k] <= level[i]:
            a, b = (root(j) for j in pairs[k].tolist())
            if a != b:
                parent[b] = a
                following[tail[a]], tail[a] = head[b], tail[b]
                size[a] += size[b]
                lowest[a] = min(lowest[a], lowest[b])  # attractors are in the order of their energy
            k = next(rising, None)
        r = root(i)
        start[i], count[i], bottom[i] = head[r], size[r], lowest[r]
    order: list[int] = []
    for r in sorted({root(i) for i in range(n)}):
        at = head[r]
        while at >= 0:
            order.append(at)
            at = following[at]
    place = np.empty(n, dtype=np.int64)
    place[order] = np.arange(n)
    first = place[start]
    return np.array(order), first, first + np.array(count), np.array(bottom)


def _spans(found: Attractors, walls: Barriers, level: Array, order: Integers, first: Integers, last: Integers) -> Array:
    """Extent of every valley: two minima that are far apart, the image farthest from these, and from that."""
    minima = found.points[order]
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    by_place = np.argsort(place[walls.image_of], kind="stable")
    images, height = walls.images[by_place], walls.image_energy[by_place]
    begin, end = (np.searchsorted(place[walls.image_of][by_place], x) for x in (first, last))
    known: dict[tuple[int, int], tuple[float, Array]] = {}
    span = np.empty(len(order))
    for i, part in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        seen = slice(begin[i], end[i])
        if part not in known:
            width, ends = _diameter(minima[slice(*part)])
            known[part] = width, np.max([np.linalg.norm(images[seen] - x, axis=1) for x in ends], axis=0)
        width, away = known[part]
        span[i] = width
        low = np.flatnonzero(height[seen] <= level[i])
        if len(low):
            far = images[seen][low[away[low].argmax()]]
            span[i] = max(width, float(away[low].max()), float(np.linalg.norm(images[seen][low] - far, axis=1).max()))
    return span


def _diameter(points: Array) -> tuple[float, tuple[Array, Array]]:
    """Largest distance found by going to the farthest point three times, and the two points."""
    here = points[0]
    best, ends = 0.0, (here, here)
    for _ in range(3 if len(points) > 1 else 0):
        distance = np.linalg.norm(points - here, axis=1)
        there = points[distance.argmax()]
        if float(distance.max()) > best:
            best, ends = float(distance.max()), (here, there)
        here = there
    return best, ends
