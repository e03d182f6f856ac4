r"""Sweeps of many walkers over one set of couplings, at a temperature, with maintained local fields.

Two things are kept apart.  The *law of one update* is three small functions: whether a word is worth a look
(:func:`_hopeful`, by a bound that is cheap and never too small), its exact threshold (:func:`_thresholds`) and whether a
spin in its field moves (:func:`_moves`).  The *sweep machinery* draws words ahead, skips stretches without a
candidate, visits sites in the order 0, 1, ..., N-1 and has rows of couplings added to fields.  Spins of another kind
bring their own law and their own update of fields; words, stretches and walkers stay.

Walkers advance together, stretch by stretch, so that a row of couplings which one of them has fetched serves the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from numerics.kernels import overlap
from numerics.kernels.compile import inlined, kernel
from numerics.kernels.masks import prefetch
from numerics.kernels.thresholds import BOUND_SCALE, LARGEST_LOG, bound, draw, log_ratio

__all__ = ["REFRESH", "dense", "overlaps"]

REFRESH = 32  # sweeps after which floating-point fields are summed anew

_CHUNK = 128  # sites whose words are drawn at once
_BLOCK = 32  # sites scanned at once
_TILE = 4096  # fields that stay in the first-level cache
_TOP = 4294967296.0


@kernel
def _within_reach(spins: Any, fields: Any, r: Any, first: Any, last: Any, unit: Any) -> Any:
    """Return whether any word could move any of walker r's spins from `first` to `last` - 1."""
    # Here and below: products are taken in the type of the fields, numba would widen them to int64.
    kind = fields.dtype.type
    reach = np.float32(LARGEST_LOG * unit * (1.0 + 1e-6))
    found = np.int32(0)
    for k in range(np.uint64(first), np.uint64(last)):
        found = np.int32(found + np.int32(np.float32(kind(kind(spins[r, k]) * fields[r, k])) < reach))
    return found != 0


@kernel
def _hopeful(
    spins: Any, fields: Any, r: Any, words: Any, start: Any, first: Any, last: Any, unit: Any, heat_bath: Any
) -> Any:
    """Return whether any of walker r's spins from `first` to `last` - 1 may move with its word; words begin at site `start`.

    In the heat bath |ln((1 - u)/u)| < -ln min(u, 1 - u), and a spin +1 moves when u is close to 1: its word is
    complemented.
    """
    kind = fields.dtype.type
    scale = np.float32(unit * BOUND_SCALE)
    found = np.int32(0)
    if heat_bath:
        for k in range(np.uint64(first), np.uint64(last)):
            # All ones for a spin +1, zeros for -1.
            mask = np.uint32(np.int32(-((np.int32(spins[r, k]) + np.int32(1)) >> np.int32(1))))
            x = np.float32(kind(kind(spins[r, k]) * fields[r, k]))
            found = np.int32(found + np.int32(x < bound(np.uint32(words[k - np.uint64(start)] ^ mask)) * scale))
    else:
        for k in range(np.uint64(first), np.uint64(last)):
            x = np.float32(kind(kind(spins[r, k]) * fields[r, k]))
            found = np.int32(found + np.int32(x < bound(words[k - np.uint64(start)]) * scale))
    return found != 0


@kernel
def _thresholds(words: Any, first: Any, last: Any, unit: Any, largest: Any, heat_bath: Any, out: Any) -> None:
    """Write unit times the logarithm of each word; rounded up, and clamped to +-`largest`, for integer fields."""
    kind = out.dtype.type
    for k in range(np.uint64(first), np.uint64(last)):
        word = np.float64(words[k]) + 0.5
        log = log_ratio(np.float64(~words[k]) + 0.5, word) if heat_bath else log_ratio(_TOP, word)
        value = unit * log
        if largest > 0.0:
            value = min(max(value, -largest), largest)
            whole = kind(value)
            out[k] = kind(whole + kind(np.float64(whole) < value))
        else:
            out[k] = kind(value)


