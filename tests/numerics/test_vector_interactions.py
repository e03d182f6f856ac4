"""Couplings of vector spins against their definitions, in every representation."""

from __future__ import annotations

import numpy as np
import pytest

from numerics import disorder
from numerics import vector_interactions as module
from numerics.interactions import interactions
from numerics.vector_interactions import ENGINES, KINDS, from_couplings, vector_interactions
from theory.ensembles import IidPatterns
from theory.errors import InvalidInput

CASES = [(kind, d) for kind in KINDS for d in ((2,) if kind == "phasor" else (1, 2, 3, 4, 7, 30))]


def unit(*shape: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=shape)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def literal(X: np.ndarray, kind: str) -> np.ndarray:
    """J[i, a, j, b] as the definition has it, pattern by pattern."""
    _, N, d = X.shape
    J = np.zeros((N, d, N, d))
    for xi in X:
        if kind == "tensor":
            J += np.einsum("ia,jb->iajb", xi, xi) / N
        elif kind == "scalar":
            J += np.einsum("ic,jc,ab->iajb", xi, xi, np.eye(d)) * d / N
        else:
            angle = np.arctan2(xi[:, 1], xi[:, 0])
            turn = angle[:, None] - angle  # s_j is turned by the angle between the patterns of i and j
            J += np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]).transpose(2, 0, 3, 1) / N
    for i in range(N):
        J[i, :, i] = 0.0
    return J


def stored(J: np.ndarray, kind: str) -> np.ndarray:
    """The same as a user would give them."""
    return {"tensor": J, "scalar": J[:, 0, :, 0], "phasor": J[:, 0, :, 0] + 1j * J[:, -1, :, 0]}[kind]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("kind", "d"), CASES)
def test_fields_and_energies_are_those_of_the_definition(kind, d, engine, monkeypatch):
    X, S = unit(5, 23, d), unit(3, 23, d, seed=1)
    J = literal(X, kind)
    h = np.einsum("iajb,rjb->ria", J, S)
    energies = -0.5 * np.einsum("ria,ria->r", S, h) / 23
    for chunk in (module._CHUNK, 100):
        monkeypatch.setattr(module, "_CHUNK", chunk)
        ours = vector_interactions(X, kind=kind, engine=engine, precision="float64")
        theirs = from_couplings(stored(J, kind), kind=kind, d=d, precision="float64")
        for system in (ours, theirs):
            assert np.abs(system.fields(S) - h).max() < 1e-13
            assert np.abs(system.fields(S[1]) - h[1]).max() < 1e-13
            assert np.abs(system.energy(S) - energies).max() < 1e-14
            assert system.energy(S[2]) == pytest.approx(energies[2], abs=1e-14)
    rounded = vector_interactions(X, kind=kind, engine=engine)
    assert (ours.engine, rounded.precision, rounded.P) == (engine, "float32", 5)
    assert np.abs(rounded.fields(S) - h).max() < 1e-6
    assert np.abs(ours._by_couplings(S) - h).max() < 1e-13 if engine == "dense" else ours.couplings is None


@pytest.mark.parametrize("kind", ["tensor", "scalar"])
def test_one_component_is_the_hopfield_model(kind):
    sample = disorder.draw(IidPatterns(), N=40, P=6)
    ising = interactions(sample)
    patterns = np.concatenate([rows for _, rows in disorder.pattern_blocks(sample, rows=6)])
    S = np.random.default_rng(0).choice([-1, 1], size=40).astype(np.int8)
    for engine in ENGINES:
        system = vector_interactions(patterns[:, :, None], kind=kind, engine=engine)
        assert np.allclose(system.fields(S[:, None])[:, 0] * 40, ising.fields(S), rtol=0.0, atol=1e-12)
        assert system.energy(S[:, None]) == pytest.approx(ising.energy(S), abs=1e-14)


@pytest.mark.parametrize("kind", ["scalar", "phasor"])
def test_turning_all_spins_costs_nothing(kind):
    system = vector_interactions(unit(4, 30, 2), kind=kind)
    S = unit(30, 2, seed=1)
    c, s = np.cos(1.0), np.sin(1.0)
    turned = S @ np.array([[c, s], [-s, c]])
    assert system.energy(turned) == pytest.approx(system.energy(S), abs=1e-13)
    tensor = vector_interactions(unit(4, 30, 2), kind="tensor")
    assert abs(tensor.energy(turned) - tensor.energy(S)) > 1e-3  # which has preferred directions


