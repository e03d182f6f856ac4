r"""Minima of the energy by Newton's method: of many points together, or of one with everything exact.

Together, the weights of all memories are formed once a step, for a block of points, and the residual and the energy are
summed over all of them.  The Hessian is made once, of the heavy weights that leave at most `_LEFT_OUT` sigma^2 of the
variance out, and its inverse then learns from the steps (secant updates): the end is the same and comes as soon.
Points where this does not go smoothly (a Hessian that is not clearly positive, a long step, a rise) are given back.
Alone, sums run over differences, negative curvature is left behind, and no step goes uphill.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.diffusion.curvature import half_inverse, half_spectrum, softest
from numerics.diffusion.energy import Local, Weighted, combined, components, local, weighted
from numerics.diffusion.memories import Memories, Progress, blocks

__all__ = ["QUARTIC", "End", "both_sides", "captures", "newton", "newton_together"]

Array = NDArray[np.float64]

_LONGEST = 0.5  # of one step, in units of sigma
QUARTIC = 1e-4  # resolution at a bifurcation, in units of sigma
_FLAT = 1e-9  # half the curvature that counts as none
_AWAY = 1e-3  # step off a saddle, in units of sigma
_EPS = float(np.finfo(float).eps)
_NOISE = 1e4  # a shift of so many times its rounding shows something of the Hessian
_LEVELS = 64  # powers of two by which weights are told apart
_LEFT_OUT = 3e-2  # of the variance, in units of sigma^2
_SMOOTH = 0.2  # longest step of points that are followed together, in units of sigma
_CHORD = 0.02  # length of a step, in units of sigma, from which on its Hessian is kept
_MATRICES = 2**22  # elements of Hessians that are kept at a time
_CLEAR = 0.05  # half the curvature from which on a minimum is clear, whatever was left out
_STEPS = 25
_CORRECTIONS, _WRONG = 20, 1e-10  # of the softest direction, until half its curvature is wrong by less
_CLOSE = 1e-2  # half the curvatures that may have changed their order


@dataclass(frozen=True)
class End:
    """Where a start ended; see `Attractors` for the meaning of the numbers."""

    x: Array
    energy: float
    residual: float
    error: float
    softest: float
    flat: bool
    converged: bool


def newton_together(
    known: Memories, sigma: float, start: Array, *, progress: Progress | None = None
) -> list[End | None]:
    """Minima near points (B, N) that are nearly there; None where Newton's method does not go smoothly."""
    ends: list[End | None] = []
    size = max(16, _MATRICES // known.N**2)
    for first in range(0, len(start), size):
        ends += _group(known, sigma, start[first : first + size])
        if progress is not None:
            progress("Newton", len(ends), len(start))
    return ends


def _group(known: Memories, sigma: float, start: Array) -> list[End | None]:
    """As `newton_together`, for as many points as Hessians are kept."""
    x = np.array(start)
    ends: list[End | None] = [None] * len(x)
    inverse = np.empty((len(x), known.N, known.N))
    kept = np.zeros(len(x), dtype=bool)
    energy, length = np.full(len(x), np.inf), np.full(len(x), np.inf)
    moved, before = np.empty_like(x), np.empty_like(x)
    live = np.arange(len(x))
    for _ in range(_STEPS):
        going = []
        for at in weighted(known, x[live], sigma):
            which = live[at.rows]
            norm = np.linalg.norm(at.shift, axis=1)
            rounding = _rounding_together(known, x[which], at, sigma)
            level = 1e-12 * (sigma**2 + np.abs(at.energy))
            fine = (at.energy <= energy[which] + level) & (norm <= np.maximum(0.5 * length[which], rounding))
            last = length[which]
            energy[which], length[which] = at.energy, norm
            on = np.flatnonzero(fine)
            old = on[kept[which[on]] & (last[on] > _NOISE * rounding[on])]
            _learn(inverse, which[old], moved[which[old]], before[which[old]] - at.shift[old])
            positive = kept[which]
            for b in on[~positive[on]].tolist():
                found = _inverse(_half(known, at, b, sigma))
                if found is not None:
                    inverse[which[b]], positive[b] = found, True
            arrived = on[positive[on] & (norm[on] <= rounding[on])]
            softness = _softness(known, at, arrived, inverse[which[arrived]], sigma)
            for b, value in zip(arrived.tolist(), softness.tolist(), strict=True):
                if value >= _CLEAR:
                    i, residual = which[b], float(norm[b])
                    error = (residual + float(rounding[b])) / value
                    ends[i] = End(x[i].copy(), float(at.energy[b]), residual, error, 2.0 * value, False, True)
            on = on[positive[on] & (norm[on] > rounding[on])]
            i = which[on]
            move = np.einsum("bij,bj->bi", inverse[i], at.shift[on])
            step = np.linalg.norm(move, axis=1)
            kept[i] |= step <= _CHORD * sigma
            short = step <= _SMOOTH * sigma
            i, move = i[short], move[short]
            x[i] += move
            moved[i], before[i] = move, at.shift[on[short]]
            going.append(i)
        live = np.concatenate(going)
        if not len(live):
            break
    return ends


def _learn(inverse: Array, which: NDArray[np.int64], moved: Array, change: Array) -> None:
    """Correct some inverses by what the last step showed of them (the symmetric secant update of rank one)."""
    wrong = moved - np.einsum("bij,bj->bi", inverse[which], change)
    along = np.einsum("bi,bi->b", wrong, change)
    size = np.linalg.norm(wrong, axis=1) * np.linalg.norm(change, axis=1)
    good = np.abs(along) > 1e-6 * size
    wrong, along = wrong[good], along[good]
    inverse[which[good]] += wrong[:, :, None] * (wrong / along[:, None])[:, None, :]


def captures(known: Memories, sigma: float, ends: list[End]) -> Array:
    """Radii of balls around minima in which mean shift contracts towards them, so that it ends there, (n,).

    At a distance r <= R from a minimum, where the covariance is C, the weights are those at the minimum times factors
    of at most exp(r |xi - x|/sigma^2), over a sum that is at least 1 (Jensen).  With D any length, the covariance is
    therefore at most

        exp(R D/sigma^2) C + sum_mu w_mu [exp(R |xi_mu - x|/sigma^2) - exp(R D/sigma^2)]_+ |xi_mu - x|^2,

    and the map contracts where this is below sigma^2.
    """
    radius = np.zeros(len(ends))
    for at in weighted(known, np.array([end.x for end in ends]).reshape(-1, known.N), sigma):
        here = ends[at.rows]
        x = np.array([end.x for end in here]) - known.centre
        square = known.squares - 2.0 * components(known, x) + np.einsum("ij,ij->i", x, x)[:, None]
        far = np.sqrt(np.maximum(square, 0.0)) / sigma  # distances in units of sigma, as all that follows
        weight = at.w * far**2
        reach = far.max(1)
        for b, end in enumerate(here):
            if end.softest > 0.0:
                largest = max(1.0 - 0.5 * end.softest, 1e-100)
                radius[at.rows.start + b] = sigma * _contracting(weight[b], far[b], largest, float(reach[b]))
    return radius


def _contracting(weight: Array, far: Array, largest: float, reach: float) -> float:
    """Radius of the ball of `captures`, in units of sigma: the longest that some values of D show."""
    best = 0.0
    for share in (1.0, 0.75, 0.6, 0.5, 0.4):  # of the distance of the memory that is farthest
        D = max(share * reach, 1e-100)
        beyond = far > D
        w, d = weight[beyond], far[beyond]
        radius = -math.log(largest) / D  # where the first term alone is sigma^2; no more is to be had
        for _ in range(6):
            if radius <= best:
                break
            first = math.exp(radius * D)
            if largest * first + float(w @ (np.exp(radius * d) - first)) < 1.0:
                best = radius
                break
            radius *= 0.8
    return 0.99 * best


def _rounding_together(known: Memories, x: Array, at: Weighted, sigma: float) -> Array:
    """Rounding of shifts that are formed with exponents seen from the centre, (b,)."""
    reach = np.linalg.norm(x - known.centre, axis=1)
    spread = np.sqrt(at.variance)
    size = np.linalg.norm(x, axis=1) + float(np.linalg.norm(known.centre)) + spread
    return np.asarray(_EPS * (4.0 * size + 2.0 * (reach * (reach + spread) / sigma**2) * np.minimum(spread, sigma)))


def _half(known: Memories, at: Weighted, b: int, sigma: float) -> Array:
    """Half the Hessian, 1 - Cov_w/sigma^2, of the heavy memories."""
    # A memory's share in the variance is at most 2 w (|xi|^2 + |mean|^2); shares are summed by the weight's exponent.
    mean = at.x[b] + at.shift[b] - known.centre
    level = np.clip(-np.frexp(at.w[b])[1], 0, _LEVELS)
    share = np.bincount(level, weights=at.w[b] * (known.squares + mean @ mean), minlength=_LEVELS + 1)
    light = np.cumsum(2.0 * share[::-1])[::-1] <= _LEFT_OUT * sigma**2
    heavy = np.flatnonzero(level < np.argmax(light)) if light[-1] else np.arange(known.K)
    half = np.eye(known.N)
    for part in blocks(len(heavy), known.N):
        d = known.points[heavy[part]]
        d -= known.centre + mean
        d *= np.sqrt(at.w[b, heavy[part]])[:, None] / sigma
        half -= d.T @ d
    return half


def _inverse(half: Array) -> Array | None:
    """Inverse of half the Hessian; None where it is not positive."""
    try:
        np.linalg.cholesky(half)
    except np.linalg.LinAlgError:
        return None
    return np.asarray(np.linalg.inv(half))


def _softness(known: Memories, at: Weighted, points: NDArray[np.int64], inverse: Array, sigma: float) -> Array:
    """Smallest eigenvalue of half the Hessian at some points of a block, (p,), from inverses that are nearly right.

    Their softest direction is mended by steepest descent of the curvature along it, with the inverses' other
    eigenvalues as preconditioner, until what is left in other directions changes that curvature no more; nan where it
    still does after `_CORRECTIONS`.
    """
    w = at.w[points]

    def half(v: Array) -> Array:
        along = components(known, v)
        along -= np.einsum("ij,ij->i", w, along)[:, None]
        along *= w
        return v - combined(known, along) / sigma**2

    value, vector = np.linalg.eigh(inverse)
    value = np.maximum(value, 1e-100)
    gap = 1.0 / value[:, -2::-1] - 1.0 / value[:, -1:]
    others, d = vector[:, :, -2::-1], vector[:, :, -1]
    across = half(d)
    for _ in range(_CORRECTIONS):
        low = np.einsum("pi,pi->p", d, across)
        parts = np.einsum("pij,pi->pj", others, across - low[:, None] * d)
        left = np.abs(parts) / np.maximum(gap, np.maximum(np.abs(parts), 1e-300))
        settled = (np.abs(parts) * left).sum(1) <= _WRONG
        if settled.all():
            break
        t = np.einsum("pij,pj->pi", others, parts / np.maximum(gap, _CLOSE))
        t -= np.einsum("pi,pi->p", d, t)[:, None] * d
        t /= np.maximum(np.linalg.norm(t, axis=1), 1e-300)[:, None]
        beside = half(t)
        mixed, other = np.einsum("pi,pi->p", d, beside), np.einsum("pi,pi->p", t, beside)
        angle = 0.5 * np.arctan2(2.0 * mixed, low - other)[:, None]
        d, across = np.cos(angle) * t - np.sin(angle) * d, np.cos(angle) * beside - np.sin(angle) * across
    return np.where(settled, low, math.nan)


def newton(
    known: Memories, sigma: float, start: Array, chosen: NDArray[np.int64] | None = None, *, max_steps: int = 100
) -> End:
    """Minimum near a start by Newton's method, kept downhill; the residual is summed over differences."""
    x, s2 = np.array(start), sigma**2
    here = local(known, x, sigma, chosen)
    anchor = x  # where the memories that matter were found
    low = 1.0
    for _ in range(max_steps):
        length, rounding = float(np.linalg.norm(here.shift)), _rounding_alone(x, here)
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
            step = _AWAY * sigma * np.sign(ahead) * directions[:, 0]
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
    length, rounding = float(np.linalg.norm(here.shift)), _rounding_alone(x, here)
    error = (length + rounding) / low if low > _FLAT else QUARTIC * sigma
    converged = length <= 100.0 * rounding and low > -_FLAT
    return End(x, here.energy, length, error, 2.0 * low, abs(low) <= _FLAT, converged)


def both_sides(known: Memories, sigma: float, end: End, away: float) -> list[End]:
    """Minima on either side of one that is almost flat: starts of both may have met before they could part."""
    _, direction = softest(known, end.x, sigma)
    others = [newton(known, sigma, end.x + sign * away * direction) for sign in (1.0, -1.0)]
    return [other for other in others if other.converged]


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


def _rounding_alone(x: Array, here: Local) -> float:
    """Size of the mean shift that is rounding."""
    return 4.0 * float(np.finfo(float).eps) * (float(np.linalg.norm(x)) + here.spread)
