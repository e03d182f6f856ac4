"""Follow a solution as a parameter changes: scaled pseudo-arclength branches with their special points.

The same routine follows folds in a second parameter, on the extended system of `theory.folds`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.folds import solve_folds
from theory.problem import Problem, Status, scale_of

__all__ = ["Branch", "SpecialPoint", "StopReason", "trace"]

Array = NDArray[np.float64]


class StopReason(Enum):
    """Why a branch ended."""

    SPAN_END = "the end of the requested parameter range"
    EVENT = "the stop condition of the caller"
    MAX_STEPS = "the largest number of steps (raise max_steps)"
    STEP_TOO_SMALL = "the step length fell below its minimum (the branch may end or turn sharply here)"
    CLOSED_LOOP = "the branch returned to its start"


@dataclass(frozen=True)
class SpecialPoint:
    """A located point of a branch: kind 'fold' or the name of an event function."""

    kind: str
    parameter: float
    x: Array
    null_vector: Array | None = None
    error: float = 0.0


@dataclass(frozen=True)
class Branch:
    """A traced branch.

    Attributes
    ----------
    parameter : (s,) array
        Values of the followed parameter.
    x : (s, n) array
        Solutions.
    direction : (s,) array
        Sign of the parameter's change along the branch.
    special : list of SpecialPoint
    stopped : StopReason
    names : tuple of str
    """

    parameter: Array
    x: Array
    direction: Array
    special: list[SpecialPoint]
    stopped: StopReason
    names: tuple[str, ...] = ()

    @property
    def folds(self) -> list[SpecialPoint]:
        """The folds among the special points, in branch order."""
        return [s for s in self.special if s.kind == "fold"]


Event = Callable[[Array, Array], float]


@dataclass
class _Point:
    """A point of the curve ``G(u) = 0`` with u = (x, log lambda)."""

    x: Array
    mu: float
    tangent: Array
    events: list[float] = field(default_factory=list)


def trace(
    problem: Problem,
    x: Any,
    p: Any,
    column: int,
    *,
    towards: int,
    span: tuple[float, float],
    stop: Callable[[Array, float], bool] | None = None,
    events: dict[str, Event] | None = None,
    max_steps: int = 400,
    first_step: float = 0.05,
    largest_step: float = 0.6,
    stop_at_fold: bool = False,
) -> Branch:
    """Follow a solution through its folds, with the logarithm of a positive parameter as the coordinate.

    Parameters
    ----------
    problem : Problem
    x : (n,) array
        A solution.
    p : (k,) array
        Its parameters.
    column : int
        The parameter that is followed; must be positive.
    towards : {-1, 1}
        Initial direction of the parameter.
    span : (float, float)
        Range of the parameter; the branch ends at either bound.
    stop : callable or None
        ``stop(x, parameter)``: end the branch when true.
    events : dict of str to callable or None
        Functions ``(x, p) -> float`` whose sign changes are located.

    Returns
    -------
    Branch
    """
    x0, p0 = np.array(x, float), np.array(p, float)
    low, high = np.log(span[0]), np.log(span[1])
    n, events = len(x0), events or {}

    def at(mu: float) -> Array:
        q = p0.copy()
        q[column] = np.exp(mu)
        return q

    def tangent(x: Array, mu: float, along: Array) -> Array:
        lin = problem.linearise(x[None], at(mu)[None])
        s = scale_of(x)
        a = np.empty((n + 1, n + 1))
        a[:n, :n] = lin.jacobian[0] * s[None, :] / s[:, None]
        a[:n, n] = lin.parameters[0, :, column] * np.exp(mu) / s
        a[n] = along
        try:
            t = np.linalg.solve(a, np.eye(n + 1)[n])
        except np.linalg.LinAlgError:
            t = np.linalg.lstsq(a, np.eye(n + 1)[n], rcond=None)[0]
        return np.asarray(t / np.linalg.norm(t))

    def correct(x: Array, mu: float, base: _Point, ds: float) -> tuple[Array, float, int] | None:
        s = scale_of(base.x)
        for it in range(7):
            lin = problem.linearise(x[None], at(mu)[None])
            g = np.empty(n + 1)
            g[:n] = lin.residual[0] / s
            g[n] = base.tangent[:n] @ ((x - base.x) / s) + base.tangent[n] * (mu - base.mu) - ds
            a = np.empty((n + 1, n + 1))
            a[:n, :n] = lin.jacobian[0] * s[None, :] / s[:, None]
            a[:n, n] = lin.parameters[0, :, column] * np.exp(mu) / s
            a[n] = base.tangent
            if not (np.isfinite(g).all() and np.isfinite(a).all()):
                return None
            if np.abs(g[:n]).max(initial=0.0) < 1e-10 and it:
                return x, mu, it
            try:
                step = np.linalg.solve(a, -g)
            except np.linalg.LinAlgError:
                return None
            if np.abs(step).max() > 2.0 * max(ds, 0.05):
                return None
            x, mu = x + step[:n] * s, mu + step[n]
            if not problem.inside(x[None], at(mu)[None])[0]:
                return None
        return None

    first = np.zeros(n + 1)
    first[n] = float(towards)
    start = _Point(x0, float(np.log(p0[column])), np.empty(0))
    start.tangent = tangent(start.x, start.mu, first)
    if start.tangent[n] * towards < 0:
        start.tangent = -start.tangent
    start.events = [f(start.x, at(start.mu)) for f in events.values()]
    points, special = [start], list[SpecialPoint]()
    ds, farthest, stopped = first_step, 0.0, StopReason.MAX_STEPS
    while len(points) < max_steps:
        base = points[-1]
        s = scale_of(base.x)
        guess = correct(base.x + ds * base.tangent[:n] * s, base.mu + ds * base.tangent[n], base, ds)
        if guess is not None:
            new = _Point(guess[0], guess[1], np.empty(0))
            s_new = scale_of(new.x)
            carried = np.append(base.tangent[:n] * s / s_new, base.tangent[n])
            new.tangent = tangent(new.x, new.mu, carried)
            bend = float(carried @ new.tangent) / float(np.linalg.norm(carried))
        if guess is None or bend < 0.9:
            ds *= 0.5
            if ds < 1e-7:
                stopped = StopReason.STEP_TOO_SMALL
                break
            continue
        new.events = [f(new.x, at(new.mu)) for f in events.values()]
        points.append(new)
        if base.tangent[n] * new.tangent[n] < 0.0:
            special.extend(_locate_fold(problem, base, new, at, column))
            if stop_at_fold and special and special[-1].kind == "fold":
                stopped = StopReason.EVENT
                break
        for name, before, after, f in zip(events, base.events, new.events, events.values(), strict=True):
            if np.isfinite(before) and np.isfinite(after) and before * after < 0.0:
                special.append(_locate_event(name, f, base, new, at, correct, ds))
        if new.mu < low or new.mu > high:
            stopped = StopReason.SPAN_END
            break
        if stop is not None and stop(new.x, float(np.exp(new.mu))):
            stopped = StopReason.EVENT
            break
        away = float(max(abs(new.mu - start.mu), np.max(np.abs(new.x - start.x) / scale_of(start.x), initial=0.0)))
        farthest = max(farthest, away)
        if away < min(ds, 0.5 * farthest) and len(points) > 10:  # it has been elsewhere and is back
            stopped = StopReason.CLOSED_LOOP
            break
        ds = min(largest_step, ds * (1.6 if guess[2] <= 3 else 0.8 if guess[2] >= 5 else 1.0))
    return Branch(
        parameter=np.exp([q.mu for q in points]),
        x=np.array([q.x for q in points]),
        direction=np.sign([q.tangent[n] for q in points]),
        special=special,
        stopped=stopped,
        names=problem.names,
    )


def _locate_fold(
    problem: Problem, a: _Point, b: _Point, at: Callable[[float], Array], column: int
) -> list[SpecialPoint]:
    """Solve the fold system from the point where the parameter's velocity interpolates to zero."""
    if problem.extend is None:  # a curve of folds turns round at a cusp or in an isola, which is not solved for
        return []
    n = len(a.x)
    w = a.tangent[n] / (a.tangent[n] - b.tangent[n])
    x, mu = a.x + w * (b.x - a.x), a.mu + w * (b.mu - a.mu)
    direction = (1 - w) * a.tangent[:n] * scale_of(a.x) + w * b.tangent[:n] * scale_of(b.x)
    found = solve_folds(problem, x[None], at(mu)[None], column, null=(direction / scale_of(x))[None])
    if found.status[0] is not Status.CONVERGED or abs(np.log(found.parameter[0]) - mu) > 0.5 + 2 * abs(b.mu - a.mu):
        return []
    null = found.null_vector[0] * scale_of(x)
    return [SpecialPoint("fold", float(found.parameter[0]), found.x[0], null, float(found.error[0]))]


def _locate_event(
    name: str, f: Event, a: _Point, b: _Point, at: Callable[[float], Array], correct: Any, ds: float
) -> SpecialPoint:
    """Illinois regula falsi in the arclength between two points."""
    n, s = len(a.x), scale_of(a.x)
    lo, hi = 0.0, ds
    index_lo, index_hi = f(a.x, at(a.mu)), f(b.x, at(b.mu))
    x, mu = b.x, b.mu
    for _ in range(40):
        mid = lo + (hi - lo) * index_lo / (index_lo - index_hi)
        point = correct(a.x + mid * a.tangent[:n] * s, a.mu + mid * a.tangent[n], a, mid)
        if point is None:
            break
        x, mu = point[0], point[1]
        value = f(x, at(mu))
        if abs(hi - lo) < 1e-13 or abs(value) < 1e-15:
            break
        if value * index_hi < 0.0:
            lo, index_lo = hi, index_hi
        else:
            index_lo *= 0.5
        hi, index_hi = mid, value
    return SpecialPoint(name, float(np.exp(mu)), x)
