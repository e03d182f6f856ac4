"""Exact Hebbian couplings of +-1 patterns by counting differing bits, and the fields they exert."""

from __future__ import annotations

from typing import Any

import numpy as np

from numerics.kernels.compile import kernel, ones

__all__ = ["fields", "hebb"]

_TILE = 64  # sites per tile: two tiles of packed patterns stay in the second-level cache up to P ~ 30 000


@kernel
def hebb(words: Any, P: Any, out: Any) -> None:
    """Write N J_ij = sum_mu xi_i xi_j, with J_ii = 0, into `out` (N, N) of an integer type that holds P.

    `words` (N, W) uint64 holds the P pattern bits of each site, zero padded.  Two sites that differ in c
    patterns have N J = P - 2c.  Blocks of 2 x 4 pairs reuse each loaded word several times.
    """
    N, W = words.shape
    for tile_i in range(0, N, _TILE):
        end_i = min(N, tile_i + _TILE)
        for tile_j in range(tile_i, N, _TILE):
            end_j = min(N, tile_j + _TILE)
            for i in range(tile_i, end_i, 2):
                for j in range(tile_j, end_j, 4):
                    # At the edge of an N that is no multiple of 4 the last site is repeated: the same value
                    # is written twice.
                    i2 = min(i + 1, N - 1)
                    j2, j3, j4 = min(j + 1, N - 1), min(j + 2, N - 1), min(j + 3, N - 1)
                    a1 = a2 = a3 = a4 = b1 = b2 = b3 = b4 = np.int64(0)
                    for w in range(W):
                        x, y = words[i, w], words[i2, w]
                        p, q, r, s = words[j, w], words[j2, w], words[j3, w], words[j4, w]
                        a1 += np.int64(ones(x ^ p))
                        a2 += np.int64(ones(x ^ q))
                        a3 += np.int64(ones(x ^ r))
                        a4 += np.int64(ones(x ^ s))
                        b1 += np.int64(ones(y ^ p))
                        b2 += np.int64(ones(y ^ q))
                        b3 += np.int64(ones(y ^ r))
                        b4 += np.int64(ones(y ^ s))
                    out[i, j] = P - 2 * a1
                    out[i, j2] = P - 2 * a2
                    out[i, j3] = P - 2 * a3
                    out[i, j4] = P - 2 * a4
                    out[i2, j] = P - 2 * b1
                    out[i2, j2] = P - 2 * b2
                    out[i2, j3] = P - 2 * b3
                    out[i2, j4] = P - 2 * b4
    for tile_i in range(0, N, _TILE):
        for tile_j in range(tile_i, N, _TILE):
            for i in range(tile_i, min(N, tile_i + _TILE)):
                for j in range(max(tile_j, i + 1), min(N, tile_j + _TILE)):
                    out[j, i] = out[i, j]
    for i in range(N):
        out[i, i] = 0


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
