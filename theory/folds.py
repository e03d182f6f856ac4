"""Folds: the points where a branch turns round, solved for to the precision of the arithmetic.

A spinodal is a fold, where ``F(x, lambda) = 0`` and the Jacobian has a null vector v.  It is a root of the extended
(Moore-Spence) system ``F = 0, F_x v = 0, l.v = 1`` in (x, v, lambda), found by Newton's method; nothing is scanned.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from theory.problem import Extended, Linearised, Problem, Status, scale_of

__all__ = ["Folds", "fold_problem", "null_vectors", "solve_folds"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Folds:
    """Folds of a batch of B points.

    Attributes
    ----------
    x, null_vector : (B, n) array
    parameter : (B,) array
        Critical value of the varied parameter.
    error : (B,) array
        Estimated error of `parameter`: Newton correction on the finer quadrature plus rounding.
    curvature : (B,) array
        d^2 lambda / ds^2 along the branch at the fold: positive where the solution exists above it.
    status : (B,) object array of Status
    residual : (B,) array
    """

    x: Array
    null_vector: Array
    parameter: Array
    error: Array
    curvature: Array
    status: NDArray[np.object_]
    residual: Array


def _with(p: Array, column: int, value: Array) -> Array:
    out = p.copy()
    out[:, column] = value
    return out


def _fold_system(e: Extended, v: Array, scale: Array, column: int, weight: Array, pivot: Array) -> tuple[Array, Array]:
    """Scaled Moore-Spence residual (B, 2n+1) and Jacobian (B, 2n+1, 2n+1) in (x, v, lambda)."""
    size, n = e.residual.shape
    d, di = scale[:, None, :], 1.0 / scale[:, :, None]
    jac = e.jacobian * d * di
    g = np.empty((size, 2 * n + 1))
    g[:, :n] = e.residual / scale
    g[:, n : 2 * n] = np.einsum("bij,bj->bi", jac, v)
    g[:, 2 * n] = (pivot * v).sum(1) - 1.0
    m = np.zeros((size, 2 * n + 1, 2 * n + 1))
    m[:, :n, :n] = jac
    m[:, :n, 2 * n] = e.parameters[:, :, column] / scale * weight[:, None]
    m[:, n : 2 * n, :n] = e.second * d * di
    m[:, n : 2 * n, n : 2 * n] = jac
    m[:, n : 2 * n, 2 * n] = e.mixed[:, :, column] / scale * weight[:, None]
    m[:, 2 * n, n : 2 * n] = pivot
    return g, m


def null_vectors(jacobian: Array, scale: Array) -> Array:
    """Right singular vectors of the smallest singular value of the scaled Jacobians, (B, n)."""
    scaled = jacobian * scale[:, None, :] / scale[:, :, None]
    return np.asarray(np.linalg.svd(scaled)[2][:, -1, :])


def solve_folds(
    problem: Problem,
    x: Array,
    p: Array,
    column: int,
    *,
    null: Array | None = None,
    tolerance: float = 1e-11,
    max_iterations: int = 30,
) -> Folds:
    """Newton's method on the Moore-Spence system of a batch of points.

    Parameters
    ----------
    problem : Problem
        Must provide `extend`.
    x : (B, n) array
        Starts near the folds.
    p : (B, k) array
        Parameters; column `column` holds the start of the unknown one.
    column : int
        Which parameter is solved for.
    null : (B, n) array or None
        Start of the null vector in scaled variables; taken from the Jacobian if absent.

    Returns
    -------
    Folds
    """
    assert problem.extend is not None
    x, p = x.copy(), p.copy()
    size, n = x.shape
    scale, weight = scale_of(x), np.maximum(np.abs(p[:, column]), 1e-12)
    pivot = null_vectors(problem.linearise(x, p).jacobian, scale) if null is None else null.copy()
    pivot /= np.linalg.norm(pivot, axis=1, keepdims=True)
    v = pivot.copy()
    status: NDArray[np.object_] = np.full(size, Status.MAX_ITERATIONS, dtype=object)
    best = np.full(size, np.inf)
    live = np.arange(size)
    for _ in range(max_iterations):
        e = problem.extend(x[live], p[live], v[live] * scale[live])
        g, m = _fold_system(e, v[live], scale[live], column, weight[live], pivot[live])
        norm = np.abs(g).max(1)
        broken = ~np.isfinite(norm) | ~np.isfinite(m).all(axis=(1, 2))
        done = (norm <= tolerance) & (norm >= 0.25 * best[live])
        status[live[broken]], status[live[done]] = Status.NONFINITE, Status.CONVERGED
        best[live] = np.minimum(best[live], norm)
        keep = ~broken & ~done
        live, g, m = live[keep], g[keep], m[keep]
        if not live.size:
            break
        try:
            step = np.linalg.solve(m, -g[:, :, None])[:, :, 0]
        except np.linalg.LinAlgError:
            step = -(np.linalg.pinv(m) @ g[:, :, None])[:, :, 0]
        length = np.minimum(1.0, 0.5 / np.maximum(np.abs(step[:, 2 * n]), 1e-300))
        length = np.minimum(length, 1.0 / np.maximum(np.abs(step[:, :n]).max(1), 1e-300))
        dx = step[:, :n] * scale[live]
        for _ in range(12):  # stay inside the physical domain
            outside = ~problem.inside(
                x[live] + length[:, None] * dx,
                _with(p[live], column, p[live, column] + length * step[:, 2 * n] * weight[live]),
            )
            if not outside.any():
                break
            length[outside] *= 0.5
        x[live] += length[:, None] * dx
        v[live] += length[:, None] * step[:, n : 2 * n]
        p[live, column] += length * step[:, 2 * n] * weight[live]
    return _judge_folds(problem, x, p, v, column, scale, weight, pivot, status, tolerance)


def _judge_folds(
    problem: Problem,
    x: Array,
    p: Array,
    v: Array,
    column: int,
    scale: Array,
    weight: Array,
    pivot: Array,
    status: NDArray[np.object_],
    tolerance: float,
) -> Folds:
    """Re-evaluate on the finer quadrature; estimate the error and the curvature at the fold."""
    fine = problem.refined or problem
    assert fine.extend is not None
    n = x.shape[1]
    e = fine.extend(x, p, v * scale)
    g, m = _fold_system(e, v, scale, column, weight, pivot)
    residual = np.where(np.isfinite(g).all(1), np.abs(g).max(1), np.inf)
    ok = np.isfinite(residual) & np.isfinite(m).all(axis=(1, 2))
    correction = -(np.linalg.pinv(np.where(ok[:, None, None], m, 0.0)) @ np.where(ok[:, None], g, 0.0)[:, :, None])
    eps = np.finfo(float).eps
    error = (np.abs(correction[:, 2 * n, 0]) + 8.0 * eps) * weight
    inside = problem.inside(x, p)
    for i in range(len(x)):
        if status[i] is Status.CONVERGED and not residual[i] <= 10.0 * tolerance:
            status[i] = Status.DIVERGED
        if status[i] is Status.CONVERGED and not inside[i]:
            status[i] = Status.LEFT_DOMAIN
    # lambda'' = -w.(F_xx v v) / w.F_lambda with the left null vector w.
    scaled = e.jacobian * scale[:, None, :] / scale[:, :, None]
    left = np.linalg.svd(np.where(np.isfinite(scaled), scaled, 0.0))[0][:, :, -1]
    second = np.einsum("bij,bj->bi", e.second, v * scale) / scale
    with np.errstate(all="ignore"):
        curvature = -(left * second).sum(1) / (left * e.parameters[:, :, column] / scale).sum(1)
    return Folds(x, v, p[:, column].copy(), error, curvature, status, residual)


def fold_problem(problem: Problem, column: int, scale: Array) -> Problem:
    """The Moore-Spence system itself as a problem in ``(x, v, lambda)``, so that folds can be followed.

    Parameters
    ----------
    problem : Problem
        The equations whose folds are meant.
    column : int
        The parameter that becomes an unknown; its entry in p is ignored.
    scale : (n,) array
        Fixed units of v, which is normalised to ``sum v^2 = 1`` in them.

    Returns
    -------
    Problem
        Variables (x, v, lambda); no `extend`.
    """
    n = len(scale)
    unit, one = scale[None, :], np.ones(1)

    def parts(z: Array, p: Array) -> tuple[Array, Array, Array]:
        return z[:, :n], z[:, n : 2 * n], _with(p, column, z[:, 2 * n])

    def linearise(z: Array, p: Array) -> Linearised:
        assert problem.extend is not None
        x, v, q = parts(z, p)
        e = problem.extend(x, q, v * unit)
        units = np.broadcast_to(unit, x.shape)
        g, m = _fold_system(e, v, units, column, np.broadcast_to(one, (len(x),)), v)
        g[:, :n] *= units
        m[:, :n, :] *= units[:, :, None]
        m[:, :, :n] /= units[:, None, :]
        m[:, 2 * n, n : 2 * n] *= 2.0  # d(v.v)
        k = np.zeros((len(x), 2 * n + 1, p.shape[1]))
        columns = e.parameters.shape[2]
        k[:, :n, :columns] = e.parameters
        k[:, n : 2 * n, :columns] = e.mixed / units[:, :, None]
        k[:, :, column] = 0.0
        return Linearised(g, m, k)

    def interior(z: Array, p: Array) -> Array:
        x, _, q = parts(z, p)
        values = problem.interior(x, q) if problem.interior else np.ones((len(x), 1))
        return np.concatenate([values, z[:, 2 * n :]], axis=1)

    free = np.full(n + 1, np.inf)
    return Problem(
        residual=lambda z, p: linearise(z, p).residual,
        linearise=linearise,
        interior=interior,
        lower=None if problem.lower is None else np.concatenate([problem.lower, -free]),
        upper=None if problem.upper is None else np.concatenate([problem.upper, free]),
        names=(*problem.names, *(f"v_{name}" for name in problem.names), "parameter"),
        parameter_names=problem.parameter_names,
    )