@inlined
def _moves(spin: Any, field: Any, threshold: Any, heat_bath: Any) -> Any:
    """Return whether a spin flips: Metropolis if s H < threshold; the heat bath makes it +1 iff H > -threshold."""
    if heat_bath:
        return (field > -threshold) != (spin > 0)
    return spin * field < threshold


@inlined
def _add_one(matrix: Any, i: Any, step: Any, shift: Any, fields: Any, r: Any, first: Any, last: Any) -> None:
    """Add `step` times row i and `shift` to walker r's fields from `first` to `last` - 1."""
    kind = fields.dtype.type
    for j in range(np.uint64(first), np.uint64(last)):
        fields[r, j] = kind(fields[r, j] + kind(kind(kind(matrix[i, j]) * step) + shift))


@inlined
def _add_four(
    matrix: Any,
    a: Any,
    b: Any,
    c: Any,
    d: Any,
    p: Any,
    q: Any,
    s: Any,
    t: Any,
    fields: Any,
    r: Any,
    first: Any,
    last: Any,
) -> None:
    """Add p row a + q row b + s row c + t row d."""
    kind = fields.dtype.type
    for j in range(np.uint64(first), np.uint64(last)):
        x = kind(kind(kind(matrix[a, j]) * p) + kind(kind(matrix[b, j]) * q))
        y = kind(kind(kind(matrix[c, j]) * s) + kind(kind(matrix[d, j]) * t))
        fields[r, j] = kind(fields[r, j] + kind(x + y))


@inlined
def _ask(matrix: Any, i: Any, first: Any, last: Any) -> None:
    """Prefetch row i from column `first` to `last` - 1."""
    size = matrix.itemsize
    place = np.uintp(matrix.ctypes.data) + np.uintp(i * matrix.strides[0])
    for byte in range(first * size, last * size, 64):
        prefetch(place + np.uintp(byte))


@kernel
def _catch_up(
    matrix: Any, sites: Any, steps: Any, shift: Any, count: Any, fields: Any, r: Any, first: Any, last: Any
) -> None:
    """Add `steps` times the rows of `count` `sites`, and `shift`, to fields from `first` to `last` - 1.

    Four rows at a time: the fields are loaded and stored once, and four streams keep the memory busy.
    """
    kind = fields.dtype.type
    zero = kind(0)
    for tile in range(first, last, _TILE):
        end = min(last, tile + _TILE)
        n = 0
        while n + 4 <= count:
            _add_four(
                matrix,
                sites[n],
                sites[n + 1],
                sites[n + 2],
                sites[n + 3],
                steps[n],
                steps[n + 1],
                steps[n + 2],
                steps[n + 3],
                fields,
                r,
                tile,
                end,
            )
            n += 4
        while n < count:
            _add_one(matrix, sites[n], steps[n], zero, fields, r, tile, end)
            n += 1
        if shift != zero:
            for j in range(np.uint64(tile), np.uint64(end)):
                fields[r, j] = kind(fields[r, j] + shift)


