"""Solve ``residual(x, p) = 0`` for a batch of parameter points, and say for every point how it ended."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from theory.errors import InvalidInput, NotConverged
from theory.problem import Linearised, Problem, Status, as_batch, scale_of

__all__ = ["Anderson", "FixedPoint", "Newton", "NotConverged", "Problem", "Roots", "Status", "solve"]

Array = NDArray[Any]
Statuses = NDArray[np.object_]


@dataclass(frozen=True)
class Roots:
    """Solutions of a batch of B points.

    Attributes
    ----------
    x : (B, n) array
        The last iterate.
    status : (B,) object array of Status
    residual : (B,) array
        Largest residual in units of the variables, on the finer quadrature.
    error : (B, n) array
        Estimated error of x: Newton correction on the finer quadrature plus rounding.
    iterations : (B,) int array
    """

    x: Array
    status: Statuses
    residual: NDArray[np.float64]
    error: NDArray[np.float64]
    iterations: NDArray[np.int64]

    @property
    def converged(self) -> NDArray[np.bool_]:
        """(B,) bools."""
        return np.array([s is Status.CONVERGED for s in self.status], dtype=bool)


class Solver(Protocol):
    """Anything that moves a batch towards a root and names the outcome."""

    @property
    def tolerance(self) -> float:
        """Largest residual accepted."""
        ...

    def iterate(self, problem: Problem, x: Array, p: Array) -> tuple[Array, Statuses, NDArray[np.int64]]:
        """Return the last iterate, the outcome and the number of iterations of every point."""
        ...


def _positive(name: str, value: float, high: float = np.inf) -> None:
    if not 0.0 < value <= high:
        raise InvalidInput(f"{name} = {value} is not allowed; give a number above 0 and at most {high:g}.")


@dataclass(frozen=True)
class Newton:
    """Newton's method with a line search that stays inside the physical domain.

    Parameters
    ----------
    tolerance : float
        Largest residual accepted, relative to ``max(|x|, 1e-3)`` of each variable.
    max_iterations : int
        Steps per point.
    """

    tolerance: float = 1e-11
    max_iterations: int = 60

    def __post_init__(self) -> None:
        _positive("tolerance", self.tolerance, 1e-2)
        _positive("max_iterations", self.max_iterations)

    def iterate(self, problem: Problem, x: Array, p: Array) -> tuple[Array, Statuses, NDArray[np.int64]]:
        """Step until the residual stops falling below the tolerance."""
        x, size = x.copy(), len(x)
        status: Statuses = np.full(size, Status.MAX_ITERATIONS, dtype=object)
        iterations = np.zeros(size, dtype=np.int64)
        live = np.arange(size)
        status[~problem.inside(x, p)] = Status.LEFT_DOMAIN
        live = live[[status[i] is Status.MAX_ITERATIONS for i in live]]
        lin = problem.linearise(x[live], p[live]) if live.size else None
        for _ in range(self.max_iterations):
            if lin is None or not live.size:
                break
            scale = scale_of(x[live])
            norm = _norm(lin.residual, scale)
            step, singular = newton_step(lin, scale)
            status[live[singular]] = Status.SINGULAR
            moved, after, accepted, blocked = _line_search(problem, x[live], p[live], step, scale, norm, self.tolerance)
            done = (norm <= self.tolerance) & (~accepted | (after >= 0.25 * norm) | (norm <= 1e-14))
            x[live[accepted]] = moved[accepted]
            iterations[live[~done]] += 1
            status[live[done]] = Status.CONVERGED
            stuck = ~accepted & ~done & ~singular
            status[live[stuck & blocked]] = Status.LEFT_DOMAIN
            status[live[stuck & ~blocked]] = Status.DIVERGED
            live = live[accepted & ~done & ~singular]
            lin = problem.linearise(x[live], p[live]) if live.size else None
        if lin is not None and live.size:  # creeping along a bound is leaving the domain, not a matter of patience
            step, _ = newton_step(lin, scale_of(x[live]))
            outward = ~problem.inside(x[live] + np.nan_to_num(step), p[live])
            status[live[outward]] = Status.LEFT_DOMAIN
        return x, status, iterations


def newton_step(lin: Linearised, scale: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Newton step in scaled variables, and which points have a numerically singular Jacobian."""
    if lin.residual.shape[1] == 0:
        return np.zeros_like(lin.residual), np.zeros(len(lin.residual), bool)
    scaled = lin.jacobian * scale[:, None, :] / scale[:, :, None]
    finite = np.asarray(np.isfinite(scaled).all(axis=(1, 2)) & np.isfinite(lin.residual).all(axis=1))
    safe = np.where(finite[:, None, None], scaled, np.eye(scaled.shape[1]))
    right = np.where(finite[:, None], -lin.residual / scale, 0.0)
    singular: NDArray[np.bool_] = np.zeros(len(safe), bool)
    try:
        step = np.linalg.solve(safe, right[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        singular = np.asarray(np.linalg.cond(safe) > 1e15)
        safe[singular] = np.eye(scaled.shape[1])
        step = np.linalg.solve(safe, right[:, :, None])[:, :, 0]
    return step * scale, singular | ~finite


def _norm(residual: Array, scale: Array) -> NDArray[np.float64]:
    if residual.shape[1] == 0:
        return np.zeros(len(residual))
    values = np.abs(residual) / scale
    return np.where(np.isfinite(values).all(axis=1), values.max(axis=1), np.inf)


def _line_search(
    problem: Problem,
    x: Array,
    p: Array,
    step: Array,
    scale: Array,
    norm: NDArray[np.float64],
    tolerance: float,
) -> tuple[Array, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Halve the step until the point is inside the domain and the residual falls."""
    moved, after = x.copy(), norm.copy()
    accepted = np.zeros(len(x), bool)
    blocked = np.ones(len(x), bool)  # no trial was inside the domain
    length = np.ones(len(x))
    for _ in range(14):
        todo = np.flatnonzero(~accepted)
        if not todo.size:
            break
        trial = x[todo] + length[todo, None] * step[todo]
        inside = problem.inside(trial, p[todo])
        blocked[todo[inside]] = False
        value = np.full(todo.size, np.inf)
        if inside.any():
            f = problem.residual(trial[inside], p[todo[inside]])
            value[inside] = _norm(f, scale[todo[inside]])
        good = inside & ((value < (1.0 - 1e-3 * length[todo]) * norm[todo]) | (value <= 0.1 * tolerance))
        moved[todo[good]] = trial[good]
        after[todo[good]] = value[good]
        accepted[todo[good]] = True
        length[todo[~good]] *= 0.5
    return moved, after, accepted, blocked


@dataclass(frozen=True)
class FixedPoint:
    """Damped fixed-point iteration ``x <- x - damping * residual``; judged on the residual, not on the step.

    Parameters
    ----------
    damping : float
        Weight of the new value, in (0, 1].
    tolerance, max_iterations
        As for `Newton`.
    """

    damping: float = 0.5
    tolerance: float = 1e-11
    max_iterations: int = 20000

    def __post_init__(self) -> None:
        _positive("damping", self.damping, 1.0)
        _positive("tolerance", self.tolerance, 1e-2)
        _positive("max_iterations", self.max_iterations)

    def iterate(self, problem: Problem, x: Array, p: Array) -> tuple[Array, Statuses, NDArray[np.int64]]:
        """Iterate every point until its residual is below tolerance."""
        return _iterate_map(self, problem, x, p, lambda history: history[-1][0] - self.damping * history[-1][1], 1)


@dataclass(frozen=True)
class Anderson:
    """Anderson acceleration of the fixed-point map.

    Parameters
    ----------
    memory : int
        Past iterates that are combined.
    damping, tolerance, max_iterations
        As for `FixedPoint`.

    References
    ----------
    H. F. Walker, P. Ni, SIAM J. Numer. Anal. 49, 1715 (2011).
    """

    memory: int = 5
    damping: float = 0.7
    tolerance: float = 1e-11
    max_iterations: int = 500

    def __post_init__(self) -> None:
        _positive("memory", self.memory, 50)
        _positive("damping", self.damping, 1.0)
        _positive("tolerance", self.tolerance, 1e-2)
        _positive("max_iterations", self.max_iterations)

    def iterate(self, problem: Problem, x: Array, p: Array) -> tuple[Array, Statuses, NDArray[np.int64]]:
        """Iterate every point until its residual is below tolerance."""
        return _iterate_map(self, problem, x, p, self._combine, self.memory + 1)

    def _combine(self, history: list[tuple[Array, Array]]) -> Array:
        x, f = history[-1]
        if len(history) == 1:
            return x - self.damping * f
        dx = np.stack([b[0] - a[0] for a, b in itertools.pairwise(history)], axis=2)
        df = np.stack([b[1] - a[1] for a, b in itertools.pairwise(history)], axis=2)
        scale = scale_of(x)[:, :, None]
        gamma = np.linalg.pinv(df / scale, rcond=1e-10) @ (f[:, :, None] / scale)
        return np.asarray(x - self.damping * f - ((dx - self.damping * df) @ gamma)[:, :, 0])


def _iterate_map(
    solver: FixedPoint | Anderson, problem: Problem, x: Array, p: Array, update: Any, memory: int
) -> tuple[Array, Statuses, NDArray[np.int64]]:
    """Shared loop of the fixed-point solvers; steps that leave the domain are cut to its inside."""
    x, size = x.copy(), len(x)
    status: Statuses = np.full(size, Status.MAX_ITERATIONS, dtype=object)
    iterations = np.zeros(size, dtype=np.int64)
    live = np.flatnonzero(problem.inside(x, p))
    status[~problem.inside(x, p)] = Status.LEFT_DOMAIN
    history: list[tuple[Array, Array]] = []
    for _ in range(solver.max_iterations):
        if not live.size:
            break
        f = problem.residual(x[live], p[live])
        norm = _norm(f, scale_of(x[live]))
        done, broken = norm <= solver.tolerance, ~np.isfinite(norm)
        status[live[done]], status[live[broken]] = Status.CONVERGED, Status.NONFINITE
        keep = ~done & ~broken
        if not keep.all():
            live, f = live[keep], f[keep]
            history = [(a[keep], b[keep]) for a, b in history]
        if not live.size:
            break
        history = [*history, (x[live], f)][-memory:]
        trial, length = update(history), 1.0
        outside = ~problem.inside(trial, p[live])
        while outside.any() and length > 1e-3:
            length *= 0.5
            trial[outside] = 0.5 * (x[live][outside] + trial[outside])
            outside = ~problem.inside(trial, p[live])
        iterations[live] += 1
        status[live[outside]] = Status.LEFT_DOMAIN
        x[live[~outside]] = trial[~outside]
        history = [(a[~outside], b[~outside]) for a, b in history]
        live = live[~outside]
    return x, status, iterations


def solve(problem: Problem, start: Any, parameters: Any, *, solver: Solver | None = None, throw: bool = True) -> Roots:
    """Solve a batch of points and re-evaluate each on the finer quadrature.

    Parameters
    ----------
    problem : Problem
        The equations.
    start : (n,) or (B, n) array
        Starting points.
    parameters : (k,) or (B, k) array
        Parameter points.
    solver : Newton, FixedPoint or Anderson
        Default `Newton()`.
    throw : bool
        Raise unless every point converged.

    Returns
    -------
    Roots

    Raises
    ------
    NotConverged
        If `throw` and a point failed; `solution` is the Roots.
    InvalidInput
        If shapes do not fit or numbers are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> root2 = Problem.from_callables(lambda x, p: x**2 - p, lambda x, p: 2 * x[:, :, None])
    >>> solve(root2, [1.0], [2.0]).x
    array([[1.41421356]])
    """
    method: Solver = Newton() if solver is None else solver
    x, p = as_batch(start, parameters)
    with np.errstate(all="ignore"):  # what is not finite is reported as a status
        x, status, iterations = method.iterate(problem, x, p)
        fine = (problem.refined or problem).linearise(x, p)
        scale = scale_of(x)
        residual = _norm(fine.residual, scale)
        step, _ = newton_step(fine, scale)
    error = np.abs(step) + 4.0 * np.finfo(float).eps * scale
    for i in range(len(x)):
        if status[i] is Status.CONVERGED and not residual[i] <= 10.0 * method.tolerance:
            status[i] = Status.DIVERGED if np.isfinite(residual[i]) else Status.NONFINITE
    roots = Roots(x, status, residual, error, iterations)
    if throw and not roots.converged.all():
        i = int(np.flatnonzero(~roots.converged)[0])
        names = problem.parameter_names or tuple(f"p{j}" for j in range(p.shape[1]))
        at = ", ".join(f"{n} = {v:g}" for n, v in zip(names, p[i], strict=False))
        raise NotConverged(
            f"{status[i].value} at {at}: {status[i].cause} (residual {residual[i]:.2e} after {iterations[i]} "
            f"iterations); {status[i].remedy}.",
            roots,
        )
    return roots
