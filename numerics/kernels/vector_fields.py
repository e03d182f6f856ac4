"""The local field of one vector spin, and what follows when it has moved; apart from what the spin does with its field.

Spins are a structure of arrays, `spins` (d, N).  Couplings are one of five tuples of arrays, in which a spin sees the
rest through :func:`field`, and which :func:`moved` keeps up to date:

    field(system, spins, i, out)      # out (d,) becomes h_i = sum_{j != i} J_ij s_j
    ... the law: a new spins[:, i], and delta (d,) = new - old ...
    moved(system, i, delta)           # overlaps follow; nothing to do for dense couplings

A new law (turn into the field, draw at a temperature, reflect about the field) is a sweep with these two calls; Numba
compiles it for each of the five.  Arrays may be float32 with float64 spins and overlaps: sums are then float64.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numba.extending import overload

from numerics.kernels.compile import summed

__all__ = ["PhasorDense", "ScalarDense", "ScalarOverlap", "TensorDense", "TensorOverlap", "field", "moved"]


class TensorOverlap(NamedTuple):
    """Tensor (or phasor) couplings by overlaps."""

    patterns: Any  # (N, d, C)
    own: Any  # (N, d, d): sum_c xi_i xi_i^T
    overlaps: Any  # (C,), sum_i xi_i . s_i, maintained
    scale: Any


class ScalarOverlap(NamedTuple):
    """Scalar couplings by overlaps."""

    patterns: Any  # (N, C) with C = d P
    own: Any  # (N,): sum_c xi_i^2
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


def field(system: Any, spins: Any, i: Any, out: Any) -> None:
    """Write the field of site i into `out` (d,); for compiled callers only."""
    raise NotImplementedError("field is called from kernels")


def moved(system: Any, i: Any, delta: Any) -> None:
    """Let the overlaps follow spin i, which moved by `delta` (d,); for compiled callers only."""
    raise NotImplementedError("moved is called from kernels")


@overload(field)
def _field(system: Any, spins: Any, i: Any, out: Any) -> Any:
    return _FIELDS.get(getattr(system, "instance_class", None))


@overload(moved)
def _moved(system: Any, i: Any, delta: Any) -> Any:
    return _MOVED.get(getattr(system, "instance_class", None))


def _tensor_overlap(system: Any, spins: Any, i: Any, out: Any) -> Any:
    _products(system.patterns[i], system.overlaps, out)
    d = out.size
    for a in range(d):
        for b in range(d):
            out[a] -= system.own[i, a, b] * spins[b, i]
    for a in range(d):
        out[a] *= system.scale


def _scalar_overlap(system: Any, spins: Any, i: Any, out: Any) -> Any:
    _products(system.overlaps, system.patterns[i], out)
    for a in range(out.size):
        out[a] = (out[a] - system.own[i] * spins[a, i]) * system.scale


def _tensor_dense(system: Any, spins: Any, i: Any, out: Any) -> Any:
    _products(system.couplings[i], spins.reshape(spins.size), out)
    for a in range(out.size):
        out[a] *= system.scale


def _scalar_dense(system: Any, spins: Any, i: Any, out: Any) -> Any:
    _products(spins, system.couplings[i], out)
    for a in range(out.size):
        out[a] *= system.scale


def _phasor_dense(system: Any, spins: Any, i: Any, out: Any) -> Any:
    x, y = _turned_products(system.real[i], system.imaginary[i], spins[0], spins[1])
    out[0], out[1] = x * system.scale, y * system.scale


def _tensor_follows(system: Any, i: Any, delta: Any) -> Any:
    _add(system.patterns[i], delta, system.overlaps)


def _scalar_follows(system: Any, i: Any, delta: Any) -> Any:
    for a in range(delta.size):
        _add_one(system.patterns[i], delta[a], system.overlaps[a])


def _nothing_follows(system: Any, i: Any, delta: Any) -> Any:
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


@summed
def _products(rows: Any, vector: Any, out: Any) -> None:
    """Write rows @ vector into `out`; several rows share each number of the vector."""
    size, d = vector.size, rows.shape[0]
    zero = out.dtype.type(0)
    if d == 2:
        x, y = rows[0], rows[1]
        p = q = zero
        for c in range(size):
            v = vector[c]
            p += x[c] * v
            q += y[c] * v
        out[0], out[1] = p, q
        return
    if d == 3:
        x, y, z = rows[0], rows[1], rows[2]
        p = q = r = zero
        for c in range(size):
            v = vector[c]
            p += x[c] * v
            q += y[c] * v
            r += z[c] * v
        out[0], out[1], out[2] = p, q, r
        return
    first = d - d % 4
    for a in range(0, first, 4):
        x, y, z, w = rows[a], rows[a + 1], rows[a + 2], rows[a + 3]
        p = q = r = s = zero
        for c in range(size):
            v = vector[c]
            p += x[c] * v
            q += y[c] * v
            r += z[c] * v
            s += w[c] * v
        out[a], out[a + 1], out[a + 2], out[a + 3] = p, q, r, s
    for a in range(first, d):
        x = rows[a]
        p = zero
        for c in range(size):
            p += x[c] * vector[c]
        out[a] = p


@summed
def _turned_products(real: Any, imaginary: Any, x: Any, y: Any) -> Any:
    p = q = r = s = x.dtype.type(0)
    for j in range(x.size):
        p += real[j] * x[j]
        q += imaginary[j] * y[j]
        r += real[j] * y[j]
        s += imaginary[j] * x[j]
    return p - q, r + s


@summed
def _add(rows: Any, weights: Any, vector: Any) -> None:
    """Add weights @ rows to `vector`."""
    size, d = vector.size, rows.shape[0]
    if d == 2:
        x, y = rows[0], rows[1]
        p, q = weights[0], weights[1]
        for c in range(size):
            vector[c] += x[c] * p + y[c] * q
        return
    if d == 3:
        x, y, z = rows[0], rows[1], rows[2]
        p, q, r = weights[0], weights[1], weights[2]
        for c in range(size):
            vector[c] += x[c] * p + y[c] * q + z[c] * r
        return
    first = d - d % 4
    for a in range(0, first, 4):
        x, y, z, w = rows[a], rows[a + 1], rows[a + 2], rows[a + 3]
        p, q, r, s = weights[a], weights[a + 1], weights[a + 2], weights[a + 3]
        for c in range(size):
            vector[c] += (x[c] * p + y[c] * q) + (z[c] * r + w[c] * s)
    for a in range(first, d):
        _add_one(rows[a], weights[a], vector)


@summed
def _add_one(row: Any, weight: Any, vector: Any) -> None:
    for c in range(vector.size):
        vector[c] += row[c] * weight
