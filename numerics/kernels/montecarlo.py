r"""Sweeps of many walkers over one set of couplings, at a temperature, with maintained local fields.

Two things are kept apart.  The *law of one update* says below what s H must be for a spin to flip, given its word:
exactly (:func:`_thresholds`), and by a bound that is cheap and never too small (:func:`_hopeful`,
:func:`_within_reach`).  The *sweep machinery* draws words ahead, skips stretches without a candidate, visits sites in
the order 0, 1, ..., N-1 and adds rows of couplings to fields.  Spins of another kind bring their own law and their own
update of fields; words, chunks and walkers stay.

Walkers advance together, chunk by chunk, so that a row of couplings which one of them has fetched serves the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from numerics.kernels import overlap
from numerics.kernels.compile import inlined, kernel
from numerics.kernels.masks import prefetch
from numerics.kernels.stretches import LANES, add_row, add_rows, below, lowest
from numerics.kernels.thresholds import BOUND_SCALE, LARGEST_LOG, bound, draw, log_ratio

__all__ = ["REFRESH", "dense", "overlaps"]

REFRESH = 32  # sweeps after which floating-point fields are summed anew

_CHUNK = 128  # sites whose words are drawn at once
_TILE = 4096  # fields that stay in the first-level cache
_ALL = np.uint32(0xFFFFFFFF)
_TOP = 4294967296.0
_HALF = np.uint32(0x80000000)


@inlined
def _within_reach(spins: Any, fields: Any, r: Any, first: Any, last: Any, unit: Any) -> Any:
    """Return whether any word could flip any of walker r's spins from `first` to `last` - 1."""
    # Here and below: products are taken in the type of the fields, numba would widen them to int64.
    kind = fields.dtype.type
    reach = np.float32(LARGEST_LOG * unit * (1.0 + 1e-6))
    found = np.int32(0)
    for k in range(np.uint64(first), np.uint64(last)):
        found = np.int32(found + np.int32(np.float32(kind(kind(spins[r, k]) * fields[r, k])) < reach))
    return found != 0


