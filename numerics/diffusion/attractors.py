r"""Attractors of the energy of dense associative memory: where every start goes downhill.

The map ``x <- <xi>_x`` (mean shift) never raises the energy, and where it leads is what is asked for.  It is followed
for all starts together, in single precision while far.  Starts that have come within `MET` sigma of one another are
followed as one.  Mean shift takes for ever near a bifurcation: steps that keep their direction are lengthened by the
curvature that the last two showed (Barzilai and Borwein) once there were many, never uphill, and the end is Newton's
method.  That is for the first of those that arrive together; others end there where mean shift contracts (`captures`).

A fixed point is an attractor only if the Hessian is positive there.  Where it is not, or nearly so, the descent goes
on from both sides along the softest direction.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numerics.diffusion.energy import Softmax, checked_points, softmax
from numerics.diffusion.memories import BLOCK, Memories, Progress, blocks, checked_memories, checked_sigma
from numerics.diffusion.minimum import QUARTIC, End, both_sides, captures, newton, newton_together
from numerics.kernels.leaders import leaders
from numerics.rng import gaussians, stream
from theory.errors import InvalidInput, is_number, whole_number

__all__ = ["MERGE", "Attractors", "Progress", "attractors", "grouped"]

Array = NDArray[np.float64]

MERGE = 1e-6
"""Attractors closer than this, in units of sigma, are one."""

MET = 1e-3  # starts so near one another, in units of sigma, share their way
_NEAR = 0.03  # distance that seems left, in units of sigma, from which on Newton's method takes over
_LAST = 1e-4  # the same, where each is left to Newton's method alone
_CLOSER = 0.25  # by how much nearer those come that Newton's method did not take
_CELL = 0.2  # of those within so many sigma one goes first
_ISOLATED = 0.1  # trace of the covariance, in units of sigma^2, below which mean shift needs no help
_SINGLE = 40.0  # extent in units of sigma up to which exponents of single precision are right to 1e-4
_WIDEST = 1e100  # extent of the data in units of sigma
_EPS = float(np.finfo(float).eps)
_SOFT = 1e-2  # curvature (of 2) below which both sides along the softest direction are tried
_PATIENCE = 100  # passes before steps are lengthened
_GROWTH, _STRIDE = 64.0, 0.1  # a step is lengthened at most so much, and to so many sigma
_STRAIGHT = 0.9  # cosine between steps that keep their direction


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
        1.8 it is the lower bound ``2 - 2 Tr Cov_w/sigma^2``; `curvatures` has the exact ones.
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
        Iterations of mean shift at most; Newton's method goes on from there, which could end in another basin.
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
    checked_memories(known)
    s = checked_sigma(sigma)
    whole_number("max_passes", max_passes, 1)
    if not is_number(merge) or not 0.0 < merge < 0.5:
        raise InvalidInput(f"merge = {merge} is not allowed; give a distance in units of sigma, 0 < merge < 0.5.")
    begin = known.points if starts is None else checked_points(known, starts)
    if not len(begin) or not np.isfinite(begin).all():
        raise InvalidInput("starts hold no point, or NaN or infinity; give one start a row, in finite numbers.")
    if not known.extent <= _WIDEST * s:
        raise InvalidInput(
            f"sigma = {sigma} is less than {1 / _WIDEST:g} of the data's extent, {known.extent:.3g}, and every memory "
            "is its own attractor to any precision; give a larger sigma."
        )
    ends: list[End] = []
    where, cost = [], 0
    for rows in blocks(len(begin), known.N, limit=2 * BLOCK):
        found = _descend(known, s, begin[rows], _NEAR, max_passes, progress)
        more, reached, extra = _ends(known, s, found, _NEAR, max_passes, progress)
        where.append(len(ends) + reached[found.label])
        ends += more
        cost += found.cost + extra
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
        start=rank[group[np.concatenate(where)]],
        passes=cost / len(begin),
    )


def _distinct(ends: list[End], sigma: float, merge: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Representatives of ends that are one attractor, and which stands for each."""
    points = np.array([e.x for e in ends])
    chosen, group = grouped(points, merge * sigma)
    flat = np.flatnonzero([ends[i].flat for i in chosen])
    if len(flat) > 1:  # a quartic minimum is known to the cube root of rounding only
        head, label = grouped(points[chosen[flat]], max(merge, QUARTIC) * sigma)
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


