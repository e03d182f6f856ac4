"""The overlap form of Hebbian couplings of +-1 patterns: N J is never formed.

The state is spins and the overlaps ``M_mu = sum_i xi^mu_i s_i``.  A local field is ``sum_mu xi^mu_i M_mu - P s_i``,
which costs O(P) to know, and a flip costs O(P).

Patterns come either as `bits` (N, W) uint64, 1 for +1 and zero padded, with `overlaps` (64 W,) whose padding means
nothing, or as `patterns` (N, P) int8, with `overlaps` (P,); the other argument is None.  Overlaps are int32.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from numerics.kernels.compile import kernel, merged, ones
from numerics.kernels.masks import add_signs, prefetch, sum_where_set

__all__ = ["ask", "field", "fields", "flip", "overlaps", "row", "total"]


@kernel
def total(P: Any, overlaps: Any) -> Any:
    """Sum of the P overlaps, which :func:`field` needs (of bits) and :func:`flip` keeps up to date."""
    found = np.int64(0)
    for mu in range(P):
        found += np.int64(overlaps[mu])
    return found


@merged
def ask(bits: Any, patterns: Any, i: Any) -> None:
    """Prefetch the patterns of site i."""
    # numba drops a branch that asks whether None is not None, and only that.
    if bits is not None:
        start = np.uintp(bits.ctypes.data) + np.uintp(i * bits.strides[0])
        for line in range(0, bits.strides[0], 64):
            prefetch(start + np.uintp(line))
    if patterns is not None:
        start = np.uintp(patterns.ctypes.data) + np.uintp(i * patterns.strides[0])
        for line in range(0, patterns.strides[0], 64):
            prefetch(start + np.uintp(line))


@merged
def field(bits: Any, patterns: Any, P: Any, i: Any, spin: Any, overlaps: Any, total: Any) -> Any:
    """Return N h_i as int64, exactly."""
    found = np.int64(0)
    if bits is not None:
        start = np.uintp(bits.ctypes.data) + np.uintp(i * bits.strides[0])
        values = np.uintp(overlaps.ctypes.data)
        W = bits.shape[1]
        found = sum_where_set(start, values, W, 64 * W * bits.shape[0] >= 2**31)
        found = 2 * found - total
    if patterns is not None:
        step = P if P * patterns.shape[0] < 2**31 else (2**31 - 1) // patterns.shape[0]
        for first in range(0, P, step):
            found += np.int64(_dot(patterns, i, overlaps, first, min(P, first + step)))
    return found - np.int64(P) * np.int64(spin)


@merged
def _dot(patterns: Any, i: Any, overlaps: Any, first: Any, last: Any) -> Any:
    found = np.int32(0)
    for mu in range(np.uint64(first), np.uint64(last)):  # unsigned indices make vectors
        found = np.int32(found + np.int32(np.int32(patterns[i, mu]) * overlaps[mu]))
    return found


@merged
def flip(bits: Any, patterns: Any, P: Any, i: Any, spin: Any, overlaps: Any) -> Any:
    """Turn spin i to `spin`: update the overlaps in place and return the change of their sum."""
    step = np.int32(2 * np.int32(spin))
    change = np.int64(0)
    if bits is not None:
        start = np.uintp(bits.ctypes.data) + np.uintp(i * bits.strides[0])
        add_signs(start, np.uintp(overlaps.ctypes.data), bits.shape[1], step)
        for w in range(bits.shape[1]):
            change += np.int64(ones(bits[i, w]))
        change = np.int64(step) * (2 * change - np.int64(P))
    if patterns is not None:
        for mu in range(np.uint64(P)):
            overlaps[mu] = np.int32(overlaps[mu] + np.int32(step * np.int32(patterns[i, mu])))
    return change


@kernel
def overlaps(bits: Any, patterns: Any, spins: Any, out: Any) -> None:
    """Write the overlaps of `spins` (N,) int8 into `out`."""
    out[:] = 0
    P = out.size
    for i in range(spins.size):
        # Half of what a flip from -s_i to s_i adds, so that nothing is to be known of the start.
        flip(bits, patterns, P, i, spins[i], out)
    for mu in range(P):
        out[mu] = out[mu] >> 1


@kernel
def fields(bits: Any, patterns: Any, P: Any, spins: Any, overlaps: Any, out: Any) -> None:
    """Write N h_i for all sites into `out` (N,) of an integer type that holds them."""
    sum_of_all = total(P, overlaps)
    for i in range(out.size):
        out[i] = field(bits, patterns, P, i, spins[i], overlaps, sum_of_all)


@kernel
def row(bits: Any, patterns: Any, P: Any, i: Any, out: Any) -> None:
    """Write N J_ij = sum_mu xi_i xi_j for all j into `out` (N,) int64, with 0 at j = i."""
    for j in range(out.size):
        if bits is not None:
            differ = np.int64(0)
            for w in range(bits.shape[1]):
                differ += np.int64(ones(bits[i, w] ^ bits[j, w]))
            out[j] = np.int64(P) - 2 * differ
        if patterns is not None:
            same = np.int64(0)
            for mu in range(P):
                same += np.int64(patterns[i, mu]) * np.int64(patterns[j, mu])
            out[j] = same
    out[i] = 0
