"""Philox4x32-10, a counter-based generator: any word of any stream is computed alone.

Counter words are (block, 0, lane, tag) and the key is (key_0, key_1); `key` below is the array
(key_0, key_1, tag).  A lane is whatever a caller wants to address directly: a row of a matrix, a sweep.

References
----------
Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11 (2011), section 3.3.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from numerics.kernels.compile import inlined, kernel

__all__ = ["gaussian_lanes", "lanes", "permutation", "philox", "rounds"]

_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint32(0x9E3779B9)
_W1 = np.uint32(0xBB67AE85)
_32 = np.uint64(32)


@inlined
def rounds(c0: Any, c1: Any, c2: Any, c3: Any, k0: Any, k1: Any) -> Any:
    for _ in range(10):
        p0 = _M0 * np.uint64(c0)
        p1 = _M1 * np.uint64(c2)
        n0 = np.uint32(p1 >> _32) ^ c1 ^ k0
        n1 = np.uint32(p1)
        n2 = np.uint32(p0 >> _32) ^ c3 ^ k1
        n3 = np.uint32(p0)
        c0, c1, c2, c3 = np.uint32(n0), n1, np.uint32(n2), n3
        k0 = np.uint32(k0 + _W0)
        k1 = np.uint32(k1 + _W1)
    return c0, c1, c2, c3


@kernel
def philox(counter: Any, key: Any, out: Any) -> None:
    """One block: `counter` (4,), `key` (2,) and `out` (4,) of uint32."""
    out[0], out[1], out[2], out[3] = rounds(counter[0], counter[1], counter[2], counter[3], key[0], key[1])


@kernel
def lanes(key: Any, first_lane: Any, first_block: Any, out: Any) -> None:
    """Fill row r of `out` (rows, 4 blocks) uint32 from lane first_lane + r, starting at block first_block."""
    zero = np.uint32(0)
    for r in range(out.shape[0]):
        lane = np.uint32(first_lane + r)
        for b in range(out.shape[1] // 4):
            w0, w1, w2, w3 = rounds(np.uint32(first_block + b), zero, lane, key[2], key[0], key[1])
            out[r, 4 * b] = w0
            out[r, 4 * b + 1] = w1
            out[r, 4 * b + 2] = w2
            out[r, 4 * b + 3] = w3


@kernel
def gaussian_lanes(key: Any, first_lane: Any, grid: Any, out: Any) -> None:
    """Fill row r of `out` (rows, 4 blocks) float64 with Gaussian numbers of lane first_lane + r (Box-Muller).

    Numbers are rounded to multiples of 1 / `grid`.
    """
    zero = np.uint32(0)
    scale = 2.0**-32
    turn = 2.0 * math.pi
    for r in range(out.shape[0]):
        lane = np.uint32(first_lane + r)
        for b in range(out.shape[1] // 4):
            w0, w1, w2, w3 = rounds(np.uint32(b), zero, lane, key[2], key[0], key[1])
            radius, angle = math.sqrt(-2.0 * math.log((w0 + 0.5) * scale)), turn * ((w1 + 0.5) * scale)
            out[r, 4 * b] = np.rint(radius * math.cos(angle) * grid) / grid
            out[r, 4 * b + 1] = np.rint(radius * math.sin(angle) * grid) / grid
            radius, angle = math.sqrt(-2.0 * math.log((w2 + 0.5) * scale)), turn * ((w3 + 0.5) * scale)
            out[r, 4 * b + 2] = np.rint(radius * math.cos(angle) * grid) / grid
            out[r, 4 * b + 3] = np.rint(radius * math.sin(angle) * grid) / grid


@kernel
def permutation(key: Any, lane: Any, order: Any) -> None:
    """Write a random permutation of range(N) into `order` (N,) int32 (Fisher-Yates, one 32-bit word per
    step).

    A step picks (word * n) >> 32 out of n, so probabilities are off by less than n / 2^32.
    """
    size = order.size
    zero, lane_word = np.uint32(0), np.uint32(lane)
    k0, k1, tag = key[0], key[1], key[2]
    # All words first: blocks are independent, so the rounds become vector instructions.
    words = np.empty(4 * (-(-size // 4)), dtype=np.uint32)
    for block in range(words.size // 4):
        w0, w1, w2, w3 = rounds(np.uint32(block), zero, lane_word, tag, k0, k1)
        words[4 * block] = w0
        words[4 * block + 1] = w1
        words[4 * block + 2] = w2
        words[4 * block + 3] = w3
    for i in range(size):
        order[i] = i
    for k in range(size - 1):
        last = size - 1 - k
        pick = np.int64((np.uint64(words[k]) * np.uint64(last + 1)) >> _32)
        kept = order[last]
        order[last] = order[pick]
        order[pick] = kept
