r"""Acceptance thresholds drawn ahead: 32-bit words, their logarithms, and a bound that finds candidates.

The word of site i in sweep n is word i & 3 of Philox block (i >> 2, 0, n, tag) under a walker's key, so a stretch of
sites is drawn at once and any word alone.  It means the uniform number u = (word + 1/2) 2^-32, never 0 or 1.

The logarithm is made of IEEE double operations in a fixed order, without fused ones and without a library: the same
bits on every machine and device.  With a/b = 2^k r and r in [sqrt(1/2), sqrt(2)],

    ln(a/b) = k ln 2 + 2 atanh(s),    s = (r - 1)/(r + 1),    |s| < 0.1716,

and ten terms of the series of atanh leave 2e-17.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from numerics.kernels.compile import inlined, kernel
from numerics.kernels.philox import rounds

__all__ = ["BOUND_SCALE", "LARGEST_LOG", "bound", "draw", "log_ratio", "logarithms"]

BOUND_SCALE = 0.6931471805599453 * 2.0**-23 * (1 + 2.0**-16)
LARGEST_LOG = 22.88  # just above ln 2^33, the largest -ln u

_LN2 = 0.6931471805599453
_SQRT2 = 1.4142135623730951
_SQRT_HALF_BITS = np.int64(0x3FE6A09E667F3BCD)
_TOP = 4294967296.0


def _cast(source: Any, target: Any, width: Any) -> Any:
    def typed(typing_context: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.bitcast(arguments[0], width)

        return target(source), generate

    return intrinsic(typed)


_bits: Any = _cast(types.float64, types.int64, ir.IntType(64))
_double: Any = _cast(types.int64, types.float64, ir.DoubleType())
_bits32: Any = _cast(types.float32, types.int32, ir.IntType(32))


@inlined
def _reduced(a: Any) -> Any:
    """Return (k, r) with a = 2^k r and r in [sqrt(1/2), sqrt(2))."""
    bits = _bits(a)
    k = (bits - _SQRT_HALF_BITS) >> np.int64(52)
    return k, _double(bits - (k << np.int64(52)))


@inlined
def log_ratio(a: Any, b: Any) -> Any:
    """Return ln(a/b) of two positive normal doubles, to 2e-15 relative where a - b is exact."""
    ka, ra = _reduced(a)
    kb, rb = _reduced(b)
    k = np.float64(ka - kb)
    low, high = ra * _SQRT2 < rb, rb * _SQRT2 < ra
    ra = ra + ra if low else ra
    rb = rb + rb if high else rb
    k = k - 1.0 if low else (k + 1.0 if high else k)
    s = (ra - rb) / (ra + rb)
    z = s * s
    p = 1.0 / 19.0
    p = p * z + 1.0 / 17.0
    p = p * z + 1.0 / 15.0
    p = p * z + 1.0 / 13.0
    p = p * z + 1.0 / 11.0
    p = p * z + 1.0 / 9.0
    p = p * z + 1.0 / 7.0
    p = p * z + 1.0 / 5.0
    p = p * z + 1.0 / 3.0
    s = s + s
    return k * _LN2 + (s + s * (z * p))


@kernel
def draw(key_0: Any, key_1: Any, tag: Any, sweep: Any, first: Any, words: Any) -> None:
    """Fill `words` (a multiple of 4) with those of sites first, first + 1, ...; `first` is a multiple of 4."""
    zero = np.uint32(0)
    lane = np.uint32(sweep)
    block = first >> 2
    for b in range(words.size >> 2):
        w0, w1, w2, w3 = rounds(np.uint32(block + b), zero, lane, tag, key_0, key_1)
        words[4 * b] = w0
        words[4 * b + 1] = w1
        words[4 * b + 2] = w2
        words[4 * b + 3] = w3


@inlined
def bound(word: Any) -> Any:
    """Return a float32 A with -ln u < BOUND_SCALE A, which is at most 0.06 too large for words from 256 on.

    log2(1 + f) >= f: the bits of a float32, read as an integer, bound its logarithm from below.
    """
    return np.float32(np.int32(1333788672 + 8) - _bits32(np.float32(word)))


@kernel
def logarithms(words: Any, logit: Any, out: Any) -> None:
    """Write -ln u, or ln((1 - u)/u) if `logit`, of every word into `out` (n,) float64."""
    if logit:
        for k in range(words.size):
            out[k] = log_ratio(np.float64(~words[k]) + 0.5, np.float64(words[k]) + 0.5)
    else:
        for k in range(words.size):
            out[k] = log_ratio(_TOP, np.float64(words[k]) + 0.5)
