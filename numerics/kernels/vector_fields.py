"""The local field of one vector spin, and what follows when it has moved; apart from what the spin does with its field.

Spins are a structure of arrays, `spins` (d, N); where fields are by overlaps, components side by side do better.
Couplings are one of five tuples of arrays, in which a spin sees the rest through :func:`field`, and which
:func:`moved` keeps up to date:

    field(system, spins, s, i, upcoming, out)   # s = spins[:, i]; out (d,) becomes h_i = sum_{j != i} J_ij s_j
    ... the law: a new spins[:, i], and delta (d,) = new - old ...
    moved(system, s, i, delta)                  # s as it is now; always, for overlaps to follow

A new law (turn into the field, draw at a temperature, reflect about the field) is a sweep with these two calls; Numba
compiles it for each of the five.  Arrays may be float32 with float64 spins and overlaps: sums are then float64.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numba.extending import overload

from numerics.kernels.compile import borrowing
from numerics.kernels.row_products import products, sums_of_rows

__all__ = [
    "PhasorDense",
    "ScalarDense",
    "ScalarOverlap",
    "TensorDense",
    "TensorOverlap",
    "add_rows",
    "field",
    "moved",
    "multiply",
]

# Merged into the sweep, and without counting references to arrays: either would cost more than a visit.
_INSIDE = {"forceinline": True, "error_model": "numpy", "nogil": True, "_nrt": False}
_ONE, _TWO, _THREE, _FOUR = products[1], products[2], products[3], products[4]
_ADD_ONE, _ADD_TWO, _ADD_THREE, _ADD_FOUR = sums_of_rows[1], sums_of_rows[2], sums_of_rows[3], sums_of_rows[4]


class TensorOverlap(NamedTuple):
    """Tensor (or phasor) couplings by overlaps."""

    patterns: Any  # (N, d, C)
    own: Any  # (N, d, d): -sum_c xi_i xi_i^T; or empty, where it is large beside the patterns
    overlaps: Any  # (C,), sum_i xi_i . s_i, maintained
    scale: Any


class ScalarOverlap(NamedTuple):
    """Scalar couplings by overlaps."""

    patterns: Any  # (N, C) with C = d P
    own: Any  # (N,): -sum_c xi_i^2
    overlaps: Any  # (d, C), maintained
    scale: Any


class TensorDense(NamedTuple):
    """Tensor couplings as a matrix."""

    couplings: Any  # (N, d, d N): [i, a, (b, j)]
    scale: Any


class ScalarDense(NamedTuple):
    """Scalar couplings as a matrix."""

    couplings: Any  # (N, N)
    scale: Any


class PhasorDense(NamedTuple):
    """Phasor couplings as two matrices."""

    real: Any  # (N, N)
    imaginary: Any  # (N, N)
    scale: Any


def field(system: Any, spins: Any, s: Any, i: Any, upcoming: Any, out: Any) -> None:
    """Write the field of site i into `out` (d,), while what site `upcoming` will need comes from memory."""
    raise NotImplementedError("field is for compiled callers.")


def moved(system: Any, s: Any, i: Any, delta: Any) -> None:
    """Let the overlaps follow spin i, which moved by `delta` to `s` (d,), be it by nothing."""
    raise NotImplementedError("moved is for compiled callers.")


@overload(field, jit_options=_INSIDE)
def _field(system: Any, spins: Any, s: Any, i: Any, upcoming: Any, out: Any) -> Any:
    return _FIELDS.get(getattr(system, "instance_class", object))


@overload(moved, jit_options=_INSIDE)
def _moved(system: Any, s: Any, i: Any, delta: Any) -> Any:
    return _MOVED.get(getattr(system, "instance_class", object))


def _tensor_overlap(system: Any, spins: Any, s: Any, i: Any, upcoming: Any, out: Any) -> Any:
    X, M, own, scale = system.patterns, system.overlaps, system.own, system.scale
    d, C = out.size, M.size
    at, then = i * d * C, upcoming * d * C
    if own.size > 0:
        multiply(X, at, C, M, 0, X, then, C, out)
        add_rows(out, 0, d, own, i * d * d, d, s, 0, d)
    else:  # the spin leaves the overlaps, until it has moved
        for a in range(d):
            out[a] = -s[a]
        add_rows(M, 0, C, X, at, C, out, 0, d)
        multiply(X, at, C, M, 0, X, then, C, out)
    for a in range(d):
        out[a] *= scale


def _scalar_overlap(system: Any, spins: Any, s: Any, i: Any, upcoming: Any, out: Any) -> Any:
    X, C, own, scale = system.patterns, system.patterns.shape[1], system.own, system.scale
    multiply(system.overlaps, 0, C, X, i * C, X, upcoming * C, C, out)
    for a in range(out.size):
        out[a] = (out[a] + own[i] * s[a]) * scale


def _tensor_dense(system: Any, spins: Any, s: Any, i: Any, upcoming: Any, out: Any) -> Any:
    J, d, size = system.couplings, out.size, spins.size
    multiply(J, i * d * size, size, spins, 0, J, upcoming * d * size, size, out)
    for a in range(d):
        out[a] *= system.scale


def _scalar_dense(system: Any, spins: Any, s: Any, i: Any, upcoming: Any, out: Any) -> Any:
    J, N = system.couplings, spins.shape[1]
    multiply(spins, 0, N, J, i * N, J, upcoming * N, N, out)
    for a in range(out.size):
        out[a] *= system.scale


def _phasor_dense(system: Any, spins: Any, s: Any, i: Any, upcoming: Any, out: Any) -> Any:
    re, im, N = system.real, system.imaginary, spins.shape[1]
    multiply(spins, 0, N, im, i * N, im, upcoming * N, N, out)
    x, y = -out[1], out[0]
    multiply(spins, 0, N, re, i * N, re, upcoming * N, N, out)
    out[0] = (out[0] + x) * system.scale
    out[1] = (out[1] + y) * system.scale


def _tensor_follows(system: Any, s: Any, i: Any, delta: Any) -> Any:
    M, d = system.overlaps, delta.size
    C = M.size
    add_rows(M, 0, C, system.patterns, i * d * C, C, delta if system.own.size > 0 else s, 0, d)


def _scalar_follows(system: Any, s: Any, i: Any, delta: Any) -> Any:
    C = system.patterns.shape[1]
    for a in range(delta.size):
        _ADD_ONE(system.overlaps, a * C, C, system.patterns, i * C, 0, delta, a)


def _nothing_follows(system: Any, s: Any, i: Any, delta: Any) -> Any:
    pass


_FIELDS = {
    TensorOverlap: _tensor_overlap,
    ScalarOverlap: _scalar_overlap,
    TensorDense: _tensor_dense,
    ScalarDense: _scalar_dense,
    PhasorDense: _phasor_dense,
}
_MOVED = {
    TensorOverlap: _tensor_follows,
    ScalarOverlap: _scalar_follows,
    TensorDense: _nothing_follows,
    ScalarDense: _nothing_follows,
    PhasorDense: _nothing_follows,
}


@borrowing
def multiply(
    rows: Any, at: Any, stride: Any, vector: Any, start: Any, following: Any, then: Any, size: Any, out: Any
) -> None:
    """Write out.size rows times a vector into `out`; arguments are those of :mod:`numerics.kernels.row_products`."""
    d = out.size
    first = d - d % 4
    apart = stride if following.ndim == 3 else 0
    for a in range(0, first, 4):
        _FOUR(rows, at + a * stride, stride, vector, start, following, then + a * apart, size, out, a)
    at, then = at + first * stride, then + first * apart
    if d % 4 == 3:
        _THREE(rows, at, stride, vector, start, following, then, size, out, first)
    elif d % 4 == 2:
        _TWO(rows, at, stride, vector, start, following, then, size, out, first)
    elif d % 4 == 1:
        _ONE(rows, at, stride, vector, start, following, then, size, out, first)


@borrowing
def add_rows(
    vector: Any, start: Any, size: Any, rows: Any, at: Any, stride: Any, weights: Any, first: Any, count: Any
) -> None:
    """Add `count` rows times weights[first:] to a vector; arguments as in :mod:`numerics.kernels.row_products`."""
    whole = count - count % 4
    for a in range(0, whole, 4):
        _ADD_FOUR(vector, start, size, rows, at + a * stride, stride, weights, first + a)
    at, first = at + whole * stride, first + whole
    if count % 4 == 3:
        _ADD_THREE(vector, start, size, rows, at, stride, weights, first)
    elif count % 4 == 2:
        _ADD_TWO(vector, start, size, rows, at, stride, weights, first)
    elif count % 4 == 1:
        _ADD_ONE(vector, start, size, rows, at, stride, weights, first)
