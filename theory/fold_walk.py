"""Scalar kernels of the compiled engine: closed site terms, a small LU, and Newton's walk along a line of folds.

`theory.compiled` joins the text of these functions to the generated equations of one model, so that everything is
machine code in one module; `walk` is plain Python here because its `extended` is only known then.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["absolute_orders", "factor", "substitute", "walk"]

Array = NDArray[np.float64]


@numba.njit(cache=True, error_model="numpy")
def absolute_orders(mean: float, variance: float, out: Array) -> None:
    """``E (d/dh)^n |h|`` for n = 0 ... 8, the scalar form of `theory.sites.absolute_orders`."""
    sd = math.sqrt(variance)
    y = mean / sd
    density = math.exp(-0.5 * y * y) / math.sqrt(2.0 * math.pi)
    error_function = math.erf(y / math.sqrt(2.0))
    out[0] = mean * error_function + 2.0 * sd * density
    out[1] = error_function
    factor, low, high = 2.0 * density / sd, 1.0, y
    for n in range(2, out.size):
        out[n] = factor * low
        low, high = high, y * high - (n - 1) * low  # He_{k+1} = y He_k - k He_{k-1}
        factor /= -sd


@numba.njit(cache=True, error_model="numpy")
def factor(a: Array, pivots: NDArray[np.int64]) -> bool:
    """LU factorisation with partial pivoting, in place; False if singular."""
    n = a.shape[0]
    for k in range(n):
        best = k
        for i in range(k + 1, n):
            if abs(a[i, k]) > abs(a[best, k]):
                best = i
        pivots[k] = best
        if a[best, k] == 0.0 or not math.isfinite(a[best, k]):
            return False
        if best != k:
            for j in range(n):
                a[k, j], a[best, j] = a[best, j], a[k, j]
        inverse = 1.0 / a[k, k]
        for i in range(k + 1, n):
            a[i, k] *= inverse
            multiple = a[i, k]
            if multiple != 0.0:
                for j in range(k + 1, n):
                    a[i, j] -= multiple * a[k, j]
    return True


@numba.njit(cache=True, error_model="numpy")
def substitute(a: Array, pivots: NDArray[np.int64], b: Array) -> None:
    """Solve for the columns of b in place."""
    n, m = b.shape
    for k in range(n):
        if pivots[k] != k:
            for c in range(m):
                b[k, c], b[pivots[k], c] = b[pivots[k], c], b[k, c]
    for k in range(n):
        for i in range(k + 1, n):
            multiple = a[i, k]
            if multiple != 0.0:
                for c in range(m):
                    b[i, c] -= multiple * b[k, c]
    for k in range(n - 1, -1, -1):
        for c in range(m):
            b[k, c] /= a[k, k]
        for i in range(k):
            multiple = a[i, k]
            if multiple != 0.0:
                for c in range(m):
                    b[i, c] -= multiple * b[k, c]


def walk(
    extended: Any,
    p: Array,
    column: int,
    along: Array,
    log_along: Array,
    along_column: int,
    x: Array,
    v: Array,
    left: Array,
    tolerance: float,
    out_x: Array,
    out: Array,
    error: Array,
    curvature: Array,
) -> int:
    """Newton on the fold system from point to point; returns how many points converged before the first failure.

    The (2n+1)-dimensional Newton step is reduced to one factorisation of the Jacobian bordered by approximate null
    vectors: with the component of dx along the null vector and d lambda as the two unknowns left over.
    """
    n = x.size
    size = n + 1
    F, J, Fp = np.zeros(n), np.zeros((n, n)), np.zeros((n, p.size))
    H, K = np.zeros((n, n)), np.zeros((n, p.size))
    site, scale, full = np.zeros(9), np.zeros(n), np.zeros(n)
    m, rhs, second, pivots = np.zeros((size, size)), np.zeros((size, 4)), np.zeros((size, 3)), np.zeros(size, np.int64)
    pivot_vector = v.copy()
    for q in range(along.size):
        p[along_column] = along[q]
        if q > 0:  # extrapolate logarithms through up to four past points
            first = max(0, q - 4)
            for i in range(n + 1):
                total = 0.0
                positive = True
                for a in range(first, q):
                    value = out_x[a, i] if i < n else out[a]
                    positive = positive and value > 0.0
                for a in range(first, q):
                    weight = 1.0
                    for b in range(first, q):
                        if b != a:
                            weight *= (log_along[q] - log_along[b]) / (log_along[a] - log_along[b])
                    value = out_x[a, i] if i < n else out[a]
                    total += weight * (math.log(value) if positive else value)
                guess = math.exp(total) if positive else total
                if i < n:
                    x[i] = guess
                else:
                    p[column] = guess
        lam_scale = p[column]
        for i in range(n):
            scale[i] = max(abs(x[i]), 1e-12)
            pivot_vector[i] = v[i]
        converged, best = False, np.inf
        for _ in range(12):
            for i in range(n):
                full[i] = v[i] * scale[i]
            extended(x, p, full, site, F, J, Fp, H, K)
            norm = 0.0
            for i in range(n):
                row = 0.0
                for j in range(n):
                    J[i, j] *= scale[j] / scale[i]
                    H[i, j] *= scale[j] / scale[i]
                    m[i, j] = J[i, j]
                    row += J[i, j] * v[j]
                F[i] /= scale[i]
                m[i, n] = left[i]
                m[n, i] = pivot_vector[i]
                rhs[i, 0] = -F[i]
                rhs[i, 1] = -Fp[i, column] * lam_scale / scale[i]
                rhs[i, 2] = 0.0
                rhs[i, 3] = -row
                norm = max(norm, abs(F[i]), abs(row))
            m[n, n] = 0.0
            length = 0.0
            for i in range(n):
                length += pivot_vector[i] * v[i]
            rhs[n, 0], rhs[n, 1], rhs[n, 2], rhs[n, 3] = 0.0, 0.0, 1.0, 1.0 - length
            if not math.isfinite(norm):
                return q
            if not factor(m, pivots):
                return q
            # dx = a0 + a1 dlambda + a2 sigma, the border unknown must vanish.
            substitute(m, pivots, rhs)
            for i in range(n):
                for c in range(3):
                    total = 0.0
                    for j in range(n):
                        total += H[i, j] * rhs[j, c]
                    second[i, c] = -total
                second[i, 1] -= K[i, column] * lam_scale / scale[i]
            second[n, 0] = second[n, 1] = second[n, 2] = 0.0
            substitute(m, pivots, second)
            t0, t1, t2 = rhs[n, 0], rhs[n, 1], rhs[n, 2]
            u0, u1, u2 = rhs[n, 3] + second[n, 0], second[n, 1], second[n, 2]
            determinant = t1 * u2 - t2 * u1
            if determinant == 0.0 or not math.isfinite(determinant):
                return q
            d_lam = (-t0 * u2 + t2 * u0) / determinant
            sigma = (-t1 * u0 + t0 * u1) / determinant
            largest = abs(d_lam)
            for i in range(n):
                largest = max(largest, abs(rhs[i, 0] + rhs[i, 1] * d_lam + rhs[i, 2] * sigma))
            if norm <= tolerance and (norm >= 0.1 * best or norm <= 1e-15 or largest < 1e-15):
                error[q] = abs(d_lam) * lam_scale + 8.0 * 2.220446049250313e-16 * lam_scale
                converged = True
                break
            best = min(best, norm)
            damp = min(1.0, 0.5 / max(largest, 1e-300))
            for i in range(n):
                x[i] += damp * (rhs[i, 0] + rhs[i, 1] * d_lam + rhs[i, 2] * sigma) * scale[i]
                v[i] += damp * (rhs[i, 3] + second[i, 0] + second[i, 1] * d_lam + second[i, 2] * sigma)
            p[column] += damp * d_lam * lam_scale
        if not converged:
            return q
        for i in range(n):
            out_x[q, i] = x[i]
        out[q] = p[column]
        # lambda'' = -(w.H v) / (w.F_lambda), both up to the same factor in the border unknowns.
        curvature[q] = -u2 / t1 if t1 != 0.0 else np.nan
        total = 0.0
        for i in range(n):
            total += v[i] * v[i]
        for i in range(n):
            v[i] /= math.sqrt(total)
    return along.size
