"""Hebbian couplings of a disorder sample, as integers N J_ij wherever patterns are +-1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.disorder import Sample, pattern_blocks
from numerics.kernels import couplings as kernels

__all__ = ["Couplings", "bits_by_site", "halved", "hebbian", "narrowest", "site_patterns"]

Couplings = NDArray[np.int16] | NDArray[np.int32] | NDArray[np.float64]

_BLOCK = 1 << 25  # pattern values unpacked at a time (32 MB)


def hebbian(sample: Sample) -> Couplings:
    r"""Return ``N J_ij = sum_mu xi^mu_i xi^mu_j`` with ``J_ii = 0``.

    Returns
    -------
    couplings : (N, N) array
        int16 where all values fit, else int32, for +-1 patterns (exact); float64 otherwise.

    Examples
    --------
    >>> from numerics.disorder import draw
    >>> from theory.ensembles import IidPatterns
    >>> NJ = hebbian(draw(IidPatterns(), N=100, P=7))
    >>> NJ.dtype.name, int(NJ.diagonal().sum()), int(abs(NJ).max()) <= 7
    ('int16', 0, True)
    """
    if sample.dense is not None:
        return _hebbian_float(sample)
    words = bits_by_site(sample)
    small = sample.P <= np.iinfo(np.int16).max
    out = np.empty((sample.N, sample.N), dtype=np.int16 if small else np.int32)
    kernels.hebb(words, sample.P, False, out)
    if not small and max(abs(int(out.min())), int(out.max())) <= np.iinfo(np.int16).max:
        return out.astype(np.int16)
    return out


def halved(bits: NDArray[np.uint64], P: int) -> NDArray[np.int8] | None:
    """Return ``(N J_ij - parity) / 2`` with the parity of P, a (N, N) int8 array; None if a value does not fit.

    The diagonal stands for none of the couplings.

    Parameters
    ----------
    bits : (N, W) uint64 array, from :func:`bits_by_site`
    """
    out = np.empty((len(bits), len(bits)), dtype=np.int8)
    return out if kernels.hebb(bits, P, True, out) else None


def narrowest(largest: float) -> np.dtype[Any]:
    """Return the narrowest integer type, of 16 or 32 bits, that holds couplings of this size."""
    return np.dtype(np.int16 if largest < 2**15 else np.int32)


def bits_by_site(sample: Sample) -> NDArray[np.uint64]:
    """Return the pattern bits of each site, a (N, ceil(P / 64)) array of words."""
    count = -(-sample.P // 64)
    octets = np.zeros((sample.N, 8 * count), dtype=np.uint8)
    assert sample.packed is not None
    kernels.transpose_bits(sample.packed, octets)
    return octets.view("<u8").astype(np.uint64, copy=False)


def site_patterns(sample: Sample) -> NDArray[np.int8]:
    """Return the patterns by site, a (N, P) int8 array of +-1."""
    out = np.empty((sample.N, sample.P), dtype=np.int8)
    for first, block in pattern_blocks(sample, rows=max(64, _BLOCK // sample.N)):
        out[:, first : first + len(block)] = block.T
    return out


def _hebbian_float(sample: Sample) -> NDArray[np.float64]:
    out = np.zeros((sample.N, sample.N), dtype=np.float64)
    # Blocks of patterns and of rows: nothing of the size of the result is ever beside it.
    for _, block in pattern_blocks(sample, rows=256):
        patterns = block.astype(np.float64, copy=False)
        for first in range(0, sample.N, 256):
            out[first : first + 256] += patterns[:, first : first + 256].T @ patterns
    np.fill_diagonal(out, 0.0)
    # A blocked product is symmetric up to rounding only; the dynamics needs one J_ij.
    for first in range(0, sample.N, 256):
        last = min(first + 256, sample.N)
        out[last:, first:last] = out[first:last, last:].T
        corner = out[first:last, first:last]
        corner[:] = np.triu(corner) + np.triu(corner, 1).T
    return out
