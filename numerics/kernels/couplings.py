"""Exact Hebbian couplings of +-1 patterns by counting differing bits, and the fields they exert."""

from __future__ import annotations

from typing import Any

import numpy as np

from numerics.kernels.bit_counts import COLUMNS, ROWS, differing, put
from numerics.kernels.compile import kernel

__all__ = ["fields", "hebb", "transpose_bits"]

_TOGETHER = 4  # panels whose columns fill whole cache lines of a row


@kernel
def hebb(bits: Any, P: Any, halved: Any, out: Any) -> Any:
    """Write N J_ij = sum_mu xi_i xi_j, with J_ii = 0, into `out` (N, N) of an integer type that holds P.

    `bits` (N, W) uint64 holds the P pattern bits of each site, zero padded.  Two sites that differ in c patterns have
    N J = P - 2c.  If `halved`, ``(N J - P mod 2) / 2`` is written into `out` of int8.

    Returns
    -------
    fits : bool
        False as soon as a halved value needs more than 8 bits.
    """
    N, W = bits.shape
    panels = np.zeros((-(-N // COLUMNS), W, COLUMNS), dtype=np.uint64)
    for j in range(N):
        for w in range(W):
            panels[j // COLUMNS, w, j % COLUMNS] = bits[j, w]
    counts = np.empty((ROWS, COLUMNS), dtype=np.int32)
    kind = out.dtype.type
    base, step = (np.int32(P // 2), np.int32(1)) if halved else (np.int32(P), np.int32(2))
    most, least = base + 128, base - 127  # counts that fit, if halved
    for group in range(0, panels.shape[0], _TOGETHER):
        end = min(panels.shape[0], group + _TOGETHER)
        for i in range(0, min(N, end * COLUMNS), ROWS):
            rows = min(ROWS, N - i)
            for panel in range(max(group, i // COLUMNS), end):
                j = panel * COLUMNS
                columns = min(COLUMNS, N - j)
                differing(bits, i, panels, panel, counts)
                if halved and P > 255:
                    smallest, largest = np.int32(2**31 - 1), np.int32(0)
                    for a in range(rows):
                        for b in range(columns):
                            if i + a != j + b:
                                smallest, largest = min(smallest, counts[a, b]), max(largest, counts[a, b])
                    if largest > most or smallest < least:
                        return False
                if columns == COLUMNS and rows == ROWS:
                    put(counts, base, step, out, i, j)
                else:
                    for a in range(rows):
                        for b in range(columns):
                            out[i + a, j + b] = out[j + b, i + a] = kind(base - np.int32(step * counts[a, b]))
    for i in range(N):
        out[i, i] = 0
    return True


@kernel
def fields(matrix: Any, parity: Any, spins: Any, out: Any) -> None:
    """Write sum_j NJ_ij s_j, without j = i, into `out` (N,), of a dtype that holds every partial sum.

    `matrix` (N, N) holds (N J - parity) / 2, or N J if `parity` is None; `spins` (N,) is int8.
    """
    kind = out.dtype.type
    size = kind(0)
    for j in range(out.size):
        size = kind(size + kind(spins[j]))
    for i in range(out.size):
        row = matrix[i]
        total = kind(0)
        for j in range(out.size):
            total = kind(total + kind(kind(row[j]) * kind(spins[j])))
        total = kind(total - kind(kind(row[i]) * kind(spins[i])))
        if parity is not None:
            total = kind(kind(2 * total) + kind(kind(parity) * kind(size - kind(spins[i]))))
        out[i] = total


@kernel
def transpose_bits(packed: Any, out: Any) -> None:
    """Write bit i of row mu of `packed` (P, ceil(N / 8)) uint8 as bit mu of row i of `out` (N, >= ceil(P / 8)) uint8.

    Blocks of 8 x 8 bits are transposed by three exchanges (Warren, Hacker's Delight, section 7-3).
    """
    P, N = packed.shape[0], out.shape[0]
    a, b, c = np.uint64(0x00AA00AA00AA00AA), np.uint64(0x0000CCCC0000CCCC), np.uint64(0x00000000F0F0F0F0)
    for left in range(packed.shape[1]):
        sites = min(8, N - 8 * left)
        for top in range(0, P, 8):
            block = np.uint64(0)
            for k in range(min(8, P - top)):
                block |= np.uint64(packed[top + k, left]) << np.uint64(8 * k)
            x = (block ^ (block >> np.uint64(7))) & a
            block = block ^ x ^ (x << np.uint64(7))
            x = (block ^ (block >> np.uint64(14))) & b
            block = block ^ x ^ (x << np.uint64(14))
            x = (block ^ (block >> np.uint64(28))) & c
            block = block ^ x ^ (x << np.uint64(28))
            for k in range(sites):
                out[8 * left + k, top // 8] = np.uint8(block >> np.uint64(8 * k))
