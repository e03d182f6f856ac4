"""Zero-temperature dynamics: the kernel against the literal reference, enumeration, and planted faults."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from numerics import exact, rng
from numerics.couplings import hebbian
from numerics.disorder import draw
from numerics.dynamics import quench
from numerics.interactions import from_matrix
from theory.ensembles import TANH, IidPatterns, RandomFeaturePatterns
from theory.errors import InvalidInput, SpinodalError


def couplings(kind: str, N: int, index: int = 0) -> np.ndarray:
    if kind == "float64":
        return hebbian(draw(RandomFeaturePatterns(nonlinearity=TANH), N=N, P=max(1, N // 3), D=N, index=index))
    if kind == "ties":  # an even number of patterns and of neighbours: fields vanish often
        return hebbian(draw(IidPatterns(), N=N, P=2, index=index))
    NJ = hebbian(draw(IidPatterns(), N=N, P=max(1, N // 3), index=index))
    return NJ.astype(np.int32) * 70000 if kind == "int64 fields" else NJ.astype(kind)


def start(N: int, index: int = 0) -> np.ndarray:
    return rng.signs(rng.stream("start", index), rows=1, columns=N)[0]


@pytest.mark.parametrize("order", ["random", "sequential"])
@pytest.mark.parametrize("tie", ["keep", "plus"])
@pytest.mark.parametrize("kind", ["int16", "int32", "int64 fields", "float64", "ties"])
def test_the_kernel_follows_the_reference_flip_by_flip(kind, tie, order):
    flips = 0
    for N in (1, 2, 3, 11, 64, 101):
        NJ = couplings(kind, N)
        ends = [
            quench(NJ, start(N), key=rng.stream("order", N), tie=tie, order=order, backend=backend)
            for backend in ("cpu", "reference")
        ]
        assert np.array_equal(ends[0].spins, ends[1].spins)
        assert (ends[0].sweeps, ends[0].flips) == (ends[1].sweeps, ends[1].flips)
        flips += ends[0].flips
    assert flips > 20


@pytest.mark.parametrize("kind", ["int16", "float64"])
def test_prefixes_of_the_trajectory_agree(kind):
    N = 60
    NJ, key = couplings(kind, N), rng.stream("prefix")
    from numerics.backends import cpu, reference

    seen = set()
    for sweeps in range(1, 6):
        options = {"order": "random", "tie": "keep", "max_sweeps": sweeps, "threads": 1}
        ours, literal = (b.quench(from_matrix(NJ), start(N)[None], key[None], **options) for b in (cpu, reference))
        assert all(np.array_equal(a, b) for a, b in zip(ours, literal, strict=True))
        seen.add(int(ours[2][0]))
    assert len(seen) > 1


def test_tie_rules_differ_where_fields_vanish():
    NJ = couplings("ties", 40)
    kept, plus = (quench(NJ, start(40), tie=tie) for tie in ("keep", "plus"))
    assert kept.flips != plus.flips
    fields = NJ.astype(int) @ plus.spins
    assert (plus.spins[fields == 0] == 1).all()
    free = quench(np.zeros((3, 3), dtype=np.int16), [1, -1, -1], tie="plus")
    assert free.spins.tolist() == [1, 1, 1]
    assert quench(np.zeros((3, 3), dtype=np.int16), [1, -1, -1]).spins.tolist() == [1, -1, -1]


def test_rounding_does_not_decide_a_tie_of_float_couplings():
    # 0.1 + 0.2 - 0.3 is not zero in binary; the field on spin 0 is a tie all the same.
    J = np.zeros((4, 4))
    J[0, 1:] = J[1:, 0] = [0.1, 0.2, -0.3]
    J[1:, 1:] = 10.0 * (1.0 - np.eye(3))
    for backend in ("cpu", "reference"):
        assert quench(J, [-1, 1, 1, 1], backend=backend).spins.tolist() == [-1, 1, 1, 1]
        assert quench(J, [-1, 1, 1, 1], backend=backend, tie="plus").spins.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize("kind", ["int16", "float64", "ties"])
def test_the_energy_never_rises(kind):
    from numerics.backends import cpu

    N = 80
    NJ = couplings(kind, N)
    energies = []
    for sweeps in range(8):
        options = {"order": "random", "tie": "plus", "max_sweeps": sweeps, "threads": 1}
        spins = cpu.quench(from_matrix(NJ), start(N)[None], rng.stream("energy")[None], **options)[0][0]
        energies.append(-0.5 * float(spins @ NJ.astype(float) @ spins))
    assert all(b <= a + 1e-9 for a, b in pairwise(energies))
    assert energies[-1] < energies[0]


@pytest.mark.parametrize("tie", ["keep", "plus"])
@pytest.mark.parametrize("N", [2, 5, 12])
def test_ends_are_exactly_the_stable_states(N, tie):
    """Every end is stable; every stable state is a fixed point; together the ends are all stable states."""
    NJ = couplings("int16", N, index=1)
    stable = {tuple(s) for s in exact.stable_states(NJ, tie=tie).tolist()}
    ends = set()
    for spins in exact.configurations(N):
        end = quench(NJ, spins, tie=tie)
        ends.add(tuple(end.spins.tolist()))
        assert (end.flips == 0) == (tuple(spins.tolist()) in stable)
    assert ends == stable


def test_energies_of_enumeration_are_those_of_the_definition():
    NJ = couplings("int16", 6).astype(float)
    for spins, energy in zip(exact.configurations(6), exact.energies(NJ), strict=True):
        direct = -sum(NJ[i, j] * spins[i] * spins[j] for i in range(6) for j in range(i))
        assert energy == pytest.approx(direct)
    assert np.array_equal(exact.energies(NJ + 5 * np.eye(6)), exact.energies(NJ))
    with pytest.raises(InvalidInput, match="N = 17"):
        exact.configurations(17)


def test_a_self_coupling_is_caught():
    NJ = couplings("int16", 12)
    wrong = NJ.copy()
    np.fill_diagonal(wrong, 4)
    with pytest.raises(InvalidInput, match="J_ii = 0"):
        quench(wrong, start(12))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"tie": "kepe"}, "tie rule 'kepe' is unknown; choose one of keep, plus; did you mean 'keep'?"),
        ({"order": "shuffle"}, "order 'shuffle' is unknown; choose one of random, sequential, greedy"),
        ({"backend": "cpi"}, "backend 'cpi' is unknown; choose one of cpu, reference, gpu; did you mean 'cpu'?"),
        ({"spins": [1, 1]}, r"spins have shape \(2,\) but couplings \(3, 3\)"),
        ({"spins": [1, 0, 1]}, "spins must all be"),
        ({"spins": ["a", "b", "c"]}, "spins must all be"),
        ({"max_sweeps": 0}, "max_sweeps = 0 is not allowed; give an integer max_sweeps >= 1"),
        ({"max_sweeps": 2.5}, "max_sweeps = 2.5 is not allowed"),
        ({"key": [1, 2, 3]}, r"keys have shape \(1, 3\) and type int64; give one row of 3 words of uint32"),
        ({"couplings": [[0, np.nan], [np.nan, 0]], "spins": [1, -1]}, "couplings contain NaN or infinity"),
        ({"couplings": [[0, 1]]}, r"couplings have shape \(1, 2\)"),
    ],
)
def test_bad_input_is_one_sentence(change, sentence):
    arguments = {"couplings": np.ones((3, 3), dtype=int) - np.eye(3, dtype=int), "spins": [1, 1, -1]} | change
    with pytest.raises(InvalidInput, match=sentence):
        quench(arguments.pop("couplings"), arguments.pop("spins"), **arguments)


def test_couplings_are_not_copied():
    for kind in ("int16", "float64"):
        J = couplings(kind, 40)
        assert from_matrix(J).matrix is J


def test_a_limit_of_sweeps_is_not_silent():
    with pytest.raises(SpinodalError, match="after 1 sweeps"):
        quench(couplings("int16", 40), start(40), max_sweeps=1)
