r"""Minima of the energy by Newton's method: of many points together, or of one with everything exact.

Together, the weights of all memories are formed once a step, for a block of points, and the residual and the energy are
summed over all of them; the Hessian is made of the heavy weights only, as many as leave less than 1 % of sigma^2 of the
variance out, and kept once steps are short. The steps then converge linearly, by a factor of that size, which costs a
step or two; the end is the same. Points where this does not go smoothly (a Hessian that is not clearly positive, a long
step, a rise) are given back. Alone, sums run over differences, negative curvature is left behind, and no step goes
uphill.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from numerics.diffusion.curvature import half_inverse, half_spectrum, softest
from numerics.diffusion.energy import Local, Weighted, local, weighted
from numerics.diffusion.memories import Memories, Progress

__all__ = ["LONGEST", "QUARTIC", "End", "both_sides", "newton", "newton_together", "rounding_of"]

Array = NDArray[np.float64]

LONGEST = 0.5  # of one step, in units of sigma
QUARTIC = 1e-4  # resolution at a bifurcation, in units of sigma
_FLAT = 1e-9  # half the curvature that counts as none
_AWAY = 1e-3  # step off a saddle, in units of sigma
_EPS = float(np.finfo(float).eps)
_HEAVY = (1e-6, 1e-8, 1e-11, 0.0)  # weights that make the Hessian; the next one where too much is left out
_FEW = 500  # memories that are all heavy
_LEFT_OUT = 1e-2  # of the variance, in units of sigma^2
_SMOOTH = 0.2  # longest step of points that are followed together, in units of sigma
_CHORD = 0.02  # length of a step, in units of sigma, from which on its Hessian is kept
_MATRICES = 2**22  # elements of Hessians that are kept at a time
_CLEAR = 0.02  # half the curvature from which on a minimum is clear
_STEPS = 25


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
    """As `newton_together`, for as many points as Hessians are kept; one that is near enough serves to the end."""
    x = np.array(start)
    ends: list[End | None] = [None] * len(x)
    kept: dict[int, Array] = {}
    energy, length = np.full(len(x), np.inf), np.full(len(x), np.inf)
    live = np.arange(len(x))
    for _ in range(_STEPS):
        going: list[int] = []
        for at in weighted(known, x[live], sigma):
            which = live[at.rows]
            norm = np.linalg.norm(at.shift, axis=1)
            rounding = _rounding(known, x[which], at, sigma)
            level = 1e-12 * (sigma**2 + np.abs(at.energy))
            fine = (at.energy <= energy[which] + level) & (norm <= np.maximum(0.5 * length[which], rounding))
            arrived = np.flatnonzero(fine & (norm <= rounding))
            energy[which], length[which] = at.energy, norm
            for b in np.flatnonzero(fine & (norm > rounding)).tolist():
                i = int(which[b])
                inverse = kept[i] if i in kept else _inverse(_half(known, at, b, sigma))
                move = None if inverse is None else inverse @ at.shift[b]
                if inverse is not None and move is not None and float(np.linalg.norm(move)) <= _SMOOTH * sigma:
                    if float(np.linalg.norm(move)) <= _CHORD * sigma:
                        kept[i] = inverse
                    x[i] += move
                    going.append(i)
            half = [_half(known, at, b, sigma) for b in arrived.tolist()]  # a kept one is a step old
            for b, value in zip(arrived.tolist(), _softness(known, at, arrived, half, sigma), strict=True):
                if value >= _CLEAR:
                    i, residual = int(which[b]), float(norm[b])
                    error = (residual + float(rounding[b])) / value
                    ends[i] = End(x[i].copy(), float(at.energy[b]), residual, error, 2.0 * value, False, True)
        live = np.array(going, dtype=np.int64)
        if not len(live):
            break
    return ends


def _rounding(known: Memories, x: Array, at: Weighted, sigma: float) -> Array:
    """Rounding of shifts that are formed with exponents seen from the centre, (b,)."""
    reach = np.linalg.norm(x - known.centre, axis=1)
    spread = np.sqrt(at.variance)
    size = np.linalg.norm(x, axis=1) + float(np.linalg.norm(known.centre)) + spread
    return np.asarray(_EPS * (4.0 * size + 2.0 * (reach * (reach + spread) / sigma**2) * np.minimum(spread, sigma)))


def _half(known: Memories, at: Weighted, b: int, sigma: float) -> Array:
    """Half the Hessian, 1 - Cov_w/sigma^2, of the heavy memories."""
    for least in _HEAVY if known.K > _FEW else (0.0,):
        heavy = np.flatnonzero(at.w[b] > least)
        d = known.centred(slice(None))[heavy]
        d -= at.w[b, heavy] @ d / at.w[b, heavy].sum()
        d *= np.sqrt(at.w[b, heavy])[:, None]
        covariance = d.T @ d
        if at.variance[b] - np.trace(covariance) <= _LEFT_OUT * sigma**2:
            break
    return np.asarray(np.eye(known.N) - covariance / sigma**2)


def _inverse(half: Array) -> Array | None:
    """Inverse of half the Hessian; None where it is not positive."""
    try:
        np.linalg.cholesky(half)
    except np.linalg.LinAlgError:
        return None
    return np.asarray(np.linalg.inv(half))


def _softness(known: Memories, at: Weighted, points: NDArray[np.int64], half: list[Array], sigma: float) -> Array:
    """Smallest eigenvalue of half the Hessian at some points of a block, (p,).

    The direction is that of the heavy memories, corrected to first order in what they leave out, twice; the curvature
    along it is that of all, and wrong by the square of the direction's error only.
    """
    if not len(points):
        return np.zeros(0)
    value, vector = np.linalg.eigh(np.stack(half))
    direction, others = vector[:, :, 0], vector[:, :, 1:]
    gap = np.maximum(value[:, 1:] - value[:, :1], _LEFT_OUT)
    w, stored = at.w[points], known.centred(slice(None))
    for last in (False, False, True):
        along = direction @ stored.T
        along -= np.einsum("ij,ij->i", w, along)[:, None]
        carried = w * along
        low = 1.0 - np.einsum("ij,ij->i", carried, along) / sigma**2
        if last or known.N < 2 or known.K <= _FEW:
            break
        residual = (1.0 - low)[:, None] * direction - carried @ stored / sigma**2
        direction = direction - np.einsum("pij,pj->pi", others, np.einsum("pij,pi->pj", others, residual) / gap)
        direction /= np.linalg.norm(direction, axis=1)[:, None]
    return np.asarray(low)


def newton(
    known: Memories, sigma: float, start: Array, chosen: NDArray[np.int64] | None = None, *, max_steps: int = 100
) -> End:
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
            step = step * min(1.0, LONGEST * sigma / max(float(np.linalg.norm(step)), 1e-300))
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
    length, rounding = float(np.linalg.norm(here.shift)), rounding_of(x, here)
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
    floor = max(_FLAT, length / (LONGEST * sigma) * 1e-2)
    step = directions @ (parts / np.maximum(np.abs(values), floor)) + (shift - directions @ parts)
    return np.asarray(step * min(1.0, LONGEST * sigma / max(float(np.linalg.norm(step)), 1e-300)))


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
