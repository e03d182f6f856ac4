"""The Hessian on the spheres: finite differences, the operator, inertia, random-matrix theory, and refusals."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from numerics import rng, vector_disorder
from numerics.riemannian import (
    LARGEST_DENSE,
    eigenvalues_below,
    hessian,
    hessian_operator,
    spectrum_of_minimum,
)
from numerics.tangent import frame_of, rotations, tangent_bases
from numerics.vector_interactions import from_couplings, vector_interactions
from theory.ensembles import IsotropicPatterns
from theory.errors import InvalidInput
from theory.minima import hessian_law
from theory.models.vector_hopfield import VectorHopfield

CASES = [("tensor", 2), ("tensor", 3), ("tensor", 6), ("scalar", 2), ("scalar", 3), ("scalar", 5), ("phasor", 2)]


def network(kind: str, d: int, N: int, P: int):
    patterns = vector_disorder.draw(IsotropicPatterns(d), N=N, P=P).patterns.astype(np.float64)
    return vector_interactions(vector_disorder.unit(patterns), kind=kind, precision="float64")


def literal_energy(couplings, spins) -> float:
    """H (not per spin) from the definition, by pairs."""
    x = np.asarray(couplings.patterns)
    N, d = spins.shape
    total = 0.0
    for i in range(N):
        for j in range(N):
            if i == j:
                continue
            if couplings.kind == "scalar":
                total -= 0.5 * d / N * np.sum(x[i] * x[j]) * (spins[i] @ spins[j])
            else:  # phasors are tensors with turned patterns
                total -= 0.5 / N * np.sum((spins[i] @ x[i]) * (spins[j] @ x[j]))
    return total


def relaxed(couplings, spins):
    """A minimum to rounding: alignment in order, literally."""
    s = spins.copy()
    for _ in range(3000):
        before = s.copy()
        if couplings.kind == "scalar":
            x = np.asarray(couplings.patterns)
            moments = np.einsum("ncp,ne->cpe", x, s)
            for i in range(len(s)):
                own = np.einsum("cp,e->cpe", x[i], s[i])
                h = np.einsum("cp,cpe->e", x[i], moments - own)
                s[i] = h / np.linalg.norm(h)
                moments += np.einsum("cp,e->cpe", x[i], s[i]) - own
        else:
            x = np.asarray(couplings.patterns)
            overlaps = np.einsum("ncp,nc->p", x, s)
            for i in range(len(s)):
                h = x[i] @ (overlaps - s[i] @ x[i])
                new = h / np.linalg.norm(h)
                overlaps += (new - s[i]) @ x[i]
                s[i] = new
        if np.abs(s - before).max() < 1e-13:
            break
    return s


@cache
def minimum(kind: str, d: int, N: int, P: int):
    couplings = network(kind, d, N, P)
    start = vector_disorder.random_vectors(rng.stream("start"), N=N, d=d)
    return couplings, relaxed(couplings, start)


def moved(spins, u):
    """Geodesics from the spins with tangential velocities u."""
    speed = np.linalg.norm(u, axis=1)[:, None]
    return np.cos(speed) * spins + np.sin(speed) * u / np.maximum(speed, 1e-300)


@pytest.mark.parametrize("d", [2, 3, 7])
def test_bases_are_orthonormal_and_tangential(d):
    spins = vector_disorder.random_vectors(rng.stream("bases"), N=50, d=d)
    spins[:2] = 0.0
    spins[0, 0], spins[1, 0] = 1.0, -1.0
    B = tangent_bases(spins)
    np.testing.assert_allclose(B.transpose(0, 2, 1) @ B, np.broadcast_to(np.eye(d - 1), (50, d - 1, d - 1)), atol=1e-14)
    np.testing.assert_allclose(np.einsum("nd,nda->na", spins, B), 0.0, atol=1e-14)


@pytest.mark.parametrize(("kind", "d"), CASES)
def test_hessian_is_the_second_derivative_of_the_energy_along_geodesics(kind, d):
    # Not at a minimum: geodesics have no acceleration on the sphere, so this is the Riemannian Hessian anywhere.
    couplings = network(kind, d, 9, 4)
    spins = vector_disorder.random_vectors(rng.stream("point"), N=9, d=d)
    B, H = tangent_bases(spins), hessian(couplings, spins)
    assert H.shape == ((d - 1) * 9,) * 2
    random = np.random.default_rng(1)
    for _ in range(3):
        v = random.standard_normal((d - 1) * 9)
        u = np.einsum("nda,na->nd", B, v.reshape(9, d - 1))
        step = 1e-3
        energies = [literal_energy(couplings, moved(spins, k * step * u)) for k in (-2, -1, 0, 1, 2)]
        second = np.dot([-1 / 12, 4 / 3, -5 / 2, 4 / 3, -1 / 12], energies) / step**2
        assert v @ H @ v == pytest.approx(second, rel=2e-7, abs=2e-7)


@pytest.mark.parametrize(("kind", "d"), CASES)
def test_matrix_and_operator_agree(kind, d):
    couplings = network(kind, d, 40, 11)
    spins = vector_disorder.random_vectors(rng.stream("point"), N=40, d=d)
    H, operator = hessian(couplings, spins), hessian_operator(couplings, spins)
    np.testing.assert_allclose(operator @ np.eye(len(H)), H, atol=1e-13)
    np.testing.assert_allclose(H, H.T, atol=0)
    np.testing.assert_allclose(operator @ H[0], H @ H[0], atol=1e-12)


def test_matrix_and_operator_agree_for_many_components_and_few_patterns():
    x = np.random.default_rng(0).normal(size=(5, 20, 6))
    unit = x / np.linalg.norm(x, axis=-1, keepdims=True)
    couplings = vector_interactions(unit[:4], kind="tensor", precision="float64")
    assert couplings.own is None  # what a spin does to itself is then found from the patterns
    frame = frame_of(couplings, unit[4])
    assert np.abs(hessian(couplings, unit[4]) - frame.hessian_times(np.eye(frame.size))).max() < 1e-14


@pytest.mark.parametrize(("kind", "d"), CASES)
def test_counts_below_a_level_are_those_of_the_eigenvalues(kind, d):
    couplings = network(kind, d, 30, 8)
    spins = vector_disorder.random_vectors(rng.stream("point"), N=30, d=d)
    values = np.linalg.eigvalsh(hessian(couplings, spins))
    for level in (*(0.5 * (values[1:] + values[:-1]))[::7], -50.0, 50.0):
        assert eigenvalues_below(couplings, spins, level) == (values < level).sum()


@pytest.mark.parametrize(
    ("kind", "d", "modes"), [("tensor", 3, 0), ("scalar", 2, 1), ("scalar", 3, 3), ("phasor", 2, 1)]
)
def test_minima_are_known_with_their_rotations(kind, d, modes):
    couplings, spins = minimum(kind, d, 60, 20)
    found = spectrum_of_minimum(couplings, spins)
    assert found.symmetric.sum() == modes == rotations(frame_of(couplings, spins)).shape[1]
    assert np.abs(found.eigenvalues[found.symmetric]).max(initial=0.0) < 1e-9
    assert found.verdict == "minimum"
    assert found.smallest > 1e-6
    assert found.error < 1e-12
    assert found.energy == pytest.approx(literal_energy(couplings, spins) / 60, abs=1e-12)
    other = spectrum_of_minimum(couplings, vector_disorder.random_vectors(rng.stream("other"), N=60, d=d))
    assert other.verdict == "not stationary"
    assert other.smallest < 0.0


def test_a_spin_against_its_field_makes_a_saddle():
    pair = from_couplings([[0.0, 1.0], [1.0, 0.0]], kind="scalar", d=3)
    found = spectrum_of_minimum(pair, np.array([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]]))
    assert (found.verdict, found.tangential) == ("saddle", 0.0)
    # Of two spins against each other, one turns at no cost with both (2 modes), or falls (2 modes).
    np.testing.assert_allclose(found.eigenvalues, [-2.0, -2.0, 0.0, 0.0], atol=1e-14)
    assert found.symmetric.sum() == 2


@pytest.mark.parametrize(("kind", "d"), CASES)
def test_lanczos_finds_what_lapack_finds(kind, d):
    couplings, spins = minimum(kind, d, 60, 20)
    whole, edge = (spectrum_of_minimum(couplings, spins, method=m, k=7) for m in ("lapack", "lanczos"))
    assert edge.complete
    assert edge.verdict == whole.verdict == "minimum"
    np.testing.assert_allclose(edge.eigenvalues, whole.eigenvalues, atol=1e-10)
    apart = ~whole.symmetric
    np.testing.assert_allclose(edge.participation[apart], whole.participation[apart], rtol=1e-5)


def test_eigenvalues_at_minima_follow_the_theory():
    """Shares below five levels, and the mean, in ten samples at d = 3, N = 600, d P/N = 0.06.

    With errors from the samples each deviation is Student's t with 9 degrees of freedom; six of them exceed 15.7 with
    a probability of 5e-7.  Twenty samples at N = 600 and ten at N = 1200 show no finite-size effect beyond 2 errors.
    """
    law = hessian_law(VectorHopfield(alpha=0.02, d=3), "example")
    levels = np.array([0.76671, 0.91852, 1.018645, 1.118035, 1.26059])
    shares = law.levels(levels).cumulative
    rows = []
    for index in range(10):
        sample = vector_disorder.draw(IsotropicPatterns(3), N=600, P=12, index=index)
        couplings = vector_interactions(sample.patterns, kind="tensor", precision="float64")
        found = spectrum_of_minimum(couplings, relaxed(couplings, vector_disorder.example(sample, 0)))
        assert found.verdict == "minimum"
        assert found.eigenvalues.mean() == pytest.approx(found.field, rel=1e-9)
        rows.append([*(found.eigenvalues[:, None] < levels).mean(axis=0), found.field])
    deviation = np.mean(rows, axis=0) - [*shares, law.mean]
    error = np.std(rows, axis=0, ddof=1) / np.sqrt(10)
    assert (np.abs(deviation / error) < 15.7).all()
    assert (error < 0.02).all()


@pytest.mark.slow
@pytest.mark.parametrize("d", [2, 3])
def test_lanczos_reaches_beyond_the_matrix(d):
    couplings, spins = minimum("tensor", d, 6000, 60)
    with pytest.raises(InvalidInput, match=r"GiB.*'lanczos'"):
        spectrum_of_minimum(couplings, spins, method="lapack")
    found = spectrum_of_minimum(couplings, spins, k=5)
    assert (found.method, found.verdict, found.complete) == ("lanczos", "minimum", True)
    assert eigenvalues_below(couplings, spins, found.eigenvalues[2] + 1e-9) == 3


def test_a_users_couplings_take_the_same_road():
    couplings, spins = minimum("tensor", 3, 60, 20)
    x = np.asarray(couplings.patterns)
    J = np.einsum("iac,jbc->iajb", x, x) / 60
    J[np.arange(60), :, np.arange(60), :] = 0.0
    own = from_couplings(J, kind="tensor", precision="float64")
    np.testing.assert_allclose(hessian(own, spins), hessian(couplings, spins), atol=1e-13)
    ours, theirs = (spectrum_of_minimum(c, spins, method="lanczos", k=3) for c in (own, couplings))
    np.testing.assert_allclose(ours.eigenvalues, theirs.eigenvalues, atol=1e-10)
    assert (ours.complete, ours.verdict) == (None, "undecided")
    with pytest.raises(InvalidInput, match="cannot be counted with no channels"):
        eigenvalues_below(own, spins, 0.0)


def test_misuse_is_answered_in_a_sentence():
    couplings, spins = minimum("tensor", 3, 60, 20)
    for options, text in (
        ({"method": "lanczoz"}, "did you mean 'lanczos'"),
        ({"k": 0}, "1 <= k <= .* = 120"),
        ({"k": 100, "method": "lanczos"}, "k <= 60"),
        ({"stationary_within": -1.0}, "above 0"),
    ):
        with pytest.raises(InvalidInput, match=text):
            spectrum_of_minimum(couplings, spins, **options)
    with pytest.raises(InvalidInput, match="length 1"):
        hessian(couplings, 2.0 * spins)
    with pytest.raises(InvalidInput, match="one configuration"):
        hessian(couplings, np.stack([spins, spins]))
    with pytest.raises(InvalidInput, match="cannot turn"):
        hessian(network("tensor", 1, 10, 2), np.ones((10, 1)))
    with pytest.raises(InvalidInput, match="finite level"):
        eigenvalues_below(couplings, spins, np.nan)
    assert LARGEST_DENSE == 8192
