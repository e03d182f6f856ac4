"""Zero-temperature sweeps of vector spins: each visited spin turns into its local field.

:func:`sweep` takes spins one by one, whatever the couplings.  Where a pair of sites has one number (or a complex one)
it pays to be lazy: the fields of the next few sites are taken together, with the spins as they are, and what the first
of these sites do is added to the fields of the others when their turn comes.  The dynamics is the same.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from numerics.kernels.compile import borrowing, kernel
from numerics.kernels.row_products import BLOCK, TALL, block_products, panel_products, total
from numerics.kernels.vector_fields import PhasorDense, ScalarDense, add_rows, field, moved

__all__ = ["block", "matrix_sweep", "phasor_sweep", "sweep", "turn", "wide_sweep"]


_ONE, _TWO, _THREE, _FOUR = block_products[1], block_products[2], block_products[3], block_products[4]

_PANEL_ONE, _PANEL_TWO, _PANEL_THREE, _PANEL_FOUR = (panel_products[K] for K in (1, 2, 3, 4))
_PANEL = 1024  # columns: of so many rows and four vectors 40 kB, which a core has next to it


@borrowing
def turn(s: Any, h: Any, zero: Any, delta: Any) -> Any:
    """Turn the spin `s` (d,) into its field `h`; write what it moved into `delta`, return the square of its length.

    A spin in a field of at most `zero` in length keeps its direction.
    """
    square = 0.0
    for a in range(h.size):
        square += np.float64(h[a]) * np.float64(h[a])
    length = math.sqrt(square)
    if not length > zero:
        for a in range(h.size):
            delta[a] = 0
        return 0.0
    distance = 0.0
    for a in range(h.size):
        after = s.dtype.type(np.float64(h[a]) / length)
        delta[a] = after - s[a]
        s[a] = after
        distance += np.float64(delta[a]) * np.float64(delta[a])
    return distance


@kernel
def sweep(system: Any, spins: Any, order: Any, zero: Any) -> Any:
    """Visit the sites of `order` (n,) in place; return the largest squared distance that a spin moved."""
    d = spins.shape[0]
    s, h, delta = np.empty(d, spins.dtype), np.empty(d, spins.dtype), np.empty(d, spins.dtype)
    largest = 0.0
    for k in range(order.size):
        i, upcoming = order[k], order[min(k + 1, order.size - 1)]
        for a in range(d):
            s[a] = spins[a, i]
        field(system, spins, s, i, upcoming, h)
        distance = turn(s, h, zero, delta)
        for a in range(d):
            spins[a, i] = s[a]
        moved(system, s, i, delta)
        largest = max(largest, distance)
    return largest


@kernel
def matrix_sweep(couplings: Any, spins: Any, order: Any, zero: Any) -> Any:
    """Do the same for scalar couplings (N, N), BLOCK sites at a time; fields are in units of `couplings`."""
    d = spins.shape[0]
    s, h, delta = np.empty(d, spins.dtype), np.empty(d, spins.dtype), np.empty(d, spins.dtype)
    fields = np.empty((BLOCK, d), spins.dtype)
    largest, whole = 0.0, order.size - order.size % BLOCK
    for first in range(0, whole, BLOCK):
        multiply_block(couplings, order, first, min(first + BLOCK, whole - BLOCK), spins, fields)
        for r in range(BLOCK):
            i = order[first + r]
            for a in range(d):
                s[a], h[a] = spins[a, i], fields[r, a]
            distance = turn(s, h, zero, delta)
            for a in range(d):
                spins[a, i] = s[a]
            for q in range(r + 1, BLOCK):
                c = couplings[order[first + q], i]
                for a in range(d):
                    fields[q, a] += c * delta[a]
            largest = max(largest, distance)
    return max(largest, sweep(ScalarDense(couplings, couplings.dtype.type(1)), spins, order[whole:], zero))


@kernel
def wide_sweep(couplings: Any, spins: Any, order: Any, zero: Any) -> Any:
    """Do the same for spins of many components, TALL sites and _PANEL columns of their couplings at a time."""
    d, N = spins.shape
    s, h, delta = np.empty(d, spins.dtype), np.empty(d, spins.dtype), np.empty(d, spins.dtype)
    lanes = 64 // spins.itemsize
    partial, fields = np.empty(TALL * d * lanes, spins.dtype), np.empty((TALL, d), spins.dtype)
    largest, whole = 0.0, order.size - order.size % TALL
    for first in range(0, whole, TALL):
        then = min(first + TALL, whole - TALL)
        partial[:] = 0
        for start in range(0, N, _PANEL):
            multiply_panel(couplings, order, first, then, spins, start, min(N, start + _PANEL), partial, lanes)
        for a in range(d):
            head = a - a % 4
            width = min(4, d - head)
            for r in range(TALL):
                fields[r, a] = total(partial, (TALL * head + r * width + a - head) * lanes)
        for r in range(TALL):
            i = order[first + r]
            for a in range(d):
                s[a], h[a] = spins[a, i], fields[r, a]
            largest = max(largest, turn(s, h, zero, delta))
            for a in range(d):
                spins[a, i] = s[a]
            for q in range(r + 1, TALL):
                c = couplings[order[first + q], i]
                for a in range(d):
                    fields[q, a] += c * delta[a]
    return max(largest, sweep(ScalarDense(couplings, couplings.dtype.type(1)), spins, order[whole:], zero))


@borrowing
def multiply_panel(
    matrix: Any, order: Any, first: Any, then: Any, vectors: Any, start: Any, stop: Any, partial: Any, lanes: Any
) -> None:
    """Add products of some columns to the partial sums of :func:`numerics.kernels.row_products.panel_products`."""
    d = vectors.shape[0]
    whole = d - d % 4
    for a in range(0, whole, 4):
        _PANEL_FOUR(matrix, order, first, then, vectors, a, start, stop, partial, TALL * a * lanes)
    at = TALL * whole * lanes
    if d % 4 == 3:
        _PANEL_THREE(matrix, order, first, then, vectors, whole, start, stop, partial, at)
    elif d % 4 == 2:
        _PANEL_TWO(matrix, order, first, then, vectors, whole, start, stop, partial, at)
    elif d % 4 == 1:
        _PANEL_ONE(matrix, order, first, then, vectors, whole, start, stop, partial, at)


@kernel
def phasor_sweep(real: Any, imaginary: Any, spins: Any, order: Any, zero: Any) -> Any:
    """Do the same for phasors, with the real and imaginary parts (N, N) of their couplings."""
    s, h, delta = np.empty(2, spins.dtype), np.empty(2, spins.dtype), np.empty(2, spins.dtype)
    fields, turned = np.empty((BLOCK, 2), spins.dtype), np.empty((BLOCK, 2), spins.dtype)
    largest, whole = 0.0, order.size - order.size % BLOCK
    for first in range(0, whole, BLOCK):
        then = min(first + BLOCK, whole - BLOCK)
        multiply_block(real, order, first, then, spins, fields)
        multiply_block(imaginary, order, first, then, spins, turned)
        for r in range(BLOCK):
            i = order[first + r]
            s[0], s[1] = spins[0, i], spins[1, i]
            h[0], h[1] = fields[r, 0] - turned[r, 1], fields[r, 1] + turned[r, 0]
            distance = turn(s, h, zero, delta)
            spins[0, i], spins[1, i] = s[0], s[1]
            for q in range(r + 1, BLOCK):
                x, y = real[order[first + q], i], imaginary[order[first + q], i]
                fields[q, 0] += x * delta[0] - y * delta[1]
                fields[q, 1] += x * delta[1] + y * delta[0]
            largest = max(largest, distance)
    rest = PhasorDense(real, imaginary, real.dtype.type(1))
    return max(largest, sweep(rest, spins, order[whole:], zero))


@borrowing
def multiply_block(matrix: Any, order: Any, first: Any, then: Any, vectors: Any, out: Any) -> None:
    """Write matrix[order[first : first + BLOCK]] @ vectors.T into `out`; rows from `then` on are read next."""
    d = vectors.shape[0]
    whole = d - d % 4
    for a in range(0, whole, 4):
        _FOUR(matrix, order, first, then, vectors, a, out)
    if d % 4 == 3:
        _THREE(matrix, order, first, then, vectors, whole, out)
    elif d % 4 == 2:
        _TWO(matrix, order, first, then, vectors, whole, out)
    elif d % 4 == 1:
        _ONE(matrix, order, first, then, vectors, whole, out)


@kernel
def block(fields: Any, pairs: Any, spins: Any, moves: Any, own: Any, zero: Any) -> Any:
    """Turn the B spins of a block by overlaps, whose `fields` (B, d) were taken together before.

    Parameters
    ----------
    pairs : (B, B) array
        Their couplings.
    spins : (B, d) array
        Changed in place.
    moves : (B, d) array
        What each moved by, written.
    own : bool
        Whether `fields` contain the coupling of each spin to itself, pairs[k, k], which is to be taken off.
    """
    B, d = fields.shape
    s, h, delta = np.empty(d, spins.dtype), np.empty(d, spins.dtype), np.empty(d, spins.dtype)
    largest = 0.0
    flat = pairs.reshape(B * B)
    for k in range(B):
        add_rows(fields, k * d, d, moves, 0, d, flat, k * B, k)
        for a in range(d):
            s[a] = spins[k, a]
            h[a] = fields[k, a] - pairs[k, k] * s[a] if own else fields[k, a]
        largest = max(largest, turn(s, h, zero, delta))
        for a in range(d):
            spins[k, a], moves[k, a] = s[a], delta[a]
    return largest
