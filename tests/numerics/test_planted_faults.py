"""Faults planted in the source text of the quench kernels, which the comparison with the reference must notice."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from numerics import rng
from numerics.disorder import draw
from numerics.dynamics import quench
from numerics.interactions import interactions
from numerics.kernels import overlap, overlap_quench, rows
from numerics.kernels import quench as dense_quench
from theory.ensembles import IidPatterns

SIZES = ((12, 5), (12, 4), (41, 13), (30, 2))  # few patterns make many equal fields


def add_row(fields, matrix, i, up, parity, upcoming):
    """What the vector instructions of numerics.kernels.row_adds do, in NumPy."""
    assert 0 <= upcoming < len(matrix)
    row = matrix[i].astype(np.int64)
    if matrix.dtype == np.int8:
        row = 2 * row + parity
    fields += ((2 if up else -2) * row).astype(fields.dtype)


def run(source: str, order: str, engine: str) -> bool:
    """Whether the kernels in `source` tell themselves from the reference by their trajectories or ends."""
    plain = source.replace("from __future__ import annotations", "").replace("@kernel", "").replace("@merged", "")
    lines = [line for line in plain.splitlines() if not line.startswith(("from numerics.kernels import", "_ask"))]
    space: dict[str, object] = {"__name__": "planted"}
    exec(compile("\n".join(lines), "planted", "exec"), space)
    space["add_row"] = add_row
    for N, P in SIZES:
        system = interactions(draw(IidPatterns(), N=N, P=P), engine=engine)
        assert system.matrix is not None
        np.fill_diagonal(system.matrix, 5)  # stands for nothing
        for r in range(3):
            spins, key = rng.signs(rng.stream("planted", r), rows=1, columns=N)[0], rng.stream("planted", "order", r)
            truth = quench(system, spins, key=key, order=order, backend="reference")
            fields = system.fields(spins)
            first = (system.matrix, system.parity, spins, fields)
            try:
                if order == "random":
                    found = space["quench"](*first, key, 0, True, False, 200, 256)
                else:
                    found = space[order](*first, 0, False, 200)
            except Exception:
                return True
            if not np.array_equal(spins, truth.spins) or tuple(found[:2]) != (truth.sweeps, truth.flips):
                return True
    return False


SOURCE = inspect.getsource(rows) + inspect.getsource(dense_quench).replace("from numerics.kernels.rows", "# ")


@pytest.mark.parametrize("engine", ["dense-int8", "dense-int16"])
@pytest.mark.parametrize("order", ["random", "greedy", "synchronous"])
def test_the_source_as_it_is_passes(order, engine):
    assert not run(SOURCE, order, engine)


@pytest.mark.parametrize(
    ("order", "old", "new"),
    [
        ("random", "    fields[i] = own\n", ""),  # J_ii is not zero
        ("random", "spin > 0, parity", "spin < 0, parity"),  # the field update has the wrong sign
        ("random", "spin > 0, parity", "spin > 0, 0"),  # the parity is forgotten
        ("random", "flip(matrix, parity, i, state[i], fields, upcoming)", "pass"),  # stale fields
        ("random", "if s * h < -zero or", "if s * h > zero or"),  # wrong acceptance sign
        ("random", "permutation(key, sweep, order)", "permutation(key, 0, order)"),  # the same order in every sweep
        ("random", "return sweep + 1, flips", "return sweep, flips"),  # sweeps miscounted
        ("greedy", "size > largest", "size >= largest"),  # the last of equals
        ("greedy", "size > largest", "size < largest"),  # the smallest field
        ("greedy", "    fields[i] = own\n", ""),
        ("synchronous", "    fields[i] = own\n", ""),
        ("synchronous", "        if same:", "        if False:"),  # a two-cycle goes on for ever
    ],
)
def test_planted_faults_are_noticed(order, old, new):
    assert old in SOURCE, "the fault cannot be planted; adapt it to the kernel's source"
    assert run(SOURCE.replace(old, new), order, "dense-int8")


OVERLAP = inspect.getsource(overlap_quench)


def run_overlap(field_source: str, source: str) -> bool:
    """As :func:`run`, for the overlap form with int8 patterns, which needs no vector instructions."""
    space: dict[str, object] = {"__name__": "planted"}
    plain = (
        (field_source + source)
        .replace("from __future__ import annotations", "")
        .replace("@kernel", "")
        .replace("@merged", "")
    )
    lines = [line for line in plain.splitlines() if not line.startswith(("from numerics.kernels.masks", "_ask"))]
    exec(compile("\n".join(lines), "planted", "exec"), space)
    space.update(_ask=lambda *where: None, _field=space["field"], _flip=space["flip"], _total=space["total"])
    for N, P in SIZES:
        system = interactions(draw(IidPatterns(), N=N, P=P), engine="overlap-int8")
        spins, key = rng.signs(rng.stream("planted"), rows=1, columns=N)[0], rng.stream("planted", "order")
        truth = quench(system, spins, key=key, backend="reference")
        first = (None, system.patterns, P, spins, system.overlaps(spins))
        try:
            with np.errstate(over="ignore"):
                found = space["quench"](*first, key, True, False, 200)
        except Exception:
            return True
        if not np.array_equal(spins, truth.spins) or tuple(found) != (truth.sweeps, truth.flips):
            return True
    return False


def test_the_overlap_form_as_it_is_passes():
    assert not run_overlap(inspect.getsource(overlap), OVERLAP)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return found - np.int64(P) * np.int64(spin)", "return found"),  # J_ii is not zero
        ("total += _flip(bits, patterns, P, i, -s, overlaps)", "pass"),  # stale overlaps
        ("step = np.int32(2 * np.int32(spin))", "step = np.int32(np.int32(spin))"),  # half the update
        ("if s * h < 0 or", "if s * h > 0 or"),  # wrong acceptance sign
        ("permutation(key, sweep, order)", "permutation(key, sweep + 1, order)"),  # another order
    ],
)
def test_faults_planted_in_the_overlap_form_are_noticed(old, new):
    sources = [inspect.getsource(overlap), OVERLAP]
    assert any(old in source for source in sources), "the fault cannot be planted; adapt it to the kernel's source"
    assert run_overlap(*(source.replace(old, new) for source in sources))
