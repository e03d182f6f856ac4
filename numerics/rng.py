r"""Random numbers by name: a sample is a name, not a position in a stream.

Every random object (the features of sample 7, the visiting order of its sweep 12) has a name, a tuple of
strings and integers.  A hash of the name is the key of a counter-based generator (Philox4x32-10), and rows of
arrays are
*lanes* of the counter, so any sample, and any row of it, is drawn alone: results do not depend on the number
of workers, on the order of the samples or on what was drawn before.

Examples
--------
>>> a = signs(stream("demo", 0, "features"), rows=3, columns=5)
>>> b = signs(stream("demo", 0, "features"), rows=1, columns=5, first_row=2)
>>> bool((a[2] == b[0]).all())
True
"""

from __future__ import annotations

import hashlib
import json

import numpy as np
from numpy.typing import NDArray

from numerics.kernels import philox

__all__ = ["gaussians", "permutation", "signs", "stream", "subsets", "words"]

# Gaussian numbers are rounded to multiples of 2^-30.  Sums of fewer than 2^20 of them, with signs, are then
# exact in double precision, so a matrix product of them is the same to the last bit in any order of summation
# and on any number of threads.
_GRID = 2.0**30


def stream(*name: str | int) -> NDArray[np.uint32]:
    """Return the Philox key of a name.

    Parameters
    ----------
    *name : str or int
        For example (seed, law, N, P, D, sample, purpose); different tuples give independent streams.

    Returns
    -------
    key : (3,) uint32 array
        Two key words and one counter word (96 bits of a BLAKE2b hash).

    Examples
    --------
    >>> stream("features", 1).tolist() == stream("features", 2).tolist()
    False
    """
    text = json.dumps(list(name), ensure_ascii=True, separators=(",", ":"))
    digest = hashlib.blake2b(text.encode(), digest_size=12, person=b"spinodal-1").digest()
    return np.frombuffer(digest, dtype="<u4").astype(np.uint32)


def words(key: NDArray[np.uint32], *, rows: int, columns: int, first_row: int = 0) -> NDArray[np.uint32]:
    """Return uniform 32-bit words; row r depends on the key and on `first_row` + r only.

    Returns
    -------
    words : (rows, columns) uint32 array
    """
    out = np.empty((rows, 4 * -(-columns // 4)), dtype=np.uint32)
    philox.lanes(key, first_row, 0, out)
    return out[:, :columns]


def signs(key: NDArray[np.uint32], *, rows: int, columns: int, first_row: int = 0) -> NDArray[np.int8]:
    """Return independent fair signs.

    Returns
    -------
    signs : (rows, columns) int8 array of +-1
    """
    bits = words(key, rows=rows, columns=-(-columns // 32), first_row=first_row)
    octets = np.ascontiguousarray(bits).astype("<u4", copy=False).view(np.uint8)
    drawn = np.unpackbits(octets, axis=1, count=columns, bitorder="little").view(np.int8)
    drawn *= 2
    drawn -= 1
    return drawn


def gaussians(key: NDArray[np.uint32], *, rows: int, columns: int, first_row: int = 0) -> NDArray[np.float64]:
    """Return standard Gaussian numbers (Box-Muller), rounded to multiples of 2^-30, at most 6.8 in size.

    Returns
    -------
    numbers : (rows, columns) float64 array
    """
    out = np.empty((rows, 4 * -(-columns // 4)), dtype=np.float64)
    philox.gaussian_lanes(key, first_row, _GRID, out)
    return out[:, :columns]


def subsets(key: NDArray[np.uint32], *, rows: int, size: int, of: int, first_row: int = 0) -> NDArray[np.int64]:
    """Return uniformly random `size`-element subsets of range(`of`), one per row (Floyd's algorithm).

    Returns
    -------
    members : (rows, size) int64 array
        Distinct within a row; as a set uniform up to 2^-32 `of`, but not in uniform order.
    """
    drawn = words(key, rows=rows, columns=size, first_row=first_row).astype(np.uint64)
    members = np.empty((rows, size), dtype=np.int64)
    for column in range(size):
        top = of - size + column
        pick = ((drawn[:, column] * np.uint64(top + 1)) >> np.uint64(32)).astype(np.int64)
        taken = (members[:, :column] == pick[:, None]).any(axis=1)
        members[:, column] = np.where(taken, top, pick)
    return members


def permutation(key: NDArray[np.uint32], size: int, *, lane: int = 0) -> NDArray[np.int32]:
    """Return a random permutation of range(`size`); lanes are independent.

    Returns
    -------
    order : (size,) int32 array

    Examples
    --------
    >>> sorted(permutation(stream("order"), 4).tolist())
    [0, 1, 2, 3]
    """
    order = np.empty(size, dtype=np.int32)
    philox.permutation(key, lane, order)
    return order