def _descend(
    known: Memories, sigma: float, begin: Array, near: float, max_passes: int, progress: Progress | None
) -> _Descent:
    """Mean shift of all starts: to the end where it contracts fast (isolated memories), else to steps near*sigma."""
    x = np.array(begin, dtype=np.float64)
    size = len(x)
    at = _Descent(x, np.arange(size), np.full(size, np.inf), np.zeros(size), np.zeros(size), np.zeros(size, bool), 0)
    before, before_shift = x.copy(), np.zeros_like(x)
    done = np.zeros(size, dtype=bool)
    always = known.extent > _SINGLE * sigma
    level = (1e-12 * sigma**2, 1e-6 * known.extent**2)  # energies that do not differ, in double and single precision
    for k in range(max_passes):
        live = np.flatnonzero(~done)
        if not len(live):
            break
        # The first pass shows which are isolated, and these are at rest already if it is exact.
        fine = at.isolated[live] | always | (k == 0)
        found = _softmax_of_either(known, at.x[live], sigma, fine)
        at.cost += len(live)
        shift = found.mean - at.x[live]
        rounding = 16.0 * _EPS * (np.linalg.norm(at.x[live], axis=1) + float(np.linalg.norm(known.centre)) + sigma)
        # A lengthened step that went uphill is taken back and replaced by the plain one, which cannot.
        uphill = found.energy > at.energy[live] + 1e-12 * np.abs(found.energy) + np.where(fine, *level)
        went, plain = (np.linalg.norm(v, axis=1) for v in (at.x[live] - before[live], before_shift[live]))
        uphill &= went > (1.0 + 1e-6) * plain + rounding
        back = live[uphill]
        at.x[back] = before[back] + before_shift[back]
        good, shift = live[~uphill], shift[~uphill]
        length = np.linalg.norm(shift, axis=1)
        at.residual[good], at.variance[good] = length, found.variance[~uphill]
        at.isolated[good] = at.variance[good] <= _ISOLATED * sigma**2
        # In double precision from here on: an energy in single precision is no measure.
        at.energy[good] = np.where(at.isolated[good] & ~fine[~uphill], np.inf, found.energy[~uphill])
        ahead, longer = _ahead(at.x[good] - before[good], shift, before_shift[good], sigma)
        # What is nearly there is left to Newton, but for isolated memories, where a few more passes cost less.
        done[good] = np.where(at.isolated[good], fine[~uphill] & (length <= rounding[~uphill]), ahead <= near * sigma)
        moving = ~done[good]
        before[good], before_shift[good] = at.x[good], shift
        at.x[good[moving]] += (shift * np.where(at.isolated[good] | (k < _PATIENCE), 1.0, longer)[:, None])[moving]
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


def _softmax_of_either(known: Memories, x: Array, sigma: float, fine: NDArray[np.bool_]) -> Softmax:
    """The softmax at points in double precision, or in single."""
    if fine.all():
        return softmax(known, x, sigma)
    out = Softmax(np.empty(len(x)), np.empty_like(x), np.empty(len(x)))
    for part, single in ((fine, False), (~fine, True)):
        for field_, values in zip(out, softmax(known, x[part], sigma, single=single), strict=True):
            field_[part] = values
    return out


def _ahead(moved: Array, shift: Array, before: Array, sigma: float) -> tuple[Array, Array]:
    """How far the minimum seems to be, and by what factor the mean shift may be lengthened."""
    length = np.linalg.norm(shift, axis=1)
    square = np.einsum("ij,ij->i", moved, moved)
    bent = -np.einsum("ij,ij->i", moved, shift - before)
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = np.where(bent > square / _GROWTH, square / bent, _GROWTH)
        longest = np.maximum(_STRIDE * sigma / length, 1.0)
    growth = np.where(square > 0.0, np.maximum(growth, 1.0), 1.0)
    straight = np.einsum("ij,ij->i", shift, before) >= _STRAIGHT * length * np.linalg.norm(before, axis=1)
    return length * growth, np.where(straight, np.minimum(growth, longest), 1.0)


def _ends(
    known: Memories, sigma: float, part: _Descent, near: float, max_passes: int, progress: Progress | None
) -> tuple[list[End], NDArray[np.int64], int]:
    """The ends of points on their way, which of them each reached (others may follow), and further passes."""
    alone, rest = np.flatnonzero(part.isolated), np.flatnonzero(~part.isolated)
    reached = np.full(len(part.x), -1)
    reached[alone] = np.arange(len(alone))
    ends = [_isolated(part, k, sigma) for k in alone.tolist()]
    if near < _LAST:
        reached[rest] = len(ends) + np.arange(len(rest))
        return ends + _one_by_one(known, sigma, part.x[rest], progress), reached, 0
    head, cell = grouped(part.x[rest], _CELL * sigma)
    found = newton_together(known, sigma, part.x[rest[head]], progress=progress)
    followed = np.bincount(cell, minlength=len(head)) > 1
    shown = [h for h, end in enumerate(found) if end is not None and followed[h]]
    target, radius = part.x[rest[head]], np.zeros(len(head))
    radius[shown] = captures(known, sigma, [end for h in shown if (end := found[h]) is not None])
    for h, end in enumerate(found):
        if end is not None:
            target[h], reached[rest[head[h]]] = end.x, len(ends)
            ends.append(end)
    caught = np.linalg.norm(part.x[rest] - target[cell], axis=1) < radius[cell]
    reached[rest[caught]] = reached[rest[head[cell[caught]]]]
    rest = rest[reached[rest] < 0]
    if not len(rest):
        return ends, reached, 0
    left = _descend(known, sigma, part.x[rest], _CLOSER * near, max_passes, progress)
    more, where, cost = _ends(known, sigma, left, _CLOSER * near, max_passes, progress)
    reached[rest] = len(ends) + where[left.label]
    return ends + more, reached, left.cost + cost


def _one_by_one(known: Memories, sigma: float, x: Array, progress: Progress | None) -> list[End]:
    """Ends of points by Newton's method, in their order; further ends beside those that are almost flat follow."""
    ends, more = [], []
    for k, start in enumerate(x):
        end = newton(known, sigma, start)
        ends.append(end)
        if end.softest < _SOFT and not end.flat:
            more += both_sides(known, sigma, end, 3.0 * MET * sigma)
        if progress is not None:
            progress("Newton", k + 1, len(x))
    return ends + more


def _isolated(part: _Descent, k: int, sigma: float) -> End:
    """A point to which mean shift converged by itself."""
    low = 1.0 - float(part.variance[k]) / sigma**2
    error = (float(part.residual[k]) + 16.0 * _EPS * float(np.linalg.norm(part.x[k]))) / low
    return End(part.x[k], float(part.energy[k]), float(part.residual[k]), error, 2.0 * low, False, True)
