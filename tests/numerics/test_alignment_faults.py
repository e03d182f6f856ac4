"""Faults planted in the source text of the zero-temperature kernels of vector spins must change their trajectories."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from numerics import rng
from numerics.backends import reference_alignment
from numerics.kernels import alignment as kernels
from numerics.kernels import vector_fields
from numerics.vector_interactions import ENGINES, KINDS, vector_interactions
from numerics.vector_systems import components, system

CASES = [
    (kind, d, engine) for kind in KINDS for d in ((2,) if kind == "phasor" else (1, 2, 3, 5, 19)) for engine in ENGINES
]


def unit(*shape: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=shape)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def multiply(rows, at, stride, vector, start, following, then, size, out):
    """What numerics.kernels.row_products does, in NumPy."""
    places = at + stride * np.arange(out.size)[:, None] + np.arange(size)
    out[:] = rows.reshape(-1)[places] @ vector.reshape(-1)[start : start + size]


def add_rows(vector, start, size, rows, at, stride, weights, first, count):
    places = at + stride * np.arange(count)[:, None] + np.arange(size)
    vector.reshape(-1)[start : start + size] += weights[first : first + count] @ rows.reshape(-1)[places]


def add_row(vector, start, size, row, at, stride, weights, first):
    add_rows(vector, start, size, row, at, stride, weights, first, 1)


def multiply_block(matrix, order, first, then, vectors, out):
    out[:] = matrix[order[first : first + len(out)]] @ vectors.T


def multiply_panel(matrix, order, first, then, vectors, start, stop, partial, lanes):
    found = matrix[order[first : first + 6], start:stop] @ vectors[:, start:stop].T
    for a in range(len(vectors)):
        head = a - a % 4
        at = 6 * head + np.arange(6) * min(4, len(vectors) - head) + a - head
        partial[at * lanes + start % lanes] += found[:, a]


def planted(source: str) -> bool:
    """Whether the kernels in `source` tell themselves from the reference by their trajectories."""
    keep = [
        line
        for line in source.splitlines()
        if not line.startswith(("@", "from numerics", "from numba", "from __future"))
    ]
    text = "\n".join(line for line in keep if not line.startswith(("_ONE", "_ADD_ONE", "_PANEL_ONE")))
    space: dict[str, object] = {"__name__": "planted", "overload": None, "BLOCK": 4, "TALL": 6}
    exec(compile(text, "planted", "exec"), space)
    space |= {"multiply": multiply, "add_rows": add_rows, "multiply_block": multiply_block, "_ADD_ONE": add_row}
    space |= {"multiply_panel": multiply_panel, "total": lambda partial, at: partial[at : at + 8].sum()}
    space["field"] = lambda known, *rest: space["_FIELDS"][type(known).__name__](known, *rest)
    space["moved"] = lambda known, *rest: space["_MOVED"][type(known).__name__](known, *rest)
    for table in ("_FIELDS", "_MOVED"):
        space[table] = {kind.__name__: function for kind, function in space[table].items()}
    for kind, d, engine in CASES:
        X, start = unit(6, 18, d), unit(18, d, seed=1)
        couplings = vector_interactions(X, kind=kind, engine=engine, precision="float64")
        truth = reference_alignment.Run(couplings, start, "float64")
        spins = components(start, np.float64)
        known = system(couplings, spins)
        for sweep in range(2):
            order = rng.permutation(rng.stream("planted"), 18, lane=sweep)
            try:
                if kind == "scalar" and engine == "overlap" and d >= 8:
                    J = vector_interactions(X, kind=kind, engine="dense", precision="float64").couplings
                    state, moves = spins.T[order].copy(), np.empty((18, d))
                    pairs = J[np.ix_(order, order)] + np.eye(18)
                    largest = space["block"](J[order] @ spins.T + state, pairs, state, moves, True, 0.0)
                    spins[:, order] = state.T
                elif engine == "overlap" or kind == "tensor":
                    largest = space["sweep"](known, spins, order, 0.0)
                elif kind == "phasor":
                    largest = space["phasor_sweep"](known.real, known.imaginary, spins, order, 0.0)
                else:
                    way = "matrix_sweep" if d < 8 else "wide_sweep"
                    largest = space[way](known.couplings, spins, order, 0.0)
            except Exception:
                return True
            if abs(truth.sweep(order) - np.sqrt(largest)) > 1e-9 or np.abs(spins.T - truth.spins()).max() > 1e-9:
                return True
    return False


SOURCE = inspect.getsource(vector_fields) + inspect.getsource(kernels)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("own[i] * s[a]) * scale", "0 * s[a]) * scale"),  # a spin acts on itself
        ("add_rows(out, 0, d, own, i * d * d, d, s, 0, d)", "pass"),
        ("out[a] = -s[a]", "out[a] = 0.0"),
        ("delta if system.own.size > 0 else s", "0 * delta if system.own.size > 0 else s"),  # stale overlaps
        ("delta if system.own.size > 0 else s", "delta"),
        ("_ADD_ONE(system.overlaps", "(lambda *_: None)(system.overlaps"),
        ("x, y = -out[1], out[0]", "x, y = out[1], out[0]"),  # turned the other way
        ("delta[a] = after - s[a]", "delta[a] = s[a] - after"),  # a sign
        ("after = s.dtype.type(np.float64(h[a]) / length)", "after = -s.dtype.type(np.float64(h[a]) / length)"),
        ("square += np.float64(h[a]) * np.float64(h[a])", "square += abs(h[a])"),
        ("distance += np.float64(delta[a]) * np.float64(delta[a])", "distance += 0.5 * delta[a] * delta[a]"),
        ("largest = max(largest, distance)", "largest = distance"),
        ("range(r + 1, BLOCK)", "range(r + 2, BLOCK)"),  # a neighbour in the block is not told
        ("fields[q, 0] += x * delta[0] - y * delta[1]", "fields[q, 0] += x * delta[0] + y * delta[1]"),
        ("c = couplings[order[first + q], i]", "c = couplings[order[first + q], order[first]]"),
        ("fields[r, 0] - turned[r, 1]", "fields[r, 0] + turned[r, 1]"),
        ("order[whole:], zero", "order[whole + 1 :], zero"),  # a site is left out
        ("flat, k * B, k)", "flat, k * B, k - 1 if k else 0)"),
        ("- pairs[k, k] * s[a] if own", "if own"),
        ("range(r + 1, TALL)", "range(r + 1, TALL - 1)"),
        ("partial[:] = 0", "pass"),  # sums of the block before
        ("then = min(first + TALL, whole - TALL)", "then = first = min(first + TALL, whole - TALL)"),
    ],
)
def test_planted_faults_are_caught(right, wrong):
    assert right in SOURCE
    assert planted(SOURCE.replace(right, wrong))


def test_without_a_fault_nothing_is_caught():
    assert not planted(SOURCE)
