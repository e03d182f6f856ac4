r"""Attractors of the energy of dense associative memory: where every start goes downhill.

The map ``x <- <xi>_x`` (mean shift) never raises the energy.  It is followed for all starts together, with steps
lengthened by the curvature that the last two steps showed (Barzilai and Borwein), never beyond sigma/2 and never
uphill: the energy has no structure below the scale of sigma, so that such a step leaves no basin.  Starts that have
come within `MET` sigma of one another are followed as one.  The end is Newton's method with the exact Hessian, since
mean shift takes for ever near a bifurcation.

A fixed point is an attractor only if the Hessian is positive there.  Where it is not, or nearly so, the descent goes
on from both sides along the softest direction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.diffusion.energy import (
    Local,
    checked_points,
    half_inverse,
    half_spectrum,
    local,
    neighbourhoods,
    softest,
    softmax,
)
from numerics.diffusion.memories import BLOCK, Memories, blocks, checked_sigma
from numerics.kernels.leaders import leaders
from numerics.rng import gaussians, stream
from theory.errors import InvalidInput

__all__ = ["MERGE", "Attractors", "Progress", "attractors", "grouped", "rounding_of"]

Array = NDArray[np.float64]
Progress = Callable[[str, int, int], None]

MERGE = 1e-6
"""Attractors closer than this, in units of sigma, are one."""

MET = 1e-3  # starts so near one another, in units of sigma, share their way
_LONGEST = 0.5  # of one accelerated step, in units of sigma
_QUARTIC = 1e-4  # resolution at a bifurcation, in units of sigma
_ISOLATED = 0.3  # trace of the covariance, in units of sigma^2, below which mean shift needs no help
_EPS = float(np.finfo(float).eps)
_FLAT = 1e-9  # half the curvature that counts as none
_SOFT = 1e-2  # curvature (of 2) below which both sides along the softest direction are tried
_GROWTH = 64.0  # a step is lengthened at most so much


@dataclass(frozen=True, eq=False)
class Attractors:
    """Minima of the energy and the starts that lead to them.

    Attributes
    ----------
    sigma : float
    points : (n, N) array
        In the order of rising energy.
    energy : (n,) array
        Sum over memories, not mean.
    residual : (n,) array
        |x - <xi>_x|, which would vanish at a fixed point.
    error : (n,) array
        Estimated distance to the exact fixed point: residual and rounding over the smallest eigenvalue; 1e-4 sigma
        where that is 0.
    softest : (n,) array
        Smallest eigenvalue of the Hessian; 2 for an isolated memory, 0 at a bifurcation and along a flat valley.  Above
        1.4 it is the lower bound ``2 - 2 Tr Cov_w/sigma^2``; `curvatures` has the exact ones.
    flat : (n,) bool array
        The smallest eigenvalue is zero to rounding: where the minimum lies along that direction means nothing.
    converged : (n,) bool array
        The residual is at the level of rounding.
    start : (B,) int array
        Attractor of every start.
    passes : int
        Sweeps over all starts and memories that were needed, in units of B.
    """

    sigma: float
    points: Array
    energy: Array
    residual: Array
    error: Array
    softest: Array
    flat: NDArray[np.bool_]
    converged: NDArray[np.bool_]
    start: NDArray[np.int64]
    passes: float = field(compare=False)

    def __len__(self) -> int:
        return len(self.points)

    @property
    def basin(self) -> NDArray[np.int64]:
        """Number of starts that lead to each attractor, (n,)."""
        return np.bincount(self.start, minlength=len(self))


def grouped(points: Array, tolerance: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Representatives of points that coincide within a distance.

    Returns
    -------
    chosen : (n,) int array
        Indices of the representatives.
    label : (B,) int array
        Which of them stands for each point.

    Examples
    --------
    >>> grouped(np.array([[0.0], [1.0], [1e-9]]), 1e-6)[1].tolist()
    [0, 1, 0]
    """
    direction = gaussians(stream("grouping"), rows=1, columns=points.shape[1])[0]
    direction /= np.linalg.norm(direction)
    key = points @ direction
    # Rounding of the key is allowed for; the distance itself decides.
    owner = leaders(np.ascontiguousarray(points), np.argsort(key, kind="stable"), key, tolerance)
    chosen, label = np.unique(owner, return_inverse=True)
    return chosen, label.ravel()