@kernel
def dense(
    matrix: Any,
    parity: Any,
    spins: Any,
    fields: Any,
    units: Any,
    largest: Any,
    heat_bath: Any,
    keys: Any,
    first_sweep: Any,
    sweeps: Any,
    accepted: Any,
) -> None:
    """Make sweeps with R walkers; `spins` (R, N) int8 and `fields` (R, N) change in place.

    Parameters
    ----------
    matrix, parity
        As in :mod:`numerics.kernels.rows`.
    units : (R,) float64 array
        normalisation/(2 beta): what a logarithm is multiplied with.
    largest : float
        No integer threshold is larger; 0 for floating-point fields.
    heat_bath : bool
    keys : (R, 3) uint32 array
    accepted : (R,) int64 array
        Flips are added.
    """
    R, N = spins.shape
    words = np.empty(_CHUNK, dtype=np.uint32)
    thresholds = np.empty(_CHUNK, dtype=fields.dtype)
    kind = fields.dtype.type
    sites = np.empty(_CHUNK, dtype=np.int64)
    steps = np.empty(_CHUNK, dtype=fields.dtype)
    double = kind(2) if parity is None else kind(4)
    single = kind(0) if parity is None else kind(2 * parity)
    for sweep in range(first_sweep, first_sweep + sweeps):
        if largest == 0.0 and sweep % REFRESH == 0:
            for r in range(R):
                for i in range(N):
                    total = 0.0
                    for j in range(N):
                        total += matrix[i, j] * spins[r, j]
                    fields[r, i] = total
        for start in range(0, N, _CHUNK):
            end = min(N, start + _CHUNK)
            for r in range(R):
                unit = units[r]
                if not _within_reach(spins, fields, r, start, end, unit):
                    continue
                draw(keys[r, 0], keys[r, 1], keys[r, 2], sweep, start, words)
                if not _hopeful(spins, fields, r, words, start, start, end, unit, heat_bath):
                    continue
                count = 0
                shift = kind(0)
                for first in range(start, end, _BLOCK):
                    last = min(end, first + _BLOCK)
                    if not _hopeful(spins, fields, r, words, start, first, last, unit, heat_bath):
                        continue
                    _thresholds(words, first - start, last - start, unit, largest, heat_bath, thresholds)
                    for k in range(first, last):
                        own = fields[r, k]
                        if _moves(spins[r, k], own, thresholds[k - start], heat_bath):
                            for m in range(k + 1, last):
                                if _moves(spins[r, m], fields[r, m], thresholds[m - start], heat_bath):
                                    _ask(matrix, m, start, end)
                                    break
                            spins[r, k] = -spins[r, k]
                            sites[count] = k
                            steps[count] = kind(kind(spins[r, k]) * double)
                            odd = kind(kind(spins[r, k]) * single)
                            shift = kind(shift + odd)
                            _add_one(matrix, k, steps[count], odd, fields, r, start, end)
                            fields[r, k] = own  # J_ii = 0
                            count += 1
                if count > 0:
                    accepted[r] += count
                    _catch_up(matrix, sites, steps, shift, count, fields, r, 0, start)
                    _catch_up(matrix, sites, steps, shift, count, fields, r, end, N)


@kernel
def overlaps(
    bits: Any,
    patterns: Any,
    P: Any,
    spins: Any,
    state: Any,
    units: Any,
    largest: Any,
    heat_bath: Any,
    keys: Any,
    first_sweep: Any,
    sweeps: Any,
    accepted: Any,
) -> None:
    """Make sweeps with R walkers in the overlap form: `spins` (R, N) and the overlaps `state` (R, M) change in place.

    `bits`, `patterns` and `P` as in :mod:`numerics.kernels.overlap`; the rest as in :func:`dense`.
    """
    R, N = spins.shape
    words = np.empty(_CHUNK, dtype=np.uint32)
    thresholds = np.empty(_CHUNK, dtype=np.int64)
    totals = np.empty(R, dtype=np.int64)
    for r in range(R):
        totals[r] = overlap.total(P, state[r])
    for sweep in range(first_sweep, first_sweep + sweeps):
        for start in range(0, N, _CHUNK):
            end = min(N, start + _CHUNK)
            for r in range(R):
                s, M = spins[r], state[r]
                draw(keys[r, 0], keys[r, 1], keys[r, 2], sweep, start, words)
                _thresholds(words, 0, end - start, units[r], largest, heat_bath, thresholds)
                for k in range(start, end):
                    field = overlap.field(bits, patterns, P, k, s[k], M, totals[r])
                    if _moves(s[k], field, thresholds[k - start], heat_bath):
                        s[k] = -s[k]
                        totals[r] += overlap.flip(bits, patterns, P, k, s[k], M)
                        accepted[r] += 1