def test_tensors_of_few_patterns_are_never_formed():
    X = unit(30, 3000, 3).astype(np.float32)
    system = vector_interactions(X, kind="tensor")
    arrays = [a for a in (system.patterns, system.own, system.couplings) if a is not None]
    assert system.engine == "overlap"
    assert sum(a.nbytes for a in arrays) < 2 * X.nbytes  # the matrix has 324 MB
    S = unit(3000, 3, seed=1)
    m = np.einsum("pia,ia->p", X.astype(float), S) / 3000
    itself = (np.einsum("pia,ia->pi", X.astype(float), S) ** 2).sum()
    assert system.energy(S) == pytest.approx(-0.5 * (m**2).sum() + itself / (2.0 * 3000**2), abs=1e-12)
    many = unit(2, 100, 30)  # more components than patterns: what a spin does to itself takes more room than patterns
    assert vector_interactions(many, kind="tensor").own is None


@pytest.mark.parametrize(("N", "P", "d", "engine"), [(1000, 20, 3, "overlap"), (1000, 400, 3, "dense")])
def test_the_engine_that_reads_less_is_chosen(N, P, d, engine):
    assert module._quicker("scalar", N, P, d) == engine
    assert module._quicker("tensor", N, P, d) == "overlap"


GOOD = unit(2, 3, 2)
PAIR = np.array([[0.0, 1.0], [1.0, 0.0]])


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: vector_interactions(GOOD, kind="tenser"), "kind 'tenser' is unknown; .* did you mean 'tensor'?"),
        (
            lambda: vector_interactions(GOOD, kind="tensor", engine="full"),
            "engine 'full' is unknown; choose one of auto",
        ),
        (lambda: vector_interactions(GOOD, kind="tensor", precision="float16"), "precision 'float16' is unknown"),
        (lambda: vector_interactions(GOOD[0], kind="tensor"), r"patterns have shape \(3, 2\); give \(P, N, d\)"),
        (lambda: vector_interactions(2 * GOOD, kind="tensor"), "patterns are not of length 1 .*; divide each vector"),
        (lambda: vector_interactions(GOOD * np.nan, kind="tensor"), "patterns contain NaN or infinity"),
        (lambda: vector_interactions([["a"]], kind="tensor"), "patterns are not an array of real numbers"),
        (
            lambda: vector_interactions([[[1.0], [1.0, 2.0]]], kind="tensor"),
            "patterns are not an array of real numbers",
        ),
        (lambda: vector_interactions(unit(2, 3, 3), kind="phasor"), "phasor couplings need d = 2 components, but .* 3"),
        (lambda: from_couplings(PAIR, kind="scalar"), "d = None is not allowed; scalar couplings need"),
        (lambda: from_couplings(PAIR, kind="scalar", d=0), "d = 0 is not allowed"),
        (lambda: from_couplings(PAIR, kind="phasor", d=3), "d = 3 does not fit phasor couplings of 2 components"),
        (lambda: from_couplings(PAIR[0], kind="scalar", d=2), r"scalar couplings have shape \(2,\); give \(N, N\)"),
        (lambda: from_couplings(PAIR, kind="tensor"), r"tensor couplings have shape \(2, 2\); give \(N, d, N, d\)"),
        (lambda: from_couplings(PAIR + np.eye(2), kind="scalar", d=2), "nonzero diagonal; set J_ii = 0"),
        (lambda: from_couplings(np.triu(PAIR), kind="scalar", d=2), r"not symmetric \(off by up to 1\); give J = J\^T"),
        (lambda: from_couplings(1j * PAIR, kind="phasor"), r"not symmetric \(off by up to 2\); give J = conj"),
        (lambda: from_couplings(1j * PAIR, kind="scalar", d=2), "scalar couplings are not an array of real numbers"),
        (lambda: from_couplings(PAIR * np.inf, kind="scalar", d=2), "couplings contain NaN or infinity"),
        (
            lambda: from_couplings(PAIR, kind="scalar", d=2).fields(unit(3, 2)),
            r"spins have shape \(3, 2\); give \(2, 2\)",
        ),
        (lambda: from_couplings(PAIR, kind="scalar", d=2).energy([[1, 1], [0, 1]]), "spins are not of length 1"),
        (lambda: from_couplings(PAIR, kind="scalar", d=2).energy([["a"]]), "spins are not an array of real numbers"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_bad_input_is_one_sentence(make, sentence):
    with pytest.raises(InvalidInput, match=sentence) as caught:
        make()
    assert str(caught.value).count("\n") == 0


def test_a_matrix_that_does_not_fit_is_refused_in_a_sentence(monkeypatch):
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(module, "room", full)
    for kind, size in (("tensor", "4e-07 GB"), ("scalar", "1e-07 GB"), ("phasor", "2e-07 GB")):
        with pytest.raises(InvalidInput, match=f"N = 5 spins with d = 2 take {size} as a matrix, .* 'overlap'"):
            vector_interactions(unit(2, 5, 2), kind=kind, engine="dense")