def attractors(
    known: Memories,
    sigma: float,
    *,
    starts: ArrayLike | None = None,
    merge: float = MERGE,
    max_passes: int = 2000,
    progress: Progress | None = None,
) -> Attractors:
    """Follow every start downhill to its minimum, to machine precision.

    Parameters
    ----------
    known : Memories
    sigma : float
        Noise at which the energy is taken.
    starts : (B, N) array or None
        None: the memories themselves.
    merge : float
        Attractors closer than this, in units of sigma, are one.
    max_passes : int
        Iterations of mean shift at most.
    progress : callable or None
        Called as ``progress(label, done, total)``.

    Returns
    -------
    Attractors

    Raises
    ------
    InvalidInput
        For numbers out of range or starts of another dimension.

    Examples
    --------
    >>> from numerics.diffusion.memories import memories
    >>> pair = memories([[-1.0, 0.0], [1.0, 0.0]])
    >>> len(attractors(pair, 0.9)), len(attractors(pair, 1.1))
    (2, 1)
    """
    s = checked_sigma(sigma)
    if not 0.0 < merge < 0.5:
        raise InvalidInput(f"merge = {merge} is not allowed; give a distance in units of sigma, 0 < merge < 0.5.")
    begin = known.points if starts is None else checked_points(known, starts)
    if not len(begin) or not np.isfinite(begin).all():
        raise InvalidInput("starts hold no point, or NaN or infinity; give one start a row, in finite numbers.")
    parts = blocks(len(begin), known.N, limit=2 * BLOCK)
    found = [_descend(known, s, begin[rows], max_passes, progress) for rows in parts]
    label = np.concatenate([part.label + sum(len(p.x) for p in found[:k]) for k, part in enumerate(found)])
    cost = sum(part.cost for part in found)
    ends, where = _polished(known, s, found, progress)
    chosen, group = _distinct(ends, s, merge)
    order = np.argsort([ends[i].energy for i in chosen], kind="stable")
    rank = np.argsort(order)
    kept = [ends[i] for i in chosen[order]]
    return Attractors(
        sigma=s,
        points=np.array([e.x for e in kept]),
        energy=np.array([e.energy for e in kept]),
        residual=np.array([e.residual for e in kept]),
        error=np.array([e.error for e in kept]),
        softest=np.array([e.softest for e in kept]),
        flat=np.array([e.flat for e in kept]),
        converged=np.array([e.converged for e in kept]),
        start=rank[group[where[label]]],
        passes=cost / len(begin),
    )


