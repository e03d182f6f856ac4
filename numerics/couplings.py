"""Hebbian couplings of a disorder sample, as integers N J_ij wherever patterns are +-1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from numerics.disorder import Sample, pattern_blocks
from numerics.kernels import couplings as kernels

__all__ = ["Couplings", "field_dtype", "hebbian", "local_fields", "zero_field"]

Couplings = NDArray[np.int16] | NDArray[np.int32] | NDArray[np.float64]


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
    words = _bits_by_site(sample)
    small = sample.P <= np.iinfo(np.int16).max
    out = np.empty((sample.N, sample.N), dtype=np.int16 if small else np.int32)
    kernels.hebb(words, sample.P, out)
    if not small and max(abs(int(out.min())), int(out.max())) <= np.iinfo(np.int16).max:
        return out.astype(np.int16)
    return out


def field_dtype(couplings: Couplings) -> np.dtype[Any]:
    """Return the dtype of local fields: the narrowest that holds every partial sum of a row exactly."""
    if couplings.dtype == np.float64:
        return np.dtype(np.float64)
    # Flipping one spin moves a field by twice a coupling, hence one more site in the bound.
    sites = couplings.shape[0] + 1
    if couplings.dtype == np.int16 and sites < 2**16:
        return np.dtype(np.int32)
    largest = max(abs(int(couplings.min())), int(couplings.max()))
    return np.dtype(np.int32 if sites * largest < 2**31 else np.int64)


def local_fields(couplings: Couplings, spins: NDArray[np.int8]) -> NDArray[Any]:
    """Return ``N h_i = sum_j N J_ij s_j``, a (N,) array of :func:`field_dtype`."""
    kind = field_dtype(couplings)
    if couplings.dtype == np.float64:
        return np.asarray(couplings @ spins.astype(np.float64))
    out: NDArray[Any] = np.empty(spins.size, dtype=kind)
    kernels.fields(couplings, spins.astype(couplings.dtype), out)
    return out


def zero_field(couplings: Couplings) -> float:
    """Return the size up to which a local field counts as zero.

    0 for integer couplings, which are exact; 2^-40 of the largest possible field for floating-point ones,
    where rounding would otherwise decide ties (double precision leaves 2^-52 per operation).
    """
    if couplings.dtype != np.float64:
        return 0.0
    largest = max(float(np.abs(row).sum()) for row in couplings)
    return 2.0**-40 * largest


def _bits_by_site(sample: Sample) -> NDArray[np.uint64]:
    """Return the pattern bits of each site, (N, ceil(P / 64)) words, padded to whole vectors of 8."""
    count = -(-sample.P // 64)
    if count > 4:
        count = 8 * -(-count // 8)
    octets = np.zeros((sample.N, 8 * count), dtype=np.uint8)
    for first, block in pattern_blocks(sample, rows=4096):
        bits = np.packbits(block > 0, axis=0, bitorder="little")
        octets[:, first // 8 : first // 8 + len(bits)] = bits.T
    return octets.view(np.uint64)


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