@inlined
def _hopeful(
    spins: Any, fields: Any, r: Any, words: Any, start: Any, first: Any, last: Any, unit: Any, heat_bath: Any
) -> Any:
    """Return whether any of walker r's spins from `first` to `last` - 1 may flip with its word; words begin at `start`.

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


@inlined
def _thresholds(
    spins: Any, r: Any, words: Any, start: Any, first: Any, last: Any, unit: Any, largest: Any, heat_bath: Any, out: Any
) -> None:
    """Write below what s H must be for walker r's spins from `first` to `last` - 1 to flip; words begin at `start`.

    Metropolis: s H < -unit ln u.  Heat bath, +1 iff H > -t with t = unit ln((1 - u)/u): a spin -1 flips if s H < t, and
    a spin +1 if s H <= -t.  Fields of whole numbers get whole numbers, not beyond +-`largest`; for others it is 0.

    A move that costs nothing, s H = 0, is refused for u >= 1/2 where that leaves all other moves as they are (bound 0
    instead of 1).  Were it always accepted, sites in turn would go round closed orbits in small systems for ever.
    """
    kind = out.dtype.type
    one = kind(1)
    for k in range(np.uint64(first), np.uint64(last)):
        word = words[k - np.uint64(start)]
        u = np.float64(word) + 0.5
        log = log_ratio(np.float64(~word) + 0.5, u) if heat_bath else log_ratio(_TOP, u)
        value = unit * log
        turned = heat_bath and spins[r, k] > 0
        if largest > 0.0:
            value = min(max(value, -largest), largest)
            found = kind(np.ceil(value))
            if not heat_bath and found == one and word >= _HALF:
                found = kind(0)
            out[k - np.uint64(start)] = kind(one - found) if turned else found
        else:
            out[k - np.uint64(start)] = kind(-value) if turned else kind(value)


@inlined
def _add(
    matrix: Any, parity: Any, sites: Any, signs: Any, n: Any, fields: Any, r: Any, first: Any, last: Any, upcoming: Any
) -> None:
    """Flip spin sites[n] of walker r as far as the fields from `first` to `last` - 1 are concerned."""
    kind = fields.dtype.type
    shift = kind(2 * parity * signs[n])
    if last >= LANES:
        add_row(matrix, fields, sites, signs, n, shift, r * fields.shape[1], first, last, upcoming)
    else:
        double = kind(4 if matrix.itemsize == 1 else 2)
        for j in range(first, last):
            step = kind(kind(kind(matrix[sites[n], j]) * kind(signs[n])) * double)
            fields[r, j] = kind(kind(fields[r, j] + step) + shift)


@inlined
def _ask(matrix: Any, i: Any, first: Any, last: Any) -> None:
    """Have columns `first` to `last` - 1 of row i fetched into the cache."""
    place = np.uintp(matrix.ctypes.data) + np.uintp(i * matrix.strides[0])
    size = matrix.itemsize
    for byte in range(first * size, last * size, 64):
        prefetch(place + np.uintp(byte))


@kernel
def _catch_up(
    matrix: Any, parity: Any, sites: Any, signs: Any, count: Any, fields: Any, r: Any, first: Any, last: Any
) -> None:
    """Flip `count` spins as far as the fields from `first` to `last` - 1 are concerned, four at a time."""
    for tile in range(first, last, _TILE):
        end = min(last, tile + _TILE)
        n = 0
        while n + 4 <= count:
            shift = fields.dtype.type(2 * parity * (signs[n] + signs[n + 1] + signs[n + 2] + signs[n + 3]))
            add_rows(matrix, fields, sites, signs, n, shift, r * fields.shape[1], tile, end, sites[n])
            n += 4
        while n < count:
            _add(matrix, parity, sites, signs, n, fields, r, tile, end, sites[min(n + 1, count - 1)])
            n += 1


@kernel
def _total(spins: Any, fields: Any, r: Any, N: Any, whole: Any) -> Any:
    """Return sum_i s_i H_i of walker r; `whole` numbers are summed as such."""
    if whole:
        count = np.int64(0)
        for k in range(np.uint64(N)):
            count += np.int64(spins[r, k]) * np.int64(fields[r, k])
        return np.float64(count)
    total = 0.0
    for k in range(np.uint64(N)):
        total += np.float64(spins[r, k]) * np.float64(fields[r, k])
    return total


@kernel
def dense(
    matrix: Any,
    parity: Any,
    N: Any,
    spins: Any,
    fields: Any,
    units: Any,
    largest: Any,
    heat_bath: Any,
    keys: Any,
    first_sweep: Any,
    each: Any,
    accepted: Any,
    totals: Any,
) -> None:
    """Make sweeps with R walkers; `spins` and `fields` change in place.

    Flips act at once on the fields of their chunk, and on all others when the chunk is done: rows are then added
    several at a time.

    Parameters
    ----------
    matrix : (N, N) array
        (N J - parity)/2 as int8, else N J (with parity 0); its diagonal is ignored.
    spins : (R, M) int8 array
        M a multiple of 32, M >= N; zeros beyond N.
    fields : (R, M) int32, int64 or float64 array
    units : (n, R) float64 array
        normalisation/(2 beta): what a logarithm is multiplied with; a row for every `each` sweeps.
    largest : float
        No whole threshold is larger; 0 where fields are not whole numbers.
    heat_bath : bool
    keys : (R, 3) uint32 array
    accepted : (n, R) int64 array
        Flips are added.
    totals : (n, R) float64 array
        sum_i s_i H_i at the end of each row's sweeps is written.
    """
    R, M = spins.shape
    kind = fields.dtype.type
    double = kind(4 if matrix.itemsize == 1 else 2)
    words = np.empty(_CHUNK, dtype=np.uint32)
    thresholds = np.empty(_CHUNK, dtype=fields.dtype)
    ready = np.empty(_CHUNK // LANES, dtype=np.bool_)
    sites = np.empty(_CHUNK, dtype=np.int64)
    signs = np.empty(_CHUNK, dtype=np.int16)
    for made in range(each * units.shape[0]):
        sweep, step = first_sweep + made, made // each
        if largest == 0.0 and sweep % REFRESH == 0:
            for r in range(R):
                for i in range(N):
                    total = kind(0)
                    for j in range(N):
                        total += matrix[i, j] * spins[r, j]
                    fields[r, i] = total
        for start in range(0, N, _CHUNK):
            end = min(N, start + _CHUNK)
            for r in range(R):
                unit = units[step, r]
                if not _within_reach(spins, fields, r, start, end, unit):
                    continue
                draw(keys[r, 0], keys[r, 1], keys[r, 2], sweep, start, words)
                if not _hopeful(spins, fields, r, words, start, start, end, unit, heat_bath):
                    continue
                # Rows that may be needed soon: only their part of this chunk, which flips are waiting for.
                for first in range(start, end, LANES):
                    last = min(end, first + LANES)
                    block = (first - start) // LANES
                    ready[block] = _hopeful(spins, fields, r, words, start, first, last, unit, heat_bath)
                    if ready[block]:
                        _thresholds(spins, r, words, start, first, last, unit, largest, heat_bath, thresholds)
                        later = np.uint32(_ALL >> np.uint32(LANES - (last - first)))
                        bits = np.uint32(below(spins, fields, thresholds, r * M + first, first - start) & later)
                        while bits != 0:
                            _ask(matrix, first + lowest(bits), start, end)
                            bits = np.uint32(bits & np.uint32(bits - np.uint32(1)))
                count = 0
                for first in range(start, end, LANES):
                    last = min(end, first + LANES)
                    if not ready[(first - start) // LANES]:
                        if count == 0 or not _hopeful(spins, fields, r, words, start, first, last, unit, heat_bath):
                            continue
                        _thresholds(spins, r, words, start, first, last, unit, largest, heat_bath, thresholds)
                    later = np.uint32(_ALL >> np.uint32(LANES - (last - first)))
                    bits = np.uint32(below(spins, fields, thresholds, r * M + first, first - start) & later)
                    while bits != 0:
                        lane = lowest(bits)
                        sites[count] = first + lane
                        signs[count] = -spins[r, first + lane]
                        _add(matrix, parity, sites, signs, count, fields, r, start, end, first + lane)
                        count += 1
                        later = np.uint32(later & np.uint32(np.uint32(_ALL << np.uint32(1)) << np.uint32(lane)))
                        bits = np.uint32(below(spins, fields, thresholds, r * M + first, first - start) & later)
                if count > 0:
                    accepted[step, r] += count
                    # A site is looked at once in a sweep, so its own part can wait: the new spin, and J_ii = 0.
                    for n in range(count):
                        k = sites[n]
                        spins[r, k] = signs[n]
                        itself = kind(kind(kind(matrix[k, k]) * double) + kind(2 * parity))
                        fields[r, k] = kind(fields[r, k] - kind(itself * kind(signs[n])))
                    _catch_up(matrix, parity, sites, signs, count, fields, r, 0, start)
                    _catch_up(matrix, parity, sites, signs, count, fields, r, end, N)
        if (made + 1) % each == 0:
            for r in range(R):
                totals[step, r] = _total(spins, fields, r, N, largest > 0.0)


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
    each: Any,
    accepted: Any,
    totals: Any,
) -> None:
    """Make sweeps with R walkers in the overlap form: `spins` (R, N) and the overlaps `state` (R, M) change in place.

    `bits`, `patterns` and `P` as in :mod:`numerics.kernels.overlap`; the rest as in :func:`dense`.
    """
    R, N = spins.shape
    words = np.empty(_CHUNK, dtype=np.uint32)
    thresholds = np.empty(_CHUNK, dtype=np.int64)
    sums = np.empty(R, dtype=np.int64)  # of all overlaps
    for r in range(R):
        sums[r] = overlap.total(P, state[r])
    for made in range(each * units.shape[0]):
        sweep, step = first_sweep + made, made // each
        for start in range(0, N, _CHUNK):
            end = min(N, start + _CHUNK)
            for r in range(R):
                s, M = spins[r], state[r]
                draw(keys[r, 0], keys[r, 1], keys[r, 2], sweep, start, words)
                _thresholds(spins, r, words, start, start, end, units[step, r], largest, heat_bath, thresholds)
                for k in range(start, end):
                    field = overlap.field(bits, patterns, P, k, s[k], M, sums[r])
                    if s[k] * field < thresholds[k - start]:
                        s[k] = -s[k]
                        sums[r] += overlap.flip(bits, patterns, P, k, s[k], M)
                        accepted[step, r] += 1
        if (made + 1) % each == 0:
            for r in range(R):
                square = 0.0
                for mu in range(P):
                    square += np.float64(state[r, mu]) ** 2
                totals[step, r] = square - np.float64(N) * P
