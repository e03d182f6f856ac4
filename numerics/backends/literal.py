"""Random words, logarithms and couplings by the definition, in plain Python: what the kernels must reproduce."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.interactions import Interactions

__all__ = ["log_ratio", "matrix", "philox"]


def philox(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return one block of Philox4x32-10 (Salmon et al., SC11 (2011), section 3.3).

    Examples
    --------
    >>> [hex(word) for word in philox((0, 0, 0, 0), (0, 0))]
    ['0x6627e8d5', '0xe169c58d', '0xbc57ac4c', '0x9b00dbd8']
    """
    mask = 0xFFFFFFFF
    a, b, c, d = counter
    k, l = key
    for _ in range(10):
        low, high = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (high >> 32) ^ b ^ k, high & mask, (low >> 32) ^ d ^ l, low & mask
        k, l = (k + 0x9E3779B9) & mask, (l + 0xBB67AE85) & mask
    return a, b, c, d


def log_ratio(a: float, b: float) -> float:
    """Return ln(a/b) by the operations that :mod:`numerics.kernels.thresholds` prescribes, in plain Python."""
    (k, x), (l, y) = _reduced(a), _reduced(b)
    power = float(k - l)
    if x * 1.4142135623730951 < y:
        x, power = 2 * x, power - 1.0
    elif y * 1.4142135623730951 < x:
        y, power = 2 * y, power + 1.0
    s = (x - y) / (x + y)
    z = s * s
    p = 1.0 / 19.0
    for odd in range(17, 1, -2):
        p = p * z + 1.0 / odd
    return power * 0.6931471805599453 + (2 * s + 2 * s * (z * p))


def _reduced(a: float) -> tuple[int, float]:
    """Return (k, r) with a = 2^k r and r from sqrt(1/2) to below sqrt(2)."""
    r, k = math.frexp(a)  # r in [1/2, 1)
    half = struct.unpack("<d", struct.pack("<q", 0x3FE6A09E667F3BCD))[0]
    return (k, r) if r >= half else (k - 1, 2 * r)


def matrix(interactions: Interactions) -> NDArray[Any]:
    """Return the stored couplings, a (N, N) int64 or float64 array with zero diagonal, of any representation."""
    if interactions.matrix is not None:
        if interactions.engine == "dense-float64":
            return interactions.matrix
        found = interactions.matrix.astype(np.int64)
        if interactions.engine == "dense-int8":
            found = 2 * found + interactions.parity
    else:
        patterns = interactions.patterns
        if interactions.bits is not None:
            octets = np.ascontiguousarray(interactions.bits).astype("<u8").view(np.uint8)
            patterns = 2 * np.unpackbits(octets, axis=1, count=interactions.P, bitorder="little").astype(np.int8) - 1
        assert patterns is not None
        found = patterns.astype(np.int64) @ patterns.T.astype(np.int64)
    np.fill_diagonal(found, 0)
    return found