def _distinct(ends: list[_End], sigma: float, merge: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Representatives of ends that are one attractor, and which stands for each."""
    points = np.array([e.x for e in ends])
    chosen, group = grouped(points, merge * sigma)
    flat = np.flatnonzero([ends[i].flat for i in chosen])
    if len(flat) > 1:  # a quartic minimum is known to the cube root of rounding only
        head, label = grouped(points[chosen[flat]], max(merge, _QUARTIC) * sigma)
        owner = np.arange(len(chosen))
        owner[flat] = flat[head[label]]
        kept, again = np.unique(owner, return_inverse=True)
        chosen, group = chosen[kept], again.ravel()[group]
    return chosen, group


@dataclass(eq=False)
class _Descent:
    """Points on their way down, which of them each start became, and what was last seen there."""

    x: Array
    label: NDArray[np.int64]
    energy: Array
    residual: Array
    variance: Array
    isolated: NDArray[np.bool_]
    cost: int


def _descend(known: Memories, sigma: float, begin: Array, max_passes: int, progress: Progress | None) -> _Descent:
    """Mean shift of all starts: to the end where it contracts fast (isolated memories), else until nearly there."""
    x = np.array(begin, dtype=np.float64)
    size = len(x)
    at = _Descent(x, np.arange(size), np.full(size, np.inf), np.zeros(size), np.zeros(size), np.zeros(size, bool), 0)
    before, before_shift = x.copy(), np.zeros_like(x)
    done = np.zeros(size, dtype=bool)
    for k in range(max_passes):
        live = np.flatnonzero(~done)
        if not len(live):
            break
        found = softmax(known, at.x[live], sigma)
        at.cost += len(live)
        shift = found.mean - at.x[live]
        uphill = found.energy > at.energy[live] + 1e-12 * (np.abs(found.energy) + sigma**2)
        # A lengthened step that went uphill is taken back and replaced by the plain one, which cannot.
        back = live[uphill]
        at.x[back] = before[back] + before_shift[back]
        good, shift = live[~uphill], shift[~uphill]
        length = np.linalg.norm(shift, axis=1)
        at.energy[good], at.residual[good] = found.energy[~uphill], length
        at.variance[good] = found.variance[~uphill]
        at.isolated[good] = at.variance[good] <= _ISOLATED * sigma**2
        rounding = 16.0 * _EPS * (np.linalg.norm(at.x[good], axis=1) + float(np.linalg.norm(known.centre)) + sigma)
        step = _lengthened(at.x[good] - before[good], shift - before_shift[good], k) * length
        step = np.where(at.isolated[good], length, np.maximum(np.minimum(step, _LONGEST * sigma), length))
        # What is nearly there is left to Newton, but for isolated memories, where a few more passes cost less.
        done[good] = np.where(at.isolated[good], length <= rounding, step <= 1e-2 * MET * sigma)
        moving = ~done[good]
        before[good], before_shift[good] = at.x[good], shift
        at.x[good[moving]] += (shift * (step / np.maximum(length, 1e-300))[:, None])[moving]
        if k < 4 or k % 4 == 0:
            chosen, owner = grouped(at.x, MET * sigma)
            if len(chosen) < len(at.x):
                at.label = owner[at.label]
                for name in ("x", "energy", "residual", "variance", "isolated"):
                    setattr(at, name, getattr(at, name)[chosen])
                before, before_shift, done = before[chosen], before_shift[chosen], done[chosen]
        if progress is not None:
            progress("descent", int(done.sum()), len(done))
    at.isolated &= done
    return at


def _lengthened(moved: Array, change: Array, k: int) -> Array:
    """Factor on the mean shift, from the last two steps: the inverse of the curvature along the last one."""
    if k == 0:
        return np.ones(len(moved))
    along = -np.einsum("ij,ij->i", moved, change)
    square = np.einsum("ij,ij->i", moved, moved)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where(along > square / _GROWTH, square / along, _GROWTH)
    return np.clip(np.where(square > 0.0, factor, 1.0), 1.0, _GROWTH)


@dataclass(frozen=True)
class _End:
    x: Array
    energy: float
    residual: float
    error: float
    softest: float
    flat: bool
    converged: bool


def _polished(
    known: Memories, sigma: float, parts: list[_Descent], progress: Progress | None
) -> tuple[list[_End], NDArray[np.int64]]:
    """The ends, by Newton's method where it is needed, and which of them each point reached; others may follow."""
    ends: list[_End] = []
    where: list[int] = []
    total = sum(len(part.x) for part in parts)
    for part in parts:
        for k in np.flatnonzero(part.isolated):
            low = 1.0 - float(part.variance[k]) / sigma**2
            error = (float(part.residual[k]) + 16.0 * _EPS * float(np.linalg.norm(part.x[k]))) / low
            ends.append(_End(part.x[k], float(part.energy[k]), float(part.residual[k]), error, 2.0 * low, False, True))
        reached = np.empty(len(part.x), dtype=np.int64)
        reached[part.isolated] = np.arange(len(ends) - int(part.isolated.sum()), len(ends))
        rest = np.flatnonzero(~part.isolated)
        for k, chosen in zip(rest, neighbourhoods(known, part.x[rest], sigma), strict=True):
            found = _newton(known, sigma, part.x[k], chosen)
            reached[k] = len(ends)
            ends.append(found)
            if found.softest < _SOFT and not found.flat:
                ends += _both_sides(known, sigma, found)
            if progress is not None:
                progress("Newton", len(where) + int(part.isolated.sum()) + int(np.searchsorted(rest, k)) + 1, total)
        where += reached.tolist()
    return ends, np.array(where, dtype=np.int64)


def _both_sides(known: Memories, sigma: float, end: _End) -> list[_End]:
    """Minima on either side of one that is almost flat: starts of both may have met before they could part."""
    _, direction = softest(known, end.x, sigma)
    others = [_newton(known, sigma, end.x + sign * 3.0 * MET * sigma * direction) for sign in (1.0, -1.0)]
    return [other for other in others if other.converged]


def _newton(
    known: Memories, sigma: float, start: Array, chosen: NDArray[np.int64] | None = None, *, max_steps: int = 100
) -> _End:
    """Minimum near a start by Newton's method, kept downhill; the residual is summed over differences."""
    x, s2 = np.array(start), sigma**2
    here = local(known, x, sigma, chosen)
    anchor = x  # where the memories that matter were found
    low = 1.0
    for _ in range(max_steps):
        length, rounding = float(np.linalg.norm(here.shift)), rounding_of(x, here)
        positive = half_inverse(known, x, sigma, here)
        if positive is not None:
            step, low = positive
            step = step * min(1.0, _LONGEST * sigma / max(float(np.linalg.norm(step)), 1e-300))
        else:
            values, directions = half_spectrum(known, x, sigma, here)
            low = float(values[0])
            step = _newton_step(here.shift, values, directions, sigma)
        if length <= rounding and low >= -_FLAT:
            break
        if length <= rounding:  # a saddle: leave it, towards the larger of its components
            ahead = directions[np.argmax(np.abs(directions[:, 0])), 0]
            step = MET * sigma * np.sign(ahead) * directions[:, 0]
        trial = x + step
        # Moving on changes which memories matter; near the end they stay.
        if np.linalg.norm(trial - anchor) > 1e-2 * sigma:
            chosen, anchor = None, trial
        there = local(known, trial, sigma, chosen)
        if length > rounding and not _better(there, here, s2):
            trial = x + here.shift  # mean shift cannot go uphill
            there = local(known, trial, sigma, chosen)
            if not _better(there, here, s2):
                break
        x, here, chosen = trial, there, there.chosen
    length, rounding = float(np.linalg.norm(here.shift)), rounding_of(x, here)
    error = (length + rounding) / low if low > _FLAT else _QUARTIC * sigma
    converged = length <= 100.0 * rounding and low > -_FLAT
    return _End(x, here.energy, length, error, 2.0 * low, abs(low) <= _FLAT, converged)


def _newton_step(shift: Array, values: Array, directions: Array, sigma: float) -> Array:
    """Step by the inverse of half the Hessian with its eigenvalues taken positive, at most sigma/2 long."""
    parts = directions.T @ shift
    length = float(np.linalg.norm(shift))
    floor = max(_FLAT, length / (_LONGEST * sigma) * 1e-2)
    step = directions @ (parts / np.maximum(np.abs(values), floor)) + (shift - directions @ parts)
    return np.asarray(step * min(1.0, _LONGEST * sigma / max(float(np.linalg.norm(step)), 1e-300)))


def _better(there: Local, here: Local, s2: float) -> bool:
    """Lower, or as low to rounding and nearer to a fixed point."""
    level = 1e-13 * (s2 + abs(here.energy))
    if there.energy < here.energy - level:
        return True
    nearer = float(np.linalg.norm(there.shift)) < 0.9 * float(np.linalg.norm(here.shift))
    return there.energy <= here.energy + level and nearer


def rounding_of(x: Array, here: Local) -> float:
    """Size of the mean shift that is rounding."""
    return 4.0 * float(np.finfo(float).eps) * (float(np.linalg.norm(x)) + here.spread)
